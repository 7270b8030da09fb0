"""Frames as they come, through the FIFO of the SDK's recorder."""

import ctypes
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import FrameInfo
from recorder.camera.pco.errors import LOST_IN_TRANSFER, bare, from_code, is_error
from recorder.camera.pco.frame import FrameCopier
from recorder.errors import CameraError, CameraTimeoutError

# The recorder has no event to wait for. While the FIFO is empty its state is asked for four times a frame,
# but not so often that it costs a core, and once a millisecond at least: a trigger may come.
SHORTEST_NAP_S = 0.0001
LONGEST_NAP_S = 0.001

# The state of the FIFO is asked for at least so often while frames wait in it.
LOOK_NS = 20_000_000


class FifoReader:
    """Read the oldest frame of `camera`, a pco.Camera that records into a FIFO of `depth` frames."""

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        copier: FrameCopier,
        depth: int,
        period_s: float,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._copier, self._depth = copier, depth
        self._clock, self._wait = clock, wait
        self._sdk = camera.sdk
        self._nap_s = min(max(period_s / 4, SHORTEST_NAP_S), LONGEST_NAP_S)
        self._get_status = camera.rec.PCO_Recorder.PCO_RecorderGetStatus
        self._handles = (camera.rec.recorder_handle, camera.rec.camera_handle)
        self._running, self._auto, self._full, self._overflow = (ctypes.c_bool() for _ in range(4))
        self._error, self._count, self._asked, self._began, self._ended = (
            ctypes.c_uint32() for _ in range(5)
        )
        self._waiting = 0
        self._looked_ns = 0
        self._read = 0
        self._last_number = 0
        self._was_overflow = False
        # Up to this many frames read, a gap in the counter is the FIFO's.
        self._explained = -1
        self.halted = False

    @property
    def is_full(self) -> bool:
        """Whether the FIFO was full when its state was last asked for."""
        return bool(self._full.value) or self._waiting >= self._depth

    def look(self) -> int:
        """Ask for the state of the FIFO and return how many frames wait in it; raises CameraError."""
        code = self._get_status(
            *self._handles,
            self._running, self._auto, self._error, self._count, self._asked,
            self._full, self._overflow, self._began, self._ended,
        )  # fmt: skip
        self._looked_ns = self._clock()
        failure = code if is_error(code) else self._error.value
        if is_error(failure) and bare(failure) != LOST_IN_TRANSFER:
            text = self._sdk.get_error_text(failure)
            raise from_code(failure, text, f"after frame {self._last_number}")
        self._waiting = self._count.value
        if self.is_full or (self._overflow.value and not self._was_overflow):
            # What was exposed meanwhile is missing behind the frames that wait, and before the next one.
            self._explained = self._read + self._waiting + 1
        self._was_overflow = self._overflow.value
        return self._waiting

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot` (H, W); raises CameraTimeoutError where none comes in time."""
        if self._waiting == 0 or self._clock() - self._looked_ns > LOOK_NS:
            self._await_frame(timeout_s)
        facts = self._copier.copy(0, slot)
        self._waiting -= 1
        self._read += 1
        gap = facts.number != self._last_number + 1
        self._last_number = facts.number
        return FrameInfo(*facts, backlog=self._waiting, overflowed=gap and self._read <= self._explained)

    def _await_frame(self, timeout_s: float) -> None:
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        while not self.look():
            if not self._running.value:
                if self.halted:
                    raise CameraTimeoutError("the camera is stopped, and its FIFO empty")
                raise CameraError(
                    f"the camera stopped recording by itself after frame {self._last_number}: "
                    "check its power and temperature, then start again"
                )
            if self._looked_ns >= deadline_ns:
                raise CameraTimeoutError("no frame in time")
            self._wait(self._nap_s)
