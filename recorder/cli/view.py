"""`recorder view`: recordings on the page of the preview, also while they grow."""

import asyncio
from pathlib import Path

import click

from recorder.errors import UsageError
from recorder.frontends.printing import print_line
from recorder.frontends.priority import step_back
from recorder.settings.address import split

# A process that takes only what others leave over may wait for long.
PATIENCE = 10.0


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--address",
    default="127.0.0.1:0",
    metavar="HOST:PORT",
    help="Where the page is served; by default for this computer alone, at a free port.",
)
@click.option("--token", default="", help="Password of the page; by default a new one, in its address.")
@click.option("--no-window", is_flag=True, help="Print the page's address, and open no window with it.")
def view(files: tuple[Path, ...], address: str, token: str, no_window: bool) -> int:
    """Show a recording, frame by frame or played, with its marks, losses and traces; also while it grows.

    FILE is what recorder.open takes: a file, several of one session, a journal or a folder. Nothing is
    changed, and a recorder at work goes first. Ends with Ctrl-C, or when its window is closed.
    """
    try:
        split(address)
    except UsageError as error:
        raise UsageError(f"--address {address}: {error}") from None
    if not all(letter.isalnum() or letter in "_.-" for letter in token):
        raise UsageError("--token: must be made of letters, digits, dots, dashes and underscores")
    # Before a second of work: a recorder that writes the file now must not notice.
    step_back()
    from recorder.files.opened.following import any_growing  # noqa: PLC0415

    grows = any_growing(files)
    if grows:
        step_back(behind_all=True)
    from recorder.files.probe import probing  # noqa: PLC0415
    from recorder.frontends.terminal import SafeConsole, log_to  # noqa: PLC0415
    from recorder.frontends.view import displays  # noqa: PLC0415

    log_to(SafeConsole(stderr=True))
    with probing(PATIENCE if grows else 1.0) as probe, displays.opened(files, probe) as recording:
        try:
            asyncio.run(
                displays.view(recording, probe, address, token, window=not no_window, tell=print_line)
            )
        except UsageError as error:
            raise UsageError(str(error).replace("preview.web = ", "--address ")) from None
    return 0
