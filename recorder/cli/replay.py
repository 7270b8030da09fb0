"""`recorder replay`: run again with the configuration and the commands of a session's journal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from recorder.cli.options import (
    DURATION,
    FRAMES,
    HEADLESS,
    OUTPUT,
    SET,
    has_terminal,
    load_settings,
    override_by_options,
)
from recorder.cli.record import record
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import read_journal
from recorder.control.journal_replay import LEFT_OUT, replay_journal, settings_for_replay
from recorder.errors import UsageError, did_you_mean
from recorder.files.journals import journal_of
from recorder.files.opening import is_recording
from recorder.frontends.printing import print_error
from recorder.settings.model import override
from recorder.storage.layout import JOURNAL_SUFFIX


@click.command()
@click.argument("journal_file", metavar="JOURNAL", type=click.Path(path_type=Path))
@SET
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Another configuration than the journal's.",
)
@click.option("--align", type=click.Choice(["frame", "time"]), default="frame", show_default=True)
@HEADLESS
@FRAMES
@DURATION
@OUTPUT
@click.option(
    "--with",
    "parts",
    metavar=",".join(LEFT_OUT),
    default="",
    help="Also what the journal opens and runs on this computer: any of these, left out otherwise.",
)
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
def replay(
    journal_file: Path,
    overrides: tuple[str, ...],
    config_file: Path | None,
    align: Literal["frame", "time"],
    is_headless: bool,
    frames: str | None,
    duration: str | None,
    output: str | None,
    parts: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run again with the configuration and the commands of JOURNAL, at the same frames or times.

    JOURNAL may be a recording: its journal stands beside it. What the journal opens and runs on this computer
    beside the recording is left out, but for --with.
    """
    wanted = [part.strip() for part in parts.split(",") if part.strip()]
    for part in wanted:
        if part not in LEFT_OUT:
            near = did_you_mean(part, LEFT_OUT)
            raise UsageError(
                f"--with {part}: must be {' or '.join(LEFT_OUT)}, with commas between them{near}"
            )
    if is_recording(journal_file):
        journal_file = journal_of(journal_file)
    journal = read_journal(journal_file)
    limits = {"--frames": frames, "--duration": duration}
    if config_file is not None:
        settings = load_settings(config_file, overrides, {**limits, "--output": output})
    else:
        # Beside the recording that is replayed, in a folder of their own, where all names are free.
        stem = journal_file.name.removesuffix(JOURNAL_SUFFIX)
        folder = journal_file.with_name(f"{stem}_replay_{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        beside = folder / f"{stem}.h5"
        target = output or str(beside)
        settings, left_out = settings_for_replay(journal.settings, wanted)
        if left_out:
            of = ",".join(part for part, keys in LEFT_OUT.items() if set(keys) & set(left_out))
            print_error(f"left out of the journal: {', '.join(left_out)}; --with {of} takes it all the same")
        for text in overrides:
            settings = override(settings, text)
        settings = override_by_options(settings, limits)
        settings = override(settings, "recording.output", target)

    async def journal_lines(dispatch: Dispatcher) -> None:
        await replay_journal(journal, dispatch, align)

    return record(settings, journal_lines, dry_run, as_json, None, is_headless or not has_terminal())
