"""The virtual camera: its settings, states and their order, exposures, memory and faults."""

import calendar
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from recorder.camera.simulated.fifo import Exposed, Fifo
from tests.virtual_sc2.models import EDGE_FAMILY, ROI_SYMMETRIC_ROWS, SET_FRAME_RATE, Model
from tests.virtual_sc2.options import Options
from tests.virtual_sc2.ram import SEGMENT_TOO_SMALL, SEQUENCE_TRIGGER, PulseFifo, Ram
from tests.virtual_sc2.sensor import Sensor

# As the camera's firmware answers, with the number of its main board.
NOT_POSSIBLE = 0x80161017
NOT_ARMED = 0x80161021
ARM_WHILE_RECORDING = 0x80161022
OUT_OF_RANGE = 0x80161016
ROI_WRONG = 0x8016103C
ROI_STEPS = 0x8016103D
EXPOSURE_WRONG = 0x80161038
NOT_SUPPORTED = 0x80161020
DISCONNECTED = 0x80162015
NOT_AVAILABLE = 0xA0163013

# After power-up the clock is zero.
POWER_UP_S = calendar.timegm((2000, 1, 1, 0, 0, 0))

TIME_BASES = (1, 1_000, 1_000_000)


@dataclass
class Settings:
    """What a reset brings back."""

    roi: tuple[int, int, int, int] = (1, 1, 1, 1)
    binning: tuple[int, int] = (1, 1)
    pixel_rate: int = 0
    conversion: int = 0
    trigger: int = 0
    acquire: int = 0
    timestamp: int = 0
    metadata: int = 0
    format: int = 1
    delay: tuple[int, int] = (0, 2)
    exposure: tuple[int, int] = (10, 2)
    frame_rate_mhz: int = 0
    storage_mode: int = 0
    submode: int = 0
    per_trigger: int = 0

    def copy(self) -> "Settings":
        return replace(self)


