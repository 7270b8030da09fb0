"""`recorder run`: record until a limit, the operator or a failure ends it."""

from pathlib import Path

import click

from recorder.cli.options import (
    CONFIG,
    DURATION,
    FRAMES,
    HEADLESS,
    OUTPUT,
    SET,
    has_terminal,
    load_settings,
)
from recorder.cli.processors import use_only
from recorder.cli.record import record
from recorder.control.dispatcher import Dispatcher
from recorder.control.script import read_script, run_script
from recorder.frontends.printing import print_error
from recorder.settings.cameras import PlaybackCameraSettings
from recorder.settings.model import Settings, override

# How long is recorded where nobody asked for anything, and nobody can type.
TRIAL = "60s"


@click.command()
@CONFIG
@SET
@HEADLESS
@FRAMES
@DURATION
@OUTPUT
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE", help="Carry out its lines; - is stdin."
)
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
@click.option("--piped", hidden=True, metavar="NAME", help="Be this camera of a rig: frontends.piped.")
@click.option("--attended", is_flag=True, hidden=True, help="Of a rig at whose console somebody sits.")
@click.option("--page-of-rig", is_flag=True, hidden=True, help="Of a rig that shows its page within its own.")
@click.option("--cpus", hidden=True, metavar="0,1", help="Use these processors alone.")
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
    piped: str | None,
    attended: bool,
    page_of_rig: bool,
    cpus: str | None,
    profile: Path | None,
) -> int:
    """Record the camera of CONFIG (default: a simulated one of modest size) into a file.

    Exit code: 0 complete, 1 failed, 2 wrong arguments, 3 frames were lost, 130 interrupted.
    """
    if cpus:
        use_only([int(cpu) for cpu in cpus.split(",")])
    if piped:
        # Imported only for a rig's cameras.
        from recorder.cli.piped import load_led, record_piped  # noqa: PLC0415

        settings = load_led(config_file, overrides)
        return record_piped(settings, piped, attended=attended, page_of_rig=page_of_rig)
    if not is_headless and not has_terminal():
        is_headless = True
        # The simulated camera as it is, which nobody can stop by typing: somebody tries this program.
        is_trial = not (config_file or overrides or frames or duration or output or script)
        duration = TRIAL if is_trial else duration
        for_how_long = f", for {TRIAL}" if is_trial else ""
        print_error(f"no terminal to type at: running as with --headless{for_how_long}")
    options = {"--frames": frames, "--duration": duration, "--output": output}
    settings = load_settings(config_file, overrides, options)
    if not is_headless:
        settings = repeated(settings)
    lines = read_script(script) if script else []

    async def script_lines(dispatch: Dispatcher) -> None:
        await run_script(lines, dispatch)

    return record(settings, script_lines if lines else None, dry_run, as_json, profile, is_headless)


def repeated(settings: Settings) -> Settings:
    """Return settings for the console, where a recording that is played back begins again at its end.

    Unless a limit, or `camera.loop`, says something else.
    """
    limited = settings.recording.frames is not None or settings.recording.duration is not None
    if isinstance(settings.camera, PlaybackCameraSettings) and settings.camera.loop == "auto" and not limited:
        return override(settings, "camera.loop=true")
    return settings
