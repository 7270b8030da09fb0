"""Run a rig without a prompt: the figures of all cameras, scripts, signals."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from recorder.control.command_types import Conversation
from recorder.errors import UsageError
from recorder.frontends.headless import LINE_S, SCRIPT_S
from recorder.frontends.live_status import LiveStatus
from recorder.frontends.rig.camera_process import CameraAnswer
from recorder.frontends.rig.rig import Rig
from recorder.frontends.signals import handled

log = logging.getLogger(__name__)


@contextlib.contextmanager
def handle_signals(rig: Rig) -> Iterator[None]:
    """Handle Ctrl-C, SIGTERM and a closed terminal during `with`: stop all, abort, end everything."""

    def on_signal() -> None:
        times = rig.interrupt()
        if times == 1:
            log.warning("stopping all cameras: what was exposed is being written; Ctrl-C again to abort")
        elif times == 2:
            log.warning("aborting: what is in memory is being written; Ctrl-C again to leave at once")
        else:
            os._exit(130)

    with handled(on_signal):
        yield


async def run(rig: Rig, console: Console, script: Callable[[], Awaitable[None]] | None) -> None:
    """Start all cameras and wait until all are over, or the rig is to be left; the script beside it.

    The caller leaves the rig.
    """
    showing = asyncio.ensure_future(_show(rig, console))
    leaving = asyncio.ensure_future(rig.leaving.wait())
    scripting: asyncio.Future[None] | None = None
    try:
        if not await rig.start() or rig.leaving.is_set():
            return
        scripting = asyncio.ensure_future(script()) if script else None
        while not leaving.done():
            await asyncio.wait([leaving], timeout=SCRIPT_S)
            is_done = scripting is None or scripting.done()
            # What the script stopped it may start again.
            if rig.is_over() or (is_done and not rig.running):
                break
        if scripting is not None and not scripting.done():
            await asyncio.wait([scripting], timeout=SCRIPT_S)
            if not scripting.done() and not rig.leaving.is_set():
                log.warning("the cameras are over; the script had more lines to come")
        if scripting is not None and scripting.done():
            scripting.result()
    finally:
        left: list[asyncio.Future[Any]] = [showing, leaving, *([scripting] if scripting else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def run_script(rig: Rig, lines: list[str]) -> None:
    """Carry out lines, one after the other, until the last or until the rig is left; what fails is logged."""
    conversation = Conversation("script")
    for line in lines:

        def note(names: tuple[str, ...], answer: CameraAnswer, line: str = line) -> None:
            if answer.status != "ok":
                log.warning("%s: %s: %s: %s", ", ".join(names), line, answer.status, answer.message)

        try:
            await rig.execute(line, conversation, note)
        except UsageError as error:
            log.warning("%s: refused: %s", line, error)
        if rig.leaving.is_set():
            return


def figures_line(name: str, live: LiveStatus, frames: int) -> str:
    """Return a line of a camera's figures."""
    return (
        f"{name}: {frames} frames  {live.rate:.1f}/s  {live.flow / 1e6:.0f} MB/s  buffer {live.pool:.0%}  "
        f"lost {live.lost}"
    )


async def _show(rig: Rig, console: Console) -> None:
    """Print a line for each camera now and then, on a terminal too: what it tells is worth keeping."""
    while True:
        await asyncio.sleep(LINE_S)
        for name, camera in rig.cameras.items():
            if camera.running and camera.live is not None:
                line = figures_line(name, camera.live, camera.frames)
                console.print(Text(line), style="red" if camera.live.lost else None, soft_wrap=True)