@dataclass
class VirtualCamera:
    """One camera of `model`; `clock` gives host ns, and a test brings its own."""

    model: Model
    clock: Callable[[], int] = time.perf_counter_ns
    faults: dict[str, int] = field(default_factory=dict)  # function: what it answers from now on
    after: dict[str, int] = field(default_factory=dict)  # function: calls that still succeed
    dropped: set[int] = field(default_factory=set)  # counters that never arrive
    # Counters of frames that arrive empty, and the error that the SDK's recorder keeps of it.
    spoiled: dict[int, int] = field(default_factory=dict)
    first_number: int = 1
    health: tuple[int, int] = (0, 0)
    in_use: bool = False
    used_by: int = os.getpid()  # the process that has it, where it is in use
    stuck: bool = False  # its memory never fills
    acquire_input: Callable[[], bool] = bool  # whether its acquire input is high
    falls_silent: bool = False  # once its FIFO has overflowed, until it is started again
    # A pixel rate, and the limits of exposure that its description has once it was armed with that.
    other_exposure: tuple[int, tuple[int, int, int]] | None = None
    delivered_shape: tuple[int, int] | None = None  # where its frames are of another than its region
    sensor: Sensor | None = None

    def __post_init__(self) -> None:
        self.is_open = self.armed = self.recording = self.gone = False
        self.shutter = self.wanted_shutter = self.model.shutter
        self.cooling = self.model.cooling[2]
        self.lines: dict[int, list[Any]] = {
            i: [1, 1, 4 if i == 0 else 1, 1, 0, [0, 0, 0, 0]] for i in range(4)
        }
        self.settings = Settings()
        self.options = Options()
        self.binning_mode = 0
        self.fifo: Fifo | None = None
        self.triggered: deque[Exposed] = deque()
        self.coming: deque[Exposed] = deque()
        self.triggers = 0
        self.armed_ns = 0
        self.ram = Ram(self)
        self.into_memory = False
        self.depth = 0
        self.overflowed = self.fell_silent = False
        # Host time at which the camera's clock was set, and to what, in s since 1970; None: since power-up.
        self.clock_set: tuple[int, int] | None = None
        self.exposure_limits = self.model.exposure_ns
        self.description_changed = False
        self.reset()

    def reset(self) -> None:
        m = self.model
        self.options.reset()
        self.binning_mode = 0
        self.settings = Settings(
            roi=(1, 1, m.width, m.height), pixel_rate=m.pixel_rates[0], conversion=m.conversion_factors[0]
        )

    # Settings.

    def change(self, **values: object) -> int:
        """Take settings, which have to be armed afterwards; refused while recording."""
        if self.recording:
            return NOT_POSSIBLE
        for name, value in values.items():
            setattr(self.settings, name, value)
        self.armed = False
        return 0

    @property
    def exposure_ns(self) -> int:
        if self.options.line_timing:
            return self.options.lines[0] * self.options.line_time_ns
        number, base = self.settings.exposure
        step = self.exposure_limits[2]
        return max(1, round(number * TIME_BASES[base] / step)) * step

    @property
    def delay_ns(self) -> int:
        return self.settings.delay[0] * TIME_BASES[self.settings.delay[1]]

    @property
    def shape(self) -> tuple[int, int]:
        x0, y0, x1, y1 = self.settings.roi
        return (y1 - y0 + 1) * (1 + self.options.double_image), x1 - x0 + 1

    @property
    def readout_ns(self) -> int:
        """A rolling shutter reads row by row, from the middle outwards where two halves are read at once."""
        _, y0, _, y1 = self.settings.roi
        rows = y1 - y0 + 1
        if self.model.simultaneous_rows == 2:
            middle = self.model.height // 2
            rows = max(middle - y0 + 1, y1 - middle, 1)
        slowness = max(self.model.pixel_rates) / self.settings.pixel_rate
        return round(rows * self.settings.binning[1] * self.model.row_ns * slowness)

    @property
    def shortest_ns(self) -> int:
        shortest = self.readout_ns + self.delay_ns
        if self.settings.frame_rate_mhz:
            shortest = max(shortest, 10**12 // self.settings.frame_rate_mhz)
        return shortest

    @property
    def period_ns(self) -> int:
        if self.options.line_timing:
            _, y0, _, y1 = self.settings.roi
            return self.options.line_period_ns((y1 - y0 + 1) * self.settings.binning[1])
        if self.options.double_image:
            # The second image is exposed while the first is read out.
            return self.exposure_ns + self.delay_ns + 2 * self.readout_ns
        return max(self.shortest_ns, self.exposure_ns + self.delay_ns)

    @property
    def bits(self) -> int:
        return {1: self.model.bits, 16: 8}.get(self.settings.format, self.model.bits)

    def expose(self, delay: tuple[int, int], exposure: tuple[int, int]) -> int:
        """Set delay and exposure, also while recording."""
        if self.options.line_timing:
            return NOT_POSSIBLE
        least, most, step = self.options.exposures(self.model, self.exposure_limits)
        if not least - step <= exposure[0] * TIME_BASES[exposure[1]] <= most:
            return OUT_OF_RANGE
        if delay[0] * TIME_BASES[delay[1]] > self.model.delay_ms * 10**6:
            return OUT_OF_RANGE
        self.settings.delay, self.settings.exposure = delay, exposure
        if self.recording and self.fifo is not None:
            self.fifo._shortest_ns = self.period_ns
            self.fifo.set_exposure(self.exposure_ns / 10**9, self.clock())
        elif not self.recording:
            self.armed = False
        return 0

    def set_rate(self, mhz: int, exposure_ns: int) -> int:
        if not self.model.caps & SET_FRAME_RATE:
            return NOT_SUPPORTED
        before, self.settings.frame_rate_mhz = self.settings.frame_rate_mhz, mhz
        error = self.expose((0, 0), (exposure_ns, 0))
        if error:
            self.settings.frame_rate_mhz = before
        return error

    def arm(self) -> int:
        if self.recording:
            return ARM_WHILE_RECORDING
        m, (x0, y0, x1, y1) = self.model, self.settings.roi
        sizes = self.options.size(m)
        width, height = (n // factor for n, factor in zip(sizes, self.settings.binning, strict=True))
        if not (1 <= x0 <= x1 <= width and 1 <= y0 <= y1 <= height):
            return ROI_WRONG
        least = [size // factor for size, factor in zip(m.least, self.settings.binning, strict=True)]
        if x1 - x0 + 1 < least[0] or y1 - y0 + 1 < least[1]:
            return ROI_WRONG
        across, down = m.roi_steps
        for first, last, whole, step in ((x0, x1, width, across), (y0, y1, height, down)):
            if (
                last - first + 1 < whole
                if step == 0
                else (first - 1) % step or (last % step and (whole - last) % step)
            ):
                return ROI_STEPS
        is_symmetric = m.camera_type & 0xFF00 == EDGE_FAMILY or m.caps & ROI_SYMMETRIC_ROWS
        if is_symmetric and y0 - 1 != height - y1:
            return ROI_WRONG
        if self.options.adcs == 2 and x0 - 1 != width - x1:
            return ROI_WRONG
        if m.real_roi_steps is not None:
            # Without a word it reads out what its sensor can.
            across, down = m.real_roi_steps
            x1, y1 = x1 - x1 % across, y1 - y1 % down
            self.settings.roi = (x0 - (x0 - 1) % across, y0 - (y0 - 1) % down, x1, y1)
        if self.model.memory_frames and not self.ram.room(self.ram.active):
            return SEGMENT_TOO_SMALL
        if self.other_exposure is not None:
            is_other = self.settings.pixel_rate == self.other_exposure[0]
            limits = self.other_exposure[1] if is_other else m.exposure_ns
            self.description_changed |= self.exposure_limits != limits
            self.exposure_limits = limits
        self.armed = True
        return 0

    # Recording.

    def start(self, depth: int, *, into_memory: bool) -> int:
        if not self.armed:
            return NOT_ARMED
        height, width = self.shape
        if self.sensor is None or self.sensor.pictures[0].shape != (height, width):
            self.sensor = Sensor(width, height, self.bits)
        self.recording, self.overflowed = True, False
        # The first overflow only.
        self.falls_silent &= not self.fell_silent
        self.armed_ns, self.depth = self.clock(), depth
        self.triggered.clear()
        self.triggers = 0
        self.into_memory = into_memory
        self.ram.begin(into_memory=into_memory)
        rate, exposure_s = 1e9 / self.period_ns, self.exposure_ns / 10**9
        self.fifo = None
        room = 10**9 if into_memory else depth
        if self.settings.acquire == SEQUENCE_TRIGGER:
            self.fifo = PulseFifo(self.settings.per_trigger, self.period_ns, exposure_s, room)
        elif self.settings.trigger == 0 or into_memory:
            self.fifo = Fifo(rate, exposure_s, room, self.armed_ns)
        return 0

    def pulse(self, *, by_software: bool = False) -> bool:
        """A pulse at the acquire input: a record stop event, or the start of a sequence (else False)."""
        if not by_software and self.ram.acquire_control != 1:
            return False
        self.ram.event(by_software=by_software)
        return self.recording and isinstance(self.fifo, PulseFifo) and self.fifo.pulse(self.clock())

    def trigger(self) -> bool:
        """Expose one frame, by software or from outside; False while the one before is not through."""
        now = self.clock()
        if not self.recording or self.settings.trigger == 0:
            return False
        if self.triggered and now < self.triggered[-1].start_ns + self.period_ns:
            return False
        self.triggers += 1
        if len(self.triggered) < self.depth:
            self.triggered.append(Exposed(self.triggers, now, self.exposure_ns / 10**9, self.overflowed))
        else:
            self.overflowed = True
        return True

    def waiting(self) -> int:
        """How many frames are complete and wait to be read."""
        now = self.clock()
        if self.into_memory:
            return len(self.ram.segment.images)
        if self.fifo is None:
            return sum(now >= e.start_ns + e.exposure_s * 1e9 for e in self.triggered)
        waiting = self.fifo.advance(now)
        self.overflowed |= waiting >= self.depth
        if self.overflowed and self.falls_silent and not self.fell_silent:
            self.fell_silent = True
            self.fifo.halt(now)
        runs = self.fifo._runs
        return waiting - sum(first <= n <= last for n in self.dropped for first, last, _ in runs)

    def pop(self) -> Exposed | None:
        """The oldest frame; those that never arrive are passed over."""
        if not self.waiting():
            return None
        while True:
            exposed = self.fifo.pop() if self.fifo is not None else self.triggered.popleft()
            if exposed.number not in self.dropped:
                return exposed

    def stop(self) -> None:
        if not self.recording:
            return
        self.recording = False
        if self.fifo is not None:
            self.fifo.halt(self.clock())
        self.ram.end()

    @property
    def clock_now(self) -> tuple[int, int]:
        """Host time in ns at which the clock was set last, and to what, in s since 1970."""
        return self.clock_set or (self.armed_ns, POWER_UP_S)

    @staticmethod
    def us(exposed: Exposed, clock_set: tuple[int, int]) -> int:
        """The camera's clock at the start of an exposure, in us since 1970."""
        began_ns, date_s = clock_set
        return date_s * 1_000_000 + (exposed.start_ns - began_ns) // 1000

    def finished(self) -> int:
        """How many images the sensor has finished since it was started."""
        return self.fifo._exposed if self.fifo is not None else self.triggers

    def number(self, exposed: Exposed) -> int:
        return exposed.number + self.first_number - 1
