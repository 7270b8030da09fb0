"""The page on recordings in files, and a window with it on this computer, until somebody leaves."""

import asyncio
import contextlib
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from recorder.errors import UsageError
from recorder.files.opened.following import any_growing, with_frames
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import OpenedRecording, open_files
from recorder.files.probe import Probe
from recorder.frontends.display_connection import PageAddress
from recorder.frontends.page.server import serve_page
from recorder.frontends.signals import handled
from recorder.frontends.view.viewer import Viewer
from recorder.frontends.window.browsers import find_browser
from recorder.frontends.window.process import has_display, show_page

log = logging.getLogger(__name__)

# A disk that does not answer is waited for no longer.
LEAVE_S = 2.0


@dataclass(frozen=True)
class Opened:
    """A recording that is to be viewed; `growing` is the same once more where it grows."""

    recording: OpenedRecording
    growing: OpenedRecording | None


@contextlib.contextmanager
def opened(files: Sequence[Path], probe: Probe) -> Iterator[Opened]:
    """Open files to be viewed, during `with`; what is wrong with them, and does not matter here, is logged.

    Raises UsageError where there is no frame and none will come, and what `recorder.open` raises. Blocks.
    """
    with warnings.catch_warnings():
        # The recording has the same in words.
        warnings.simplefilter("ignore", RecoverWarning)
        recording = open_files(files, probe)
    with recording:
        grows = any_growing(files)
        if not grows and not len(recording):
            raise UsageError(f"{recording.files[0].path}: holds no frame")
        growing = OpenedRecording(recording.contents, files) if grows else None
        recording.show(with_frames(recording.contents))
        try:
            yield Opened(recording, growing)
        finally:
            if growing is not None:
                growing.close()


class Served(NamedTuple):
    """A page that is served, and the viewer's work, which ends only where something goes wrong."""

    address: PageAddress
    work: "asyncio.Future[None]"


@contextlib.asynccontextmanager
async def serving(opened: Opened, probe: Probe, where: str, token: str) -> AsyncIterator[Served]:
    """Serve the page of a recording at `where` (HOST:PORT) during `with`.

    Raises UsageError where the address cannot be used.
    """
    viewer = Viewer(opened.recording, opened.growing, probe)
    logger = logging.getLogger("recorder")
    logger.addHandler(viewer.events)
    for problem in opened.recording.problems:
        log.warning("%s", problem)
    work = asyncio.ensure_future(viewer.run())
    try:
        async with serve_page(where, token, viewer.access()) as address:
            yield Served(address, work)
    finally:
        work.cancel()
        await asyncio.wait([work], timeout=LEAVE_S)
        viewer.close()
        logger.removeHandler(viewer.events)
        viewer.events.close()
        if work.done() and not work.cancelled():
            work.result()


async def view(
    opened: Opened, probe: Probe, where: str, token: str, *, window: bool, tell: Callable[[str], None]
) -> None:
    """Serve the page, in a window where there is a display, until Ctrl-C, or until the window is closed.

    `tell` prints a line for people. Raises UsageError where the address cannot be used.
    """
    leaving = asyncio.Event()
    async with serving(opened, probe, where, token) as (address, work):
        with handled(leaving.set):
            tell(address.told)
            waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(leaving.wait())]
            if window:
                waits.append(asyncio.ensure_future(_window(address.here, tell)))
            try:
                await asyncio.wait([*waits, work], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
                await asyncio.gather(*waits, return_exceptions=True)


async def _window(page: str, tell: Callable[[str], None]) -> None:
    """Show the page in a window and return once it was closed; where there is none, never."""
    program = find_browser() if has_display() else None
    if program is None:
        missing = "no Chrome, Chromium or Edge" if has_display() else "no display"
        tell(f"there is {missing} here: open that address in any browser; Ctrl-C ends")
    else:
        reason = await show_page(program, page)
        if not reason:
            return
        tell(f"no window: {reason}; open that address in any browser; Ctrl-C ends")
    await asyncio.Event().wait()
