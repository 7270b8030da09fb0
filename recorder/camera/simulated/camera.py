"""A simulated camera that behaves like a pco.edge: its FIFO, counter, timestamps, timing and failures."""

import bisect
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.camera.base import CameraDescription, FrameInfo
from recorder.camera.simulated.fifo import Exposed, Fifo
from recorder.camera.simulated.scene import CONVERSION_FACTOR, DARK, READ_NOISE, Scene
from recorder.camera.simulated.triggered import TriggeredFifo
from recorder.camera.timestamp import TimestampWriter
from recorder.errors import CameraDisconnectedError, CameraError, CameraTimeoutError
from recorder.frames.pool import FrameFormat
from recorder.settings.cameras import Disconnect, Drop, SdkError, Silence, SimulatedCameraSettings, Stall
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# The camera's clock at arming, always the same so that a repeated run gives the same stamps: 2026-01-01, UTC.
CLOCK_START_NS = 1_767_225_600 * 1_000_000_000

# A pco.edge keeps its sensor near this temperature and reports it in steps of 0.1 degrees.
SENSOR_C = 7.0
SWING_C = 0.5
SWING_FRAMES = 10_000


class SimulatedCamera:
    """The simulated camera of `settings`, as `Camera` describes it; uses no hardware.

    `clock` gives host monotonic ns, `wait` sleeps for so many s; a test passes its own.
    """

    def __init__(
        self,
        settings: SimulatedCameraSettings,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._wait = wait
        self._exposure_s = settings.exposure
        self._scene: Scene | None = None
        self._fifo: Fifo | TriggeredFifo | None = None
        self._number = self._last_read = 0
        self._armed_ns = 0
        self._stamp = TimestampWriter()
        self._faults = sorted(settings.faults, key=lambda fault: fault.at)
        self._silent = False
        self._gone = False
        self._halted = False
        self._stalled_until_ns = 0
        # When the oldest frame in the FIFO is delivered: its counter, and the moment.
        self._delays = random.Random(settings.seed)
        self._delivery = (0, 0)
        # Exposures set while free running, each with the counter it begins at.
        self._coming: deque[tuple[int, float]] = deque()

    def open(self) -> CameraDescription:
        """Compute the pictures of the scene, which takes up to seconds, and describe the camera."""
        s = self._settings
        self._scene = Scene(s.height, s.width, s.seed, s.electrons)
        form = FrameFormat(s.height, s.width, np.dtype(np.uint16))
        details: dict[str, str | int | float] = {
            "sensor_width": s.width,
            "sensor_height": s.height,
            "roi": f"1,1,{s.width},{s.height}",
            "binning": "1x1",
            "trigger_mode": s.trigger,
            "timestamp_mode": "binary",
            "bit_resolution": 16,
            "conversion_factor": CONVERSION_FACTOR,
            "read_noise": READ_NOISE,
            "dark_offset": DARK,
            # As those of a pco.edge 5.5.
            "x_pixel_size": 6.5e-6,
            "y_pixel_size": 6.5e-6,
        }
        # Readout overlaps the next exposure, but two exposures do not overlap.
        rate = s.rate if math.isinf(s.rate) else min(s.rate, 1 / s.exposure)
        if rate < s.rate < math.inf:
            log.warning(
                "camera.exposure = %s leaves %.6g frames/s of the %g asked for",
                format_seconds(s.exposure),
                rate,
                s.rate,
            )
        return CameraDescription("simulated pco.edge", f"simulated-{s.seed}", form, rate, details)

    def interrupt(self) -> None:
        """Do nothing: opening waits for nothing."""

    def arm(self) -> None:
        """Start exposing, with a new counter and an empty FIFO; does not block."""
        self._number = self._last_read = 0
        self._delivery = (0, 0)
        self._halted = False
        self._armed_ns = self._clock()
        s = self._settings
        if s.trigger == "software trigger":
            self._fifo = TriggeredFifo(self._exposure_s, s.fifo)
            return
        free_running = math.isinf(s.rate)
        self._fifo = None if free_running else Fifo(s.rate, self._exposure_s, s.fifo, self._armed_ns)

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame, timestamp included, into `slot` (H, W); wait up to `timeout_s` for one.

        Raises CameraTimeoutError where none came; CameraError and CameraDisconnectedError for the faults of
        the settings.
        """
        if self._scene is None:
            raise CameraError("the simulated camera is not open")
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        exposed, backlog = self._next(deadline_ns)
        while (
            self._faults and exposed.number >= self._faults[0].at and not self._is_delivered(exposed.number)
        ):
            if self._clock() > deadline_ns:
                raise CameraTimeoutError("the frames of this time were lost on the way")
            exposed, backlog = self._next(deadline_ns)
        np.copyto(slot, self._scene.frame(exposed.number, exposed.exposure_s))
        for flash in self._settings.events:
            if flash.includes(exposed.number):
                self._scene.brighten(slot, flash.brighter)
        self._last_read = exposed.number
        since_ns = exposed.start_ns - self._armed_ns
        time_ns = CLOCK_START_NS + since_ns + round(since_ns * self._settings.clock_drift * 1e-6)
        self._stamp.write(slot, exposed.number, time_ns)
        swing = SWING_C * math.sin(2 * math.pi * exposed.number / SWING_FRAMES)
        return FrameInfo(
            exposed.number,
            time_ns,
            exposed.exposure_s,
            round(SENSOR_C + swing, 1),
            backlog,
            exposed.overflowed,
        )

    def _next(self, deadline: int) -> tuple[Exposed, int]:
        """Wait until `deadline` for a frame and take it out of the FIFO; return it and how many are left."""
        now = self._clock()
        while True:
            if self._gone:
                raise CameraDisconnectedError(
                    "the camera is gone: check its cable and power, then start again"
                )
            ready_ns = max(self._ready_ns(now), self._stalled_until_ns)
            if ready_ns <= now:
                break
            if now >= deadline:
                raise CameraTimeoutError("no frame in time")
            self._wait((min(ready_ns, deadline) - now) * 1e-9)
            now = self._clock()
        if self._fifo is not None:
            return self._fifo.pop(), self._fifo.advance(now)
        self._number += 1
        while self._coming and self._coming[0][0] <= self._number:
            self._exposure_s = self._coming.popleft()[1]
        return Exposed(self._number, now, self._exposure_s, overflowed=False), 0

    def _ready_ns(self, now_ns: int) -> int:
        """Return when a frame can be read, in host monotonic ns: `now_ns` where one waits already."""
        never = now_ns + 10**12
        if self._silent:
            return never
        if self._fifo is None:
            return never if self._halted else now_ns
        if self._fifo.advance(now_ns):
            return max(now_ns, self._delivered_ns(self._fifo)) if self._settings.jitter else now_ns
        return never if self._halted else self._fifo.next_complete_ns()

    def _delivered_ns(self, fifo: Fifo | TriggeredFifo) -> int:
        """Return when the oldest frame in the FIFO can be read: some time after its exposure, as on a bus."""
        number, complete_ns = fifo.oldest_complete_ns()
        if self._delivery[0] != number:
            late_ns = round(self._delays.uniform(0, self._settings.jitter) * 1e9)
            self._delivery = number, complete_ns + late_ns
        return self._delivery[1]

    def _is_delivered(self, number: int) -> bool:
        """Apply the next fault of the settings to frame `number`; return False where the frame is lost."""
        fault = self._faults[0]
        match fault:
            case Drop():
                if number < fault.at + fault.count:
                    return False
            case Stall():
                self._stalled_until_ns = self._clock() + round(fault.duration * 1e9)
            case Silence():
                self._silent = True
                del self._faults[0]
                return False
            case SdkError():
                del self._faults[0]
                raise CameraError(
                    f"camera error 0x{fault.code:08x} at frame {number}: switch the camera off and on again"
                )
            case Disconnect():
                self._gone = True
                raise CameraDisconnectedError(
                    f"the camera vanished at frame {number}: check its cable and power, then start again"
                )
        del self._faults[0]
        return True

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Expose frames that begin from now on, or from counter `first` on, for `seconds`; return these."""
        if self._fifo is not None:
            self._fifo.set_exposure(seconds, self._clock(), first)
            self._exposure_s = seconds
        else:
            bisect.insort(self._coming, (first or 0, seconds), key=lambda coming: coming[0])
        return seconds

    def trigger(self) -> None:
        """Expose a frame, with the setting trigger = "software trigger"; else raise CameraError."""
        if not isinstance(self._fifo, TriggeredFifo):
            raise CameraError(f"no software trigger in trigger mode {self._settings.trigger}")
        self._fifo.trigger(self._clock())

    def input_is_high(self) -> bool:
        """Return whether a planned event with an input includes the last frame read, or the first."""
        return any(event.input and event.includes(self._last_read or 1) for event in self._settings.events)

    def halt(self) -> int | None:
        """Stop exposing; return the counter of the last frame exposed, None after the fault `disconnect`."""
        self._halted = True
        if self._gone:
            return None
        return self._number if self._fifo is None else self._fifo.halt(self._clock())

    def disarm(self) -> None:
        """Stop exposing; does nothing else."""
        self._halted = True

    def close(self) -> None:
        """Free the memory of the scene."""
        self._scene = None
