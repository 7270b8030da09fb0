"""The command line: sub-commands, logging, one asyncio.run."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn

import click
from rich.console import Console

from recorder import __version__, assembly
from recorder.cli import benchmark as bench
from recorder.cli import files as tools
from recorder.cli import profiling
from recorder.control import journal as journal_file
from recorder.control import replay as replay_log
from recorder.control import script as script_file
from recorder.control.dispatcher import Dispatcher
from recorder.errors import RecorderError, UsageError
from recorder.frontends import headless, repl
from recorder.frontends import remote_server as remote
from recorder.frontends.session_context import session_context, with_journal
from recorder.frontends.terminal import SafeConsole, complain, log_to, own_stdout, sentence, tell
from recorder.session.status import Summary
from recorder.settings import model as config
from recorder.storage.layout import JOURNAL_SUFFIX

# Options of `run` that stand for a key of the configuration.
OPTION_KEYS = {
    "--frames": "recording.frames",
    "--duration": "recording.duration",
    "--output": "recording.output",
}

# Narrower, the figures of `bench` would be cut off.
TABLE_WIDTH = 120

# How long a thread that draws or parses may keep the camera thread waiting for the interpreter: the default
# of 5 ms is half a frame at 100 frames/s.
SWITCH_S = 0.0005

# How long our threads may take to end once there is nothing left to do.
EXIT_GRACE_S = 2.0

CONFIG = click.argument("config_file", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the configuration, for example camera.exposure=5ms.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recorder")
def commands() -> None:
    """Record a camera: every frame on disk, in order, or told exactly which are missing and why."""


@commands.command()
@CONFIG
@SET
@click.option(
    "--headless", "is_headless", is_flag=True, help="Run without a console, until a limit or Ctrl-C."
)
@click.option("--frames", metavar="N", help="Stop after N frames.")
@click.option("--duration", metavar="TIME", help="Stop after a time, for example 10s.")
@click.option("--output", metavar="PATH", help="A folder for the file, or the file itself, ending in .h5.")
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE", help="Carry out its lines; - is stdin."
)
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
@click.option(
    "--profile", type=click.Path(path_type=Path), metavar="FILE", help="Write profiles for SnakeViz."
)
def run(
    config_file: Path | None,
    overrides: tuple[str, ...],
    is_headless: bool,
    frames: str | None,
    duration: str | None,
    output: str | None,
    script: Path | None,
    dry_run: bool,
    as_json: bool,
    profile: Path | None,
) -> int:
    """Record the camera of CONFIG (default: a simulated one of modest size) into a file.

    Exit code: 0 complete, 1 failed, 2 wrong arguments, 3 frames were lost, 130 interrupted.
    """
    if not is_headless and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        complain("no terminal to type at: running as with --headless")
        is_headless = True
    options = {"--frames": frames, "--duration": duration, "--output": output}
    settings = _settings(config_file, overrides, options)
    lines = script_file.read(script) if script else []

    async def play(dispatch: Dispatcher) -> None:
        await script_file.play(lines, dispatch)

    return _record(settings, play if lines else None, dry_run, as_json, profile, is_headless)


def _record(
    settings: config.Settings,
    play: Callable[[Dispatcher], Awaitable[None]] | None,
    dry_run: bool,
    as_json: bool,
    profile: Path | None,
    is_headless: bool,
) -> int:
    """Run a session to its end and tell how it went; return the exit code."""
    if as_json:
        own_stdout()
    console = SafeConsole(stderr=True)
    log_to(console)

    async def record() -> Summary:
        session = assembly.build_session(settings, dry_run=dry_run)
        async with session_context(session, attended=not is_headless) as dispatch:
            script = partial(play, dispatch) if play else None
            if is_headless:
                return with_journal(await headless.run(session, console, script), dispatch)
            with headless.signals(session):
                await repl.run(session, dispatch, script, on_stderr=as_json)
            return with_journal(await session.close(), dispatch)

    with profiling.profiled(profile):
        try:
            summary = asyncio.run(record())
        except UsageError:
            raise
        except RecorderError as error:
            if as_json:
                tell(json.dumps(Summary.of_nothing(str(error)).for_json()))
            raise
    tell(json.dumps(summary.for_json()) if as_json else sentence(summary))
    if summary.verdict == "failed":
        complain(summary.cause)
    return summary.exit_code


@commands.command()
@click.argument("log", type=click.Path(path_type=Path))
@SET
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Another configuration than the log's."
)
@click.option("--align", type=click.Choice(["frame", "time"]), default="frame", show_default=True)
@click.option("--output", metavar="PATH", help="A folder for the file, or the file itself, ending in .h5.")
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
def replay(
    log: Path,
    overrides: tuple[str, ...],
    config_file: Path | None,
    align: Literal["frame", "time"],
    output: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run again with the configuration and the commands of a journal, at the same frames or times."""
    journal = journal_file.read(log)
    if config_file is not None:
        settings = _settings(config_file, overrides, {"--output": output})
    else:
        # Beside the recording that is replayed, under a name of its own.
        stem = log.name.removesuffix(JOURNAL_SUFFIX)
        target = output or str(log.with_name(f"{stem}_replay_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.h5"))
        settings = journal.settings
        for text in overrides:
            settings = config.override(settings, text)
        settings = config.override(settings, "recording.output", target)

    async def play(dispatch: Dispatcher) -> None:
        await replay_log.play(journal, dispatch, align)

    return _record(settings, play, dry_run, as_json, None, is_headless=True)


