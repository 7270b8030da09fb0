"""Begin the next file of a run once the current one is as long as `recording.split` says."""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable

from recorder.errors import CameraError, RecorderError
from recorder.session.run import Run
from recorder.settings.file_types import split_limit

log = logging.getLogger(__name__)

# How often a file's length is looked at, and how long before its end the next one is made.
LOOK_S = 0.1
AHEAD_S = 1.0

# After a file that could not be made: the recording goes on in the one that there is.
AGAIN_S = 10.0

# Writes frames from a counter on (None: from now on) into a new file; returns once they do.
NextFile = Callable[[int | None], Awaitable[object]]


@contextlib.asynccontextmanager
async def splitting(run: Run, split: int | str | None, next_file: NextFile) -> AsyncIterator[None]:
    """Split the files of `run` during `with`; `split` is `recording.split`, None: never."""
    task = None if split is None else asyncio.create_task(_split(run, split, next_file))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (problem := task.exception()) is not None:
                log.error("files were split no more: %r", problem)


async def _split(run: Run, split: int | str, next_file: NextFile) -> None:
    await run.armed.wait()
    if run.records_inside:
        log.warning("recording.split: the camera records into its own memory, for one file")
        return
    amount, unit = split_limit(split)
    loop = asyncio.get_running_loop()
    # Which file is looked at, and since when; the last counter seen, and when.
    file_index, began_s, seen, seen_s = -1, 0.0, 0, loop.time()
    while True:
        await asyncio.sleep(LOOK_S)
        last, now_s = run.timeline.last, loop.time()
        if last is None or run.parts is None or run.files[last.file_index].file.path is None:
            continue
        rate, seen, seen_s = (last.number - seen) / (now_s - seen_s), last.number, now_s
        if last.file_index != file_index:
            file_index, began_s = last.file_index, now_s
        first: int | None = None
        if unit == "s":
            is_due = now_s - began_s >= amount
        else:
            frames = amount if unit == "frames" else amount / run.parts.description.format.nbytes
            # Those that are missing had their place in it.
            left = max(1, math.floor(frames)) - (last.index + 1) - run.files[file_index].lost
            first, is_due = last.number + 1 + left, left <= rate * AHEAD_S
        if is_due:
            try:
                await next_file(first)
            except CameraError:
                return  # the run is over
            except RecorderError as error:
                log.warning("%s; the recording goes on in the same file", error)
                await asyncio.sleep(AGAIN_S)
