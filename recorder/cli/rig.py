"""`recorder rig`: several cameras, each in a process of its own, and one console over all."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from recorder.cli import processors
from recorder.cli.options import DURATION, FRAMES, HEADLESS, has_terminal, with_options

# Registers the commands, which are read before they are sent.
from recorder.control import commands as _commands  # noqa: F401
from recorder.control import view_commands as _view_commands  # noqa: F401
from recorder.control.script import read_script
from recorder.errors import UsageError
from recorder.frontends.printing import print_error, print_json, print_wrapped
from recorder.frontends.remote_server import serve_remote
from recorder.frontends.rig import headless
from recorder.frontends.rig.camera_process import CameraProcess
from recorder.frontends.rig.files import RigFileKeeper, RigPaths, new_paths
from recorder.frontends.rig.lines import command_of
from recorder.frontends.rig.rig import Rig
from recorder.frontends.rig.summary import exit_code, for_json, summary_lines
from recorder.frontends.terminal import SafeConsole, log_to
from recorder.settings import rig as settings
from recorder.settings.address import is_password


@click.command()
@click.argument("rig_file", metavar="RIG", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="[CAMERA.]KEY=VALUE",
    help="Override a key of all cameras, or of one, for example left.camera.exposure=5ms.",
)
@HEADLESS
@FRAMES
@DURATION
@click.option("--output", metavar="PATH", help="A folder for all files, or their name, ending in .rig.h5.")
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE", help="Carry out its lines; - is stdin."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
def rig(
    rig_file: Path,
    overrides: tuple[str, ...],
    is_headless: bool,
    frames: str | None,
    duration: str | None,
    output: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Record the cameras that RIG names, each into its own file, all by one console.

    Exit code: as of `run`, for the camera that fared worst.
    """
    if not is_headless and not has_terminal():
        is_headless = True
        print_error("no terminal to type at: running as with --headless")
    options = {"--frames": frames, "--duration": duration}
    asked = _load(rig_file, overrides, options)
    lines = read_script(script, partial(command_of, names=asked.names)) if script else []
    paths = new_paths(asked, output)
    console = SafeConsole(stderr=True)
    log_to(console)

    async def whole_rig() -> tuple[Rig, Path | None]:
        def hear(camera: CameraProcess, told: dict[str, object]) -> None:
            recording.hear(camera, told)

        cameras = {
            camera.name: CameraProcess(
                camera.name,
                _command(asked, camera, paths, attended=not is_headless),
                hear,
                [text for text in camera.overrides if _sets_password(text)],
            )
            for camera in asked.cameras
        }
        recording = Rig(cameras, asked.master, asked.common.on_failure)
        keeper = RigFileKeeper(paths.rig, asked.text, recording)
        recording.on_change = keeper.note_change
        give_lines = partial(headless.run_script, recording, lines) if lines else None
        with headless.handle_signals(recording):
            try:
                await recording.begin()
                async with serve_remote(asked.remote, recording), _page(asked, recording):
                    if is_headless:
                        await headless.run(recording, console, give_lines)
                    else:
                        # Imported only for those at a prompt.
                        from recorder.frontends.rig import console as prompt  # noqa: PLC0415

                        await prompt.run(recording, give_lines, on_stderr=as_json)
                        log_to(console)
                    await recording.leave()
            finally:
                await asyncio.gather(*(camera.close() for camera in cameras.values()))
                await keeper.close()
        return recording, paths.rig if keeper.is_there else None

    recorded, path = asyncio.run(whole_rig())
    if as_json:
        print_json(for_json(recorded, path))
    else:
        for text, colour in summary_lines(recorded, path):
            print_wrapped(text, colour)
    return exit_code(recorded)


def _load(path: Path, overrides: Sequence[str], options: Mapping[str, str | None]) -> settings.Rig:
    """Load the rig's settings; raises UsageError for what is wrong, a wrong option by its own name."""
    asked = with_options(lambda typed: settings.load_rig(path, overrides, typed), options)
    for camera in asked.cameras:
        if camera.section.cpus is not None:
            try:
                processors.check(camera.section.cpus)
            except UsageError as error:
                raise UsageError(f"{path}: camera.{camera.name}.{error}") from None
    return asked


def _page(asked: settings.Rig, recording: Rig) -> contextlib.AbstractAsyncContextManager[None]:
    """Return what serves the page over all cameras, where one is asked for."""
    if asked.common.web is None:
        return contextlib.nullcontext()
    # Imported only for those who ask for it.
    from recorder.frontends.rig.page_server import serve_rig_page  # noqa: PLC0415

    return serve_rig_page(asked.common, recording)


def _command(rig: settings.Rig, camera: settings.RigCamera, paths: RigPaths, *, attended: bool) -> list[str]:
    """Return how a camera's process is started."""
    command = [sys.executable, "-m", "recorder", "run", "--piped", camera.name]
    command += [str(camera.config)] if camera.config is not None else []
    for text in (*camera.overrides, f"recording.output={paths.cameras[camera.name]}"):
        if not _sets_password(text):
            command += ["--set", text]
    if rig.common.web is not None:
        command.append("--page-of-rig")
    if attended:
        command.append("--attended")
    if camera.section.cpus is not None:
        command += ["--cpus", ",".join(map(str, camera.section.cpus))]
    return command


def _sets_password(text: str) -> bool:
    """Return whether KEY=VALUE sets one."""
    return is_password(text.partition("=")[0])
