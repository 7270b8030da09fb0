"""Look after a run while it goes on: losses, room on the disk, a disk or camera that does not answer."""

import asyncio
import contextlib
import logging
import time
from typing import Protocol

from recorder.camera.acquisition import AcquisitionThread
from recorder.frames.ledger import Cause
from recorder.session import run_parts
from recorder.session.disk_space import WATCH_S, is_almost_full
from recorder.session.disk_thread import UNANSWERED_S
from recorder.session.file_sequence import FileSequence
from recorder.session.loss_logger import LossLogger
from recorder.session.status import FinishReason

log = logging.getLogger(__name__)


class WatchedRun(Protocol):
    """What is done to a run that cannot go on."""

    def stop(self, reason: FinishReason) -> None:
        """Stop the camera and write all that was exposed."""

    def abort(self, reason: FinishReason, cause: Cause) -> None:
        """Stop at once."""


def unanswered(files: FileSequence, acquisition: AcquisitionThread) -> str:
    """Return what has not answered for too long, the disk or the camera's library; "" where both do."""
    silent_s = acquisition.silent_ns * 1e-9
    camera = f"the camera's library has not returned for {silent_s:.0f} s" if silent_s > UNANSWERED_S else ""
    return "; ".join(text for text in (camera, files.unanswered) if text)


class RunWatch:
    """Looks ten times a second; on the event loop's thread."""

    def __init__(self, run: WatchedRun, parts: run_parts.RunParts, losses: LossLogger, reserve: int) -> None:
        self._run, self._parts, self._losses, self._reserve = run, parts, losses, reserve
        self._began_s = time.perf_counter()
        self._unanswered = ""

    async def watch(self, drained: asyncio.Event) -> None:
        """Return once all frames are written."""
        while not drained.is_set():
            self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await drained.wait()

    def _look(self) -> None:
        acquisition, files = self._parts.acquisition, self._parts.writer.files
        self._losses.log_if_due()
        before, self._unanswered = self._unanswered, unanswered(files, acquisition)
        if self._unanswered and not before:
            log.warning("%s", self._unanswered)
        elif before and not self._unanswered:
            log.warning("disk and camera answer again")
        if acquisition.silent_ns > (acquisition.timeout_s + run_parts.ABORT_GRACE_S) * 1e9:
            # The camera thread itself looks for silence, unless the library does not return to it.
            self._run.abort(FinishReason.CAMERA, Cause.COUNTER_GAP)
        if is_almost_full(files.current.file, self._parts.pool, acquisition, self._reserve, self._began_s):
            self._run.stop(FinishReason.DISK_FULL)
