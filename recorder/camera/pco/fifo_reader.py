"""Frames as they come, through the FIFO of the SDK's recorder."""

import ctypes
import logging
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import FrameInfo
from recorder.camera.pco.errors import from_code, is_error, translated
from recorder.camera.pco.frame_copier import FrameCopier
from recorder.errors import CameraError, CameraTimeoutError

log = logging.getLogger(__name__)

# The recorder has no event to wait for. While the FIFO is empty its state is asked for four times a frame,
# but not so often that it costs a core, and once a millisecond at least: a trigger may come.
SHORTEST_NAP_S = 0.0001
LONGEST_NAP_S = 0.001

# The state of the FIFO is asked for at least so often while frames wait in it.
LOOK_NS = 20_000_000

# The last places of the FIFO are buffers under way from the driver: frames in them are not counted as
# waiting until one before them has been read, so that a full FIFO tells of so many less.
UNDER_WAY = 3

# A first counter beyond what can have been exposed since arming, and this, did not begin at 1.
SLACK = 1000


class FifoReader:
    """Read the oldest frame of `camera`, a pco.Camera that records into a FIFO of `depth` frames.

    `notify` hears what is odd. The flags of the SDK's recorder tell less than their names say (decision 8):
    that of full buffers stays set once the FIFO has gone round, the one of an overflow after the first.
    """

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        copier: FrameCopier,
        depth: int,
        period_s: float,
        notify: Callable[[str], None] = log.warning,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._camera, self._copier, self._notify = camera, copier, notify
        self._full_at = max(1, depth - UNDER_WAY)
        self._most_at_first = depth + SLACK
        self._clock, self._wait = clock, wait
        # From frame to frame, 0 where a trigger decides.
        self.period_s = period_s
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
        # Frames read since then that came empty.
        self._spoiled = 0
        self._all_spoiled = 0
        # What the camera's counter is ahead of one that begins at 1.
        self._ahead = 0
        # When the FIFO last had room, and the counter that had been reached then.
        self._had_room = (self._armed_ns, 0)
        self._was_overflow = False
        # Up to this many frames read, a gap in the counter is the FIFO's.
        self._explained = -1
        self._failure: CameraError | None = None
        self._told_error = 0
        self._halted = False
        self._known = 0

    @property
    def _reached(self) -> int:
        """The counter of the newest frame that waits, where none is missing."""
        return self._last_number + self._spoiled + self._waiting

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
        if is_error(code):
            self._failure = self._failure or self._error_of(code)
            return self._waiting
        self._waiting = self._count.value
        is_full = self._waiting >= self._full_at
        if is_full or (self._overflow.value and not self._was_overflow):
            # What was exposed meanwhile is missing behind the frames that wait, and before the next one.
            self._explained = self._read + self._waiting + UNDER_WAY + 1
        if not is_full and self._read >= self._explained:
            # No gap waits in the FIFO, so that its newest frame's counter is known.
            self._had_room = (self._looked_ns, self._reached)
        self._was_overflow = self._overflow.value
        failed = self._error.value
        if self._running.value and is_error(failed) and failed != self._told_error:
            self._told_error = failed
            self._notify(f"{self._error_of(failed)}; the recording goes on, and what is missing is counted")
        return self._waiting

    def _error_of(self, code: int) -> CameraError:
        return from_code(code, self._camera.sdk.get_error_text(code), f"after frame {self._last_number}")

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot` (H, W); raises CameraTimeoutError where none comes in time.

        Frames that come empty, because their transfer failed, are passed over: the counter tells of them.
        """
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        while True:
            if self._waiting == 0 or self._clock() - self._looked_ns > LOOK_NS:
                self._await_frame(deadline_ns)
            copied = self._copier.copy(0, slot)
            self._waiting -= 1
            self._read += 1
            if copied is not None:
                break
            self._note_spoiled()
        self._spoiled = 0
        if self._last_number == 0:
            self._check_first(copied.number)
        number = copied.number - self._ahead
        gap = number != self._last_number + 1
        self._last_number = number
        return FrameInfo(
            number, *copied[1:], backlog=self._waiting, overflowed=gap and self._read <= self._explained
        )

    def _note_spoiled(self) -> None:
        self._spoiled += 1
        self._all_spoiled += 1
        # Once, and then seldom: there may be thousands.
        if str(self._all_spoiled).rstrip("0") == "1":
            self._notify(
                f"the transfer of {self._all_spoiled} frame{'s' * (self._all_spoiled > 1)} failed, the last "
                f"time after frame {self._last_number}: check the camera's cable and its frame grabber"
            )

    def _check_first(self, number: int) -> None:
        """See whether the counter can have begun at 1; if not, count from here."""
        passed_s = (self._clock() - self._armed_ns) * 1e-9
        exposed = passed_s / self.period_s if self.period_s else 0
        if number > 2 * exposed + self._most_at_first:
            self._ahead = number - 1
            self._notify(
                f"the camera's counter stands at {number} with the first frame: frames are counted "
                "from there, and what is missing before it cannot be told"
            )

    def _await_frame(self, deadline_ns: int) -> None:
        nap_s = min(max(self.period_s / 4, SHORTEST_NAP_S), LONGEST_NAP_S)
        while not self._look():
            if self._failure is not None:
                raise self._failure
            if not self._running.value:
                if self._halted:
                    raise CameraTimeoutError("the camera is stopped, and its FIFO empty")
                raise self._why_stopped()
            if self._looked_ns >= deadline_ns:
                raise CameraTimeoutError("no frame in time")
            self._wait(nap_s)

    def _why_stopped(self) -> CameraError:
        """Find out why the SDK's recorder stopped; it does so without an error when a camera is unplugged."""
        if is_error(self._error.value):
            return self._error_of(self._error.value)
        try:
            with translated(f"after frame {self._last_number}"):
                self._camera.sdk.get_camera_health_status()
        except CameraError as error:
            return error
        return CameraError(
            f"the camera stopped recording by itself after frame {self._last_number}: "
            "check its cable, power and temperature, then start again"
        )

    def halt(self) -> int:
        """Stop exposing, once; return the counter of the last frame known to be exposed.

        The SDK cannot be asked for it. What waits in the FIFO was exposed; where that is full, what came
        after is reckoned from the time since it had room.
        """
        if self._halted:
            return self._known
        self._halted = True
        if not self.period_s:
            log.info("stopping the camera; where no trigger comes this takes some 4 s")
        # Stopping takes its time, in which nothing is exposed any more.
        is_full = self._look() >= self._full_at
        had_room_ns, reached = self._had_room
        full_s = (self._looked_ns - had_room_ns) * 1e-9
        try:
            with translated("stopping the camera"):
                self._camera.stop()
        except CameraError:
            # Who reads on hears of the first failure.
            if self._failure is None:
                raise
        self._look()
        self._known = self._reached
        if is_full and self.period_s:
            self._known = max(self._known, reached + int(full_s / self.period_s))
        elif is_full and self._overflow.value:
            self._known += 1
            self._notify(
                "the camera's FIFO was full at the stop: frames triggered since then are lost; how many, "
                "cannot be told, and one is counted"
            )
        return self._known

    def changed(self, exposure_s: float, period_s: float) -> None:
        """Hear that frames are exposed for so long from now on, one in `period_s`."""
        self._copier.expect(exposure_s)
        if self.period_s:
            self.period_s = period_s
