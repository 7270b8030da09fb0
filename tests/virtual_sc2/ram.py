"""The virtual camera's memory: its segments, its record stop event, and frames that pulses start."""

import ctypes
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recorder.camera.simulated.fifo import Exposed, Fifo
from tests.virtual_sc2.sensor import Sensor

if TYPE_CHECKING:
    from tests.virtual_sc2.camera import Settings, VirtualCamera

RING = 1
SEQUENCE_TRIGGER = 4
PAGES = 1003  # of the whole memory: a number that no share in percent divides
NOT_POSSIBLE = 0x80161017
OUT_OF_RANGE = 0x80161016
SEGMENT_TOO_SMALL = 0x80161025


@dataclass
class Segment:
    """A part of the memory, with its images and how they were recorded."""

    pages: int
    images: list[Exposed] = field(default_factory=list)
    settings: "Settings | None" = None
    sensor: Sensor | None = None
    # When the camera's clock was set before, and to what: that of these images.
    clock_set: tuple[int, int] = (0, 0)


class Ram:
    """The memory of `camera`."""

    def __init__(self, camera: "VirtualCamera") -> None:
        self.camera = camera
        self.segments = [Segment(PAGES), Segment(0), Segment(0), Segment(0)]
        self.active = 1
        self.stop_mode, self.stop_delay = 0, 0
        self.stop_at: int | None = None  # the last frame that is recorded
        self.event_number: int | None = None  # the first one after the event
        self.is_recording = False
        self.acquire_control = 1  # the input decides

    @property
    def segment(self) -> Segment:
        """The active one."""
        return self.segments[self.active - 1]

    def room(self, number: int) -> int:
        return self.camera.model.memory_frames * self.segments[number - 1].pages // PAGES

    def begin(self, *, into_memory: bool) -> None:
        """Recording begins: it erases the active segment, and no other."""
        c, segment = self.camera, self.segment
        self.is_recording, self.stop_at, self.event_number = into_memory, None, None
        segment.images = []
        segment.settings, segment.sensor, segment.clock_set = c.settings.copy(), c.sensor, c.clock_now

    def event(self, *, by_software: bool) -> None:
        """A record stop event, as a pulse at the acquire input or by software; ignored where it is off."""
        c = self.camera
        heeded = self.stop_mode == 2 or (self.stop_mode == 1 and by_software)
        if heeded and self.is_recording and c.settings.submode == RING and self.stop_at is None and c.fifo:
            c.fifo.advance(c.clock())
            self.event_number = c.fifo._exposed + 1
            self.stop_at = c.fifo._exposed + self.stop_delay

    def settle(self) -> bool:
        """Stop, where the frames after an event have been recorded; return whether the camera records."""
        c = self.camera
        if self.is_recording and self.stop_at is not None and c.fifo is not None:
            c.fifo.advance(c.clock())
            if c.fifo._exposed >= self.stop_at:
                c.stop()
        return c.recording

    def images(self, number: int) -> int:
        c = self.camera
        self.settle()
        if self.is_recording and number == self.active and c.fifo is not None:
            return min(0 if c.stuck else c.fifo.advance(c.clock()), self.room(number))
        return len(self.segments[number - 1].images)

    def end(self) -> None:
        """Recording ends: the segment keeps what it has room for."""
        c, room = self.camera, self.room(self.active)
        if not self.is_recording or c.fifo is None:
            return
        self.is_recording = False
        frames = [c.fifo.pop() for _ in range(c.fifo.advance(c.clock()))]
        if self.stop_at is not None:
            frames = [frame for frame in frames if frame.number <= self.stop_at]
        kept = frames[-room:] if c.settings.submode == RING else frames[:room]
        self.segment.images = [frame for frame in kept if frame.number not in c.dropped]


class PulseFifo(Fifo):
    """A FIFO of frames that begin with pulses, `length` frames each; pulses meanwhile are ignored."""

    def __init__(self, length: int, period_ns: int, exposure_s: float, depth: int) -> None:
        self.length, self.period_ns, self.exposure_s, self.depth = length, period_ns, exposure_s, depth
        self.coming: deque[Exposed] = deque()
        self.waiting: deque[Exposed] = deque()
        self.begun = self._exposed = 0
        self._runs = deque()
        self.is_full = False

    def pulse(self, now_ns: int) -> bool:
        self.advance(now_ns)
        if self.coming:
            return False
        for i in range(self.length):
            self.begun += 1
            self.coming.append(Exposed(self.begun, now_ns + i * self.period_ns, self.exposure_s, False))
        return True

    def advance(self, now_ns: int) -> int:
        while self.coming and self.coming[0].start_ns + self.coming[0].exposure_s * 1e9 <= now_ns:
            exposed = self.coming.popleft()
            self._exposed = exposed.number
            if len(self.waiting) < self.depth:
                self.waiting.append(exposed._replace(overflowed=self.is_full))
            self.is_full = len(self.waiting) >= self.depth
        self._runs = deque([exposed.number, exposed.number, False] for exposed in self.waiting)
        return len(self.waiting)

    def pop(self) -> Exposed:
        return self.waiting.popleft()

    def halt(self, now_ns: int) -> int:
        self.advance(now_ns)
        self.coming.clear()
        return self._exposed


