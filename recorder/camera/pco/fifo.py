"""Frames as they come, through the FIFO of the SDK's recorder."""

import ctypes
import logging
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import FrameInfo
from recorder.camera.pco.errors import LOST_IN_TRANSFER, bare, from_code, is_error, translated
from recorder.camera.pco.frame import FrameCopier
from recorder.errors import CameraError, CameraTimeoutError

log = logging.getLogger(__name__)

# The recorder has no event to wait for. While the FIFO is empty its state is asked for four times a frame,
# but not so often that it costs a core, and once a millisecond at least: a trigger may come.
SHORTEST_NAP_S = 0.0001
LONGEST_NAP_S = 0.001

# The state of the FIFO is asked for at least so often while frames wait in it.
LOOK_NS = 20_000_000

# A first counter beyond what can have been exposed since arming, and this, did not begin at 1.
SLACK = 1000


class FifoReader:
    """Read the oldest frame of `camera`, a pco.Camera that records into a FIFO of `depth` frames.

    `period_s` is the time from frame to frame, 0 where a trigger decides; `tell` hears what is odd.
    """

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        copier: FrameCopier,
        depth: int,
        period_s: float,
        tell: Callable[[str], None] = log.warning,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._camera, self._copier, self._depth, self._tell = camera, copier, depth, tell
        self._clock, self._wait = clock, wait
        self._period_s = period_s
        self._nap_s = min(max(period_s / 4, SHORTEST_NAP_S), LONGEST_NAP_S)
        self._get_status = camera.rec.PCO_Recorder.PCO_RecorderGetStatus
        self._handles = (camera.rec.recorder_handle, camera.rec.camera_handle)
        self._running, self._auto, self._full, self._overflow = (ctypes.c_bool() for _ in range(4))
        self._error, self._count, self._asked, self._began, self._ended = (
            ctypes.c_uint32() for _ in range(5)
        )
        self._armed_ns = clock()
        self._waiting = 0
        self._looked_ns = 0
        self._read = 0
        self._last_number = 0
        # What the camera's counter is ahead of one that begins at 1.
        self._ahead = 0
        # When the FIFO was last empty, and the counter of the frame read last then.
        self._empty = (self._armed_ns, 0)
        self._was_overflow = False
        # Up to this many frames read, a gap in the counter is the FIFO's.
        self._explained = -1
        self._failure: CameraError | None = None
        self._halted = False
        self._known = 0

    def _is_full(self) -> bool:
        return bool(self._full.value) or self._waiting >= self._depth

    def _look(self) -> int:
        """Ask for the state of the FIFO and return how many frames wait in it.

        An error is kept until these are read: they are in the computer's memory already.
        """
        code = self._get_status(
            *self._handles,
            self._running, self._auto, self._error, self._count, self._asked,
            self._full, self._overflow, self._began, self._ended,
        )  # fmt: skip
        self._looked_ns = self._clock()
        failure = code if is_error(code) else self._error.value
        if is_error(failure) and bare(failure) != LOST_IN_TRANSFER and self._failure is None:
            text = self._camera.sdk.get_error_text(failure)
            self._failure = from_code(failure, text, f"after frame {self._last_number}")
        if not is_error(code):
            self._waiting = self._count.value
        if self._is_full() or (self._overflow.value and not self._was_overflow):
            # What was exposed meanwhile is missing behind the frames that wait, and before the next one.
            self._explained = self._read + self._waiting + 1
        elif self._waiting == 0:
            self._empty = (self._looked_ns, self._last_number)
        self._was_overflow = self._overflow.value
        return self._waiting

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot` (H, W); raises CameraTimeoutError where none comes in time."""
        if self._waiting == 0 or self._clock() - self._looked_ns > LOOK_NS:
            self._await_frame(timeout_s)
        facts = self._copier.copy(0, slot)
        self._waiting -= 1
        self._read += 1
        if self._read == 1:
            self._check_first(facts.number)
        number = facts.number - self._ahead
        gap = number != self._last_number + 1
        self._last_number = number
        return FrameInfo(
            number, *facts[1:], backlog=self._waiting, overflowed=gap and self._read <= self._explained
        )

    def _check_first(self, number: int) -> None:
        """See whether the counter can have begun at 1; if not, count from here."""
        passed_s = (self._clock() - self._armed_ns) * 1e-9
        exposed = passed_s / self._period_s if self._period_s else 0
        if number > 2 * exposed + self._depth + SLACK:
            self._ahead = number - 1
            self._tell(
                f"the camera's counter stands at {number} with the first frame: frames are counted "
                "from there, and what is missing before it cannot be told"
            )

    def _await_frame(self, timeout_s: float) -> None:
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        while not self._look():
            if self._failure is not None:
                raise self._failure
            if not self._running.value:
                if self._halted:
                    raise CameraTimeoutError("the camera is stopped, and its FIFO empty")
                raise CameraError(
                    f"the camera stopped recording by itself after frame {self._last_number}: "
                    "check its power and temperature, then start again"
                )
            if self._looked_ns >= deadline_ns:
                raise CameraTimeoutError("no frame in time")
            self._wait(self._nap_s)

    def halt(self) -> int:
        """Stop exposing, once; return the counter of the last frame known to be exposed.

        The SDK cannot be asked for it. What waits in the FIFO was exposed; where that is full, what came
        after is reckoned from the time since it was empty.
        """
        if not self._halted:
            self._halted = True
            self._look()
            try:
                with translated("stopping the camera"):
                    self._camera.stop()
            except CameraError:
                # Who reads on hears of the first failure.
                if self._failure is None:
                    raise
            stopped_ns = self._clock()
            self._look()
            known = self._last_number + self._waiting
            if self._is_full() and self._period_s:
                since_s = (stopped_ns - self._empty[0]) * 1e-9
                known = max(known, self._empty[1] + int(since_s / self._period_s))
            self._known = known
        return self._known
