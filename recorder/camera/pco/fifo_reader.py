"""Read frames while the camera records, through the FIFO of the SDK's recorder."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import EndOfSourceError, FrameInfo
from recorder.camera.pco.decades import is_told
from recorder.camera.pco.errors import from_code, is_error, translated
from recorder.camera.pco.frame_copier import CopiedFrame, FrameCopier
from recorder.camera.pco.recorder_status import RecorderStatus
from recorder.camera.pco.sensor_count import SensorCount
from recorder.camera.pco.triggers import TriggerWatch
from recorder.errors import CameraError, CameraTimeoutError

log = logging.getLogger(__name__)

# The recorder has no event to wait for. While the FIFO is empty its state is polled four times a frame,
# but not so often that it costs a core, and once a millisecond at least: a trigger may come.
MIN_POLL_S = 0.0001
MAX_POLL_S = 0.001

# The last places of the FIFO are buffers in transfer from the driver: frames in them are not counted as
# waiting until one before them has been read, so that a full FIFO reports so many less than its depth.
IN_TRANSFER = 3

# The recorder gives the place of a frame to the driver before it has copied it. With so few places left
# besides those in transfer it can be filled anew meanwhile; frames are then passed over until more are left.
PLACES_LEFT, PLACES_WANTED = 1, 5

# A counter that begins with more than the frames that can have been exposed since arming, and this many, did
# not begin at 1; nor did one that is off by one: some cameras begin at 0 or 2.
FIRST_NUMBER_MARGIN = 1000
FIRST_NUMBER_OFF = 1

# A camera that runs free and has been silent for so long, and for so many frame times, is stuck.
STUCK_S = 1.0
STUCK_FRAMES = 5


class FifoReader:
    """Read the oldest frame of `camera`, a pco.Camera that records into a FIFO of `depth` frames.

    Every method is called on the camera thread and blocks. `period_s` is the time from frame to frame, 0
    where a trigger decides, which starts `sequence` frames (0: one); `shortest_s` is that time at the highest
    rate, 0 where it is not known, and with `watches_triggers` triggers near it are told of. `notify` is
    called with each message for the user; `clock` gives host monotonic ns, `wait` sleeps for so many s. The
    flags of the SDK's recorder mean less than their names (decision 8): that of full buffers stays set once
    the FIFO has wrapped around, that of an overflow after the first.
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
        sequence: int = 0,
        shortest_s: float = 0.0,
        *,
        watches_triggers: bool = False,
    ) -> None:
        self._camera, self._copier, self._notify = camera, copier, notify
        self._full_at = max(1, depth - IN_TRANSFER)
        # With less than these waiting after a copy, nobody wrote to the place that was copied.
        self._sound_below = self._full_at - PLACES_LEFT
        self._max_first_number = depth + FIRST_NUMBER_MARGIN
        self._clock, self._wait, self._sequence = clock, wait, sequence
        self._shortest_s = shortest_s
        self._triggers = TriggerWatch(shortest_s, notify) if watches_triggers and shortest_s else None
        self._sensor = SensorCount(camera.sdk)
        # From frame to frame, 0 where a trigger decides.
        self.period_s = period_s
        self._status = RecorderStatus(camera.rec)
        self._armed_ns = clock()
        self._waiting = 0
        self._polled_ns = 0
        self._read = 0
        self._read_ns = self._armed_ns
        # The counter of the last frame read.
        self.last_number = 0
        self._last_time_ns = 0
        # Whether the camera was armed anew since the last frame.
        self._resumed = False
        # Frames passed over since the last good one, and in all: their transfer failed, so that they came
        # empty, or the FIFO was full, and others may be in their place.
        self._passed_since_last = 0
        self._passed_total = 0
        self._failed_total = 0
        self._was_overwritten = False
        self._makes_room = False
        # The difference between the camera's counter and one that begins at 1.
        self._counter_offset = 0
        # When the FIFO last had room, the counter that had been reached, and whether it had ever overflowed.
        self._had_room = (self._armed_ns, 0, False)
        self._was_overflow = False
        # Up to this many frames read, an overflow of the FIFO is the cause of a gap in the counter.
        self._overflow_until = -1
        self._failure: CameraError | None = None
        self._reported_error = 0
        self._halted = False
        self._last_exposed = 0

    @property
    def _reached(self) -> int:
        """The counter of the newest frame that waits, if none is missing."""
        return self.last_number + self._passed_since_last + self._waiting

    def _poll_status(self) -> int:
        """Ask for the state of the FIFO and return how many frames wait in it.

        An error is raised only after these are read: they are in the computer's memory already.
        """
        code = self._status.ask()
        self._polled_ns = self._clock()
        if is_error(code):
            self._failure = self._failure or self._error_of(code)
            return self._waiting
        self._waiting = self._status.waiting
        is_full = self._waiting >= self._full_at
        if is_full or (self._status.overflowed and not self._was_overflow):
            # Frames exposed meanwhile are missing after those that wait.
            self._overflow_until = self._read + self._waiting + IN_TRANSFER + 1
        if not is_full and self._read >= self._overflow_until:
            # The FIFO contains no gap, so that the counter of its newest frame is known.
            self._had_room = (self._polled_ns, self._reached, self._status.overflowed)
        self._was_overflow = self._status.overflowed
        failed = self._status.error
        if self._status.is_running and is_error(failed) and failed != self._reported_error:
            self._reported_error = failed
            self._notify(f"{self._error_of(failed)}; the recording goes on, and what is missing is counted")
        return self._waiting

    def _error_of(self, code: int) -> CameraError:
        return from_code(code, self._camera.sdk.get_error_text(code), f"after frame {self.last_number}")

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot` (H, W), C-contiguous; wait up to `timeout_s` for one.

        Frames that come empty, because their transfer failed, are passed over, and those whose place a later
        one may have taken while the FIFO was full: they show as a gap in the counter.
        Raises CameraTimeoutError where none came, EndOfSourceError where the camera ended after a sequence,
        CameraDisconnectedError, CameraError.
        """
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        while (copied := self._take_oldest(slot, deadline_ns)) is None:
            if self._polled_ns >= deadline_ns:
                raise CameraTimeoutError("no frame in time that is one to keep")
        if self._triggers is not None:
            self._triggers.note(copied.number, copied.camera_time_ns)
        is_first = self._last_time_ns == 0
        if is_first:
            self._check_first(copied.number)
        elif self._resumed:
            self._count_on(copied)
        number = copied.number - self._counter_offset
        gap = number != self.last_number + 1
        is_overflow = gap and (self._was_overwritten or self._read <= self._overflow_until)
        self._passed_since_last, self._was_overwritten = 0, False
        self.last_number, self._last_time_ns = number, copied.camera_time_ns
        if is_first:
            self._sensor.begin(self._reached, self._shortest_s, runs_free=self.period_s > 0)
        return FrameInfo(number, *copied[1:], backlog=self._waiting, overflowed=is_overflow)

    def _take_oldest(self, slot: NDArray[Any], deadline_ns: int) -> CopiedFrame | None:
        """Wait for a frame, take the oldest out of the FIFO, and return it if it is one to keep."""
        if self._waiting == 0:
            self._await_frame(deadline_ns)
        is_filled = self._status.is_running and not self._halted
        self._makes_room = is_filled and (self._makes_room or self._waiting > self._sound_below)
        copied = self._copier.skip(slot) if self._makes_room else self._copier.copy(0, slot)
        self._read += 1
        self._waiting -= 1
        self._poll_status()
        self._read_ns = self._polled_ns
        is_sound = not is_filled or (not self._makes_room and self._waiting < self._sound_below)
        if copied is not None and is_sound:
            return copied
        self._passed_since_last += 1
        self._passed_total += 1
        if copied is None:
            self._count_failed_transfer()
        else:
            self._was_overwritten = True
            self._makes_room = self._waiting > self._full_at - PLACES_WANTED
        return None

    @property
    def is_stuck(self) -> bool:
        """Whether a camera that runs free is silent since its FIFO overflowed, though the recorder runs."""
        if self._halted or not self._status.is_running:
            return False
        return 0 < self._read < self._overflow_until and self._is_silent

    @property
    def _is_silent(self) -> bool:
        """Whether no frame of a camera that runs free has come for long, and none waits."""
        silent_s = (self._clock() - self._read_ns) * 1e-9
        is_long = silent_s > max(STUCK_S, STUCK_FRAMES * self.period_s)
        return bool(self.period_s and self._read and not self._waiting and is_long)

    def resume(self, before: "FifoReader") -> None:
        """Count on where `before` ended, which read the same camera until it was armed anew."""
        self.last_number, self._last_time_ns = before.last_number, before._last_time_ns
        # As a live exposure may have changed them.
        self.period_s, self._shortest_s = before.period_s, before._shortest_s
        self._had_room = (self._armed_ns, before.last_number, False)
        self._resumed = True

    def _count_on(self, copied: CopiedFrame) -> None:
        """Have the counter, which began anew, go on; how many frames were missed follows from the time."""
        self._resumed = False
        passed_s = (copied.camera_time_ns - self._last_time_ns) * 1e-9
        missed = max(0, round(passed_s / self.period_s) - 1 - self._passed_since_last) if self.period_s else 0
        self._counter_offset = copied.number - (self.last_number + missed + self._passed_since_last + 1)
        # The FIFO was full when the camera fell silent.
        self._overflow_until = self._read

    def _count_failed_transfer(self) -> None:
        self._failed_total += 1
        count = self._failed_total
        if is_told(count):
            self._notify(
                f"the transfer of {count} frame{'s' * (count > 1)} failed, the last "
                f"time after frame {self.last_number}: check the camera's cable and its frame grabber"
            )

    def _check_first(self, number: int) -> None:
        """Check whether the counter can have begun at 1; if not, count from this frame."""
        passed_s = (self._clock() - self._armed_ns) * 1e-9
        exposed = passed_s / self.period_s if self.period_s else 0
        # Those that were passed over came before it.
        expected = 1 + self._passed_total
        is_off = number > 2 * exposed + self._max_first_number or abs(number - expected) <= FIRST_NUMBER_OFF
        if number != expected and is_off:
            self._counter_offset = number - expected
            self._notify(
                f"the camera's counter stands at {number} with the first frame, not at {expected}: frames "
                "are counted from there, and what is missing before it cannot be told"
            )

    def _await_frame(self, deadline_ns: int) -> None:
        interval_s = min(max(self.period_s / 4, MIN_POLL_S), MAX_POLL_S)
        while not self._poll_status():
            if self._failure is not None:
                raise self._failure
            if not self._status.is_running:
                if self._halted:
                    # Who asks again for frames that are missing at the end does not keep a core busy.
                    self._wait(MAX_POLL_S)
                    raise CameraTimeoutError("the camera is stopped, and its FIFO empty")
                raise self._end_of_sequence() or self._why_stopped()
            if self._polled_ns >= deadline_ns:
                raise CameraTimeoutError("no frame in time")
            self._wait(interval_s)

    def _end_of_sequence(self) -> EndOfSourceError | None:
        """Return the orderly end of a camera that stopped after its sequence; None where it failed."""
        if not self._sequence or not self._read or is_error(self._status.error):
            return None
        with contextlib.suppress(ValueError, LookupError):
            self._camera.sdk.get_camera_health_status()
            last = -(-self.last_number // self._sequence) * self._sequence
            log.info("the camera has stopped after a sequence of %d frames", self._sequence)
            return EndOfSourceError(last if last > self.last_number else None)
        return None

    def _why_stopped(self) -> CameraError:
        """Return why the SDK's recorder stopped; it does so without an error when a camera is unplugged."""
        if is_error(self._status.error):
            return self._error_of(self._status.error)
        try:
            with translated(f"after frame {self.last_number}"):
                self._camera.sdk.get_camera_health_status()
        except CameraError as error:
            return error
        return CameraError(
            f"the camera stopped recording by itself after frame {self.last_number}: "
            "check its cable, power and temperature, then start again"
        )

    def halt(self) -> int:
        """Stop exposing; return the counter of the last frame known to be exposed, also in a second call.

        Blocks for up to 4 s, where no trigger comes. Frames that wait in the FIFO were exposed; where that is
        full, there may be later ones, which the sensor counts. Raises CameraError.
        """
        if self._halted:
            return self._last_exposed
        self._halted = True
        if not self.period_s:
            log.info("stopping the camera; where no trigger comes this takes some 4 s")
        # Polled before the stop, which takes some time, in which nothing is exposed any more.
        is_full = self._poll_status() >= self._full_at
        since_ns, reached, _ = self._had_room
        if self._is_silent and self._read >= self._overflow_until:
            since_ns, reached = self._read_ns, self.last_number
        # Frames are missing after those that wait, or the camera is silent: it exposed more than came.
        is_behind = is_full or self._read < self._overflow_until or self._is_silent
        behind_s = (self._polled_ns - since_ns) * 1e-9
        try:
            with translated("stopping the camera"):
                self._camera.stop()
        except CameraError:
            # An earlier failure is raised by `read_into`, once the frames in the FIFO are read.
            if self._failure is None:
                raise
        self._poll_status()
        self._last_exposed = self._reached
        if is_behind:
            self._last_exposed = max(self._last_exposed, self._exposed_since(reached, behind_s))
        return self._last_exposed

    def _exposed_since(self, reached: int, seconds: float) -> int:
        """Return the counter of the last frame exposed, which was `reached` so long before the stop.

        The sensor's own count is taken where the camera has one and it can be that; else it is reckoned from
        the time.
        """
        counted = self._sensor.last()
        most = reached + seconds / self._shortest_s + IN_TRANSFER if self._shortest_s else math.inf
        if counted is not None and self._reached <= counted <= most:
            return counted
        if self.period_s:
            return reached + int(seconds / self.period_s)
        if not self._status.overflowed:
            return self._reached
        # The flag stays set: an overflow before the FIFO last had room says nothing of now.
        is_sure = not self._had_room[2]
        told = "are lost; how many, cannot be told, and one is counted" if is_sure else "may be lost"
        self._notify(f"the camera's FIFO was full at the stop: frames triggered since then {told}")
        return self._reached + is_sure

    def update_timing(self, exposure_s: float, period_s: float) -> None:
        """Use this exposure, and this time from frame to frame, from now on; does not block."""
        self._copier.expect(exposure_s)
        self._shortest_s = period_s
        if self._triggers is not None:
            self._triggers.shortest_s = period_s
        if self.period_s:
            self.period_s = period_s