@commands.command()
@click.option("--to", "address", default="127.0.0.1:7625", show_default=True, metavar="HOST:PORT")
@click.option(
    "--token", envvar="RECORDER_TOKEN", default="", help="As the recorder printed it [env: RECORDER_TOKEN]."
)
@click.argument("line", nargs=-1, required=True)
def send(address: str, token: str, line: tuple[str, ...]) -> int:
    """Send a command LINE to a running recorder; - takes lines from standard input."""
    if not token:
        raise UsageError("no token: set RECORDER_TOKEN, or write --token, to what the recorder printed")

    async def lines() -> AsyncIterator[str]:
        if line == ("-",):
            while text := await asyncio.to_thread(sys.stdin.readline):
                yield text.strip()
        else:
            yield " ".join(f'"{word}"' if " " in word else word for word in line)

    async def talk() -> int:
        worst = 0
        async for answer in remote.send(address, token, lines()):
            tell(json.dumps(answer))
            worst = max(worst, 0 if answer["status"] == "ok" else 1)
        return worst

    return asyncio.run(talk())


@commands.command("bench")
@CONFIG
@SET
@click.option(
    "--folder", type=click.Path(path_type=Path), help="The disk to measure (default: where CONFIG records)."
)
@click.option(
    "--seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.01, 600),
    help="How long one measurement takes, about.",
)
@click.option(
    "--rounds", default=5, show_default=True, type=click.IntRange(1, 50), help="Interleaved rounds."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def bench_command(
    config_file: Path | None,
    overrides: tuple[str, ...],
    folder: Path | None,
    seconds: float,
    rounds: int,
    as_json: bool,
) -> int:
    """Measure what this machine sustains, against what the camera of CONFIG needs."""
    settings = _settings(config_file, overrides, {})
    console = SafeConsole(stderr=True)
    # Gigabytes of scratch files are removed on SIGTERM too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = folder or bench.default_folder(settings)
    report = bench.measure(settings, folder, seconds, rounds, console)
    if as_json:
        tell(json.dumps(report.for_json()))
    else:
        report.show(SafeConsole(width=max(Console().width, TABLE_WIDTH)))
    return 0


def _settings(
    config_file: Path | None, overrides: tuple[str, ...], options: dict[str, str | None]
) -> config.Settings:
    """Load the configuration; what is wrong with an option is told by the option's own name."""
    typed = {OPTION_KEYS[name]: value for name, value in options.items() if value is not None}
    try:
        return config.load(config_file, overrides, typed)
    except UsageError as error:
        text = str(error)
        for name, key in OPTION_KEYS.items():
            if options.get(name) is not None:
                text = text.replace(f"--set {key} =", f"{name} =")
        raise UsageError(text) from None


for command in (tools.info, tools.recover, tools.cameras):
    commands.add_command(command)


def main() -> NoReturn:
    """Run the command line; every error a user can cause is one line and an exit code."""
    sys.setswitchinterval(SWITCH_S)
    try:
        code = commands.main(standalone_mode=False, prog_name="recorder") or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        complain(error.format_message())
        code = 2
    except UsageError as error:
        complain(str(error))
        code = 2
    except RecorderError as error:
        complain(str(error))
        code = 1
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        code = 130
    except BaseException:
        # An error of our own: told in full, and the process ends all the same.
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError, AttributeError, ValueError):
        sys.stdout.flush()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(EXIT_GRACE_S)
            if thread.is_alive():
                # A camera library or a disk that never returns must not keep the process alive.
                os._exit(code)
    sys.exit(code)
