"""The camera's input that calls for captures, looked at all the time."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from recorder.camera.base import Camera
from recorder.errors import CameraError, CameraNotRunningError
from recorder.session.run import Run

log = logging.getLogger(__name__)

# How often the camera is asked, where it answers at once, and which part of its thread's time that may take.
INTERVAL_S = 0.01
MAX_SHARE = 0.05

# After an error it is asked again so much later.
AGAIN_S = 1.0


async def watch_input(run: Run, capture: Callable[[int], Awaitable[None]]) -> None:
    """Call `capture` with the counter of the last frame whenever the input goes high, until the run is over.

    On the event loop's thread; the camera is asked on its own, between two frames. An input that is high at
    first has to go low before. What the camera says against it is logged once, and it is asked again.
    """
    was_high, has_failed = True, False
    capturing: set[asyncio.Future[None]] = set()
    while True:
        try:
            is_high, took_s = await run.ask_camera(_look)
        except CameraNotRunningError:
            break
        except CameraError as error:
            if not has_failed:
                log.warning("recording.capture_input: %s; captures come by other ways alone", error)
            has_failed, is_high, took_s = True, was_high, AGAIN_S * MAX_SHARE
        camera = run.statistics().acquisition
        if is_high and not was_high and camera is not None:
            task = asyncio.ensure_future(capture(camera.last_number))
            capturing.add(task)
            task.add_done_callback(capturing.discard)
        was_high = is_high
        await asyncio.sleep(max(INTERVAL_S, took_s / MAX_SHARE))
    if capturing:
        await asyncio.wait(capturing)


def _look(camera: Camera) -> tuple[bool, float]:
    """Return whether the input is high, and how long asking took in s; on the camera thread."""
    began_s = time.perf_counter()
    return camera.input_is_high(), time.perf_counter() - began_s