class RamFunctions:
    """The C functions of memory, record stop event and acquire mode; a part of `libraries.Sc2`."""

    camera: "VirtualCamera"

    @property
    def ram(self) -> Ram:
        return self.camera.ram

    def getactiveramsegment(self, handle: Any, segment: Any) -> int:
        del handle
        segment.value = self.ram.active
        return 0

    def setactiveramsegment(self, handle: Any, segment: Any) -> int:
        del handle
        if self.camera.recording:
            return NOT_POSSIBLE
        self.ram.active = segment.value
        self.camera.armed = False
        return 0

    def getnumberofimagesinsegment(self, handle: Any, segment: Any, images: Any, most: Any) -> int:
        del handle
        images.value, most.value = self.ram.images(segment.value), self.ram.room(segment.value)
        return 0

    def getsegmentimagesettings(self, handle: Any, number: Any, *told: Any) -> int:
        del handle
        of = self.ram.segments[number.value - 1].settings or self.camera.settings
        x0, y0, x1, y1 = of.roi
        values = (x1 - x0 + 1, y1 - y0 + 1, *of.binning, *of.roi)
        for pointer, value in zip(told, values, strict=True):
            pointer.value = value
        return 0

    def getstoragestruct(self, handle: Any, storage: Any) -> int:
        del handle
        storage.dwRamSize, storage.wPageSize, storage.wActSeg = PAGES, 1280, self.ram.active
        for i, segment in enumerate(self.ram.segments):
            storage.dwRamSegSize[i] = segment.pages
        return 0

    def setcameraramsegmentsize(self, handle: Any, sizes: Any) -> int:
        """All segments are erased, also those whose size stays."""
        del handle
        if self.camera.recording:
            return NOT_POSSIBLE
        wanted = list(ctypes.cast(sizes, ctypes.POINTER(ctypes.c_uint32))[:4])
        if not 0 < sum(wanted) <= PAGES:
            return OUT_OF_RANGE
        self.ram.segments = [Segment(pages) for pages in wanted]
        self.camera.armed = False
        return 0

    def clearramsegment(self, handle: Any) -> int:
        del handle
        self.ram.segment.images = []
        return 0

    def getrecordstopevent(self, handle: Any, mode: Any, delay: Any) -> int:
        del handle
        mode.value, delay.value = self.ram.stop_mode, self.ram.stop_delay
        return 0

    def setrecordstopevent(self, handle: Any, mode: Any, delay: Any) -> int:
        del handle
        self.ram.stop_mode, self.ram.stop_delay = mode.value, delay.value
        return self.camera.change()

    def stoprecord(self, handle: Any, *reserved: Any) -> int:
        del handle, reserved
        self.ram.event(by_software=True)
        return 0

    def getacquiremodeex(self, handle: Any, mode: Any, images: Any, *reserved: Any) -> int:
        del handle, reserved
        mode.value, images.value = self.camera.settings.acquire, self.camera.settings.per_trigger
        return 0

    def setacquiremodeex(self, handle: Any, mode: Any, images: Any, *reserved: Any) -> int:
        del handle, reserved
        return self.camera.change(acquire=mode.value, per_trigger=images.value)

    def getacquirecontrol(self, handle: Any, flags: Any, *reserved: Any) -> int:
        del handle, reserved
        flags.value = self.ram.acquire_control
        return 0

    def getacqenblsignalstatus(self, handle: Any, level: Any) -> int:
        del handle
        level.value = int(self.camera.acquire_input())
        return 0

    def setacquirecontrol(self, handle: Any, flags: Any, *reserved: Any) -> int:
        """A software pulse (8) takes the acquire signal from the input until that is set again (1)."""
        del handle, reserved
        self.ram.acquire_control = 1 if flags.value == 1 else 4
        if flags.value == 8:
            self.camera.pulse(by_software=True)
        return 0
