"""Run a session without a console: signals stop it, a progress bar or plain lines show how it goes."""

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Awaitable, Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn

from recorder.camera.acquisition_result import StopCondition
from recorder.frontends.rate_meter import RateMeter
from recorder.frontends.signals import handled
from recorder.session.session import Session
from recorder.session.status import FinishReason, State, Statistics, Summary
from recorder.units import format_duration

log = logging.getLogger(__name__)

# The bar moves often enough to look smooth; plain lines go to log files, where fewer are better.
BAR_S = 0.25
LINE_S = 5.0

# How long the end of a run waits for the line of the script that is being carried out.
SCRIPT_S = 0.2


async def run(session: Session, console: Console, script: Callable[[], Awaitable[None]] | None) -> Summary:
    """Run the session to its end, with progress on `console`; return the summary of all its runs.

    With a `script`, runs that it stops do not end the session before the script has ended. Raises
    RecorderError where nothing was recorded, and what the script raises.
    """
    with handle_signals(session):
        show = _bar if console.is_terminal else _lines
        showing = asyncio.ensure_future(show(session, console))
        scripting: asyncio.Future[None] | None = None
        try:
            await session.start()
            scripting = asyncio.ensure_future(script()) if script else None
            summary = await session.stopped()
            while scripting and not scripting.done() and summary and summary.reason is FinishReason.STOPPED:
                leaving = asyncio.ensure_future(session.leaving.wait())
                await asyncio.wait(
                    [scripting, leaving], timeout=SCRIPT_S, return_when=asyncio.FIRST_COMPLETED
                )
                leaving.cancel()
                if session.leaving.is_set():
                    break
                summary = await session.stopped()
            if scripting is not None:
                await _end_script(scripting)
            return await session.close()
        finally:
            left = [showing, *([scripting] if scripting else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


async def _end_script(scripting: "asyncio.Future[None]") -> None:
    """Wait a moment for the script's last line, then cancel what is left of it."""
    await asyncio.wait([scripting], timeout=SCRIPT_S)
    if not scripting.done():
        log.warning("the run is over; the script had more lines to come")
        scripting.cancel()
        await asyncio.wait([scripting])
    elif not scripting.cancelled() and (error := scripting.exception()) is not None:
        raise error


@contextlib.contextmanager
def handle_signals(session: Session) -> Iterator[None]:
    """Handle Ctrl-C, SIGTERM and a closed terminal during `with`: stop, then abort, then end the process.

    On the main thread, with its event loop running.
    """
    received = 0

    def on_signal() -> None:
        nonlocal received
        received += 1
        # First stop, then log: writing the message may fail.
        if received == 1:
            session.leaving.set()
            session.stop(FinishReason.INTERRUPTED)
            log.warning("stopping: what was exposed is being written; Ctrl-C again to abort")
        elif received == 2:
            session.abort()
            log.warning("aborting: what is in memory is being written; Ctrl-C again to leave at once")
        else:
            os._exit(130)

    with handled(on_signal):
        yield


def progress_line(figures: Statistics, rate: float) -> str:
    """Return a line of the run's figures; `rate` is the frames/s to show."""
    pool = f"buffer {figures.pool.fill:4.0%}" if figures.pool else ""
    frames = figures.acquisition.frames if figures.acquisition else 0
    flow = rate * figures.frame_bytes
    left_s = figures.disk_time_left_s(rate)
    left = "" if math.isinf(left_s) else f"  disk full in {format_duration(left_s)}"
    inside = figures.acquisition.in_camera if figures.acquisition else None
    waits_for = figures.acquisition.waits_for if figures.acquisition else ""
    memory = f"  {inside} in the camera" if inside is not None else ""
    memory += f", waits for {waits_for}" if waits_for else ""
    captures = f"  {figures.captures}" if figures.captures else ""
    more = f"{left}{captures}"
    return f"{frames} frames{memory}  {rate:.1f}/s  {flow / 1e6:.0f} MB/s  {pool}  lost {figures.lost}{more}"


class _StatusColumn(ProgressColumn):
    """The line of figures, red once frames are lost."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._recent = session, RateMeter()

    def render(self, task: Task) -> str:
        figures = self._session.statistics()
        if figures is None:
            return ""
        text = progress_line(figures, self._recent.update(figures))
        return f"[red]{text}[/red]" if figures.lost else text


async def _bar(session: Session, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(20), _StatusColumn(session), TimeRemainingColumn())
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("opening", total=None)
        while True:
            if session.run is not None:
                figures, limits = session.run.statistics(), session.run.until
                rate = session.run.description.rate if session.run.description else None
                total = _expected_frames(limits, rate)
                camera, does = figures.acquisition, figures.state.value
                done = camera.frames if camera else 0
                if camera and camera.in_camera is not None:
                    # First the camera's own memory fills, then it is read out.
                    does = "reading out" if done else "recording in the camera"
                    total = done + camera.in_camera if done else camera.wanted_in_camera or None
                    done = done or camera.in_camera
                elif limits.frames is None and limits.duration_s is not None:
                    total, done = limits.duration_s * 1000, int(figures.elapsed_s * 1000)
                progress.update(task, description=does, completed=done, total=total)
                progress.refresh()
            await asyncio.sleep(BAR_S)


def _expected_frames(limits: StopCondition, rate: float | None) -> float | None:
    if limits.frames is not None:
        return limits.frames
    if limits.duration_s is None or rate is None or rate == float("inf"):
        return None
    return limits.duration_s * rate


async def _lines(session: Session, console: Console) -> None:
    recent = RateMeter()
    while True:
        await asyncio.sleep(LINE_S)
        figures = session.statistics()
        if figures is not None and figures.state in {State.RUNNING, State.DRAINING}:
            console.print(progress_line(figures, recent.update(figures)), highlight=False, soft_wrap=True)
