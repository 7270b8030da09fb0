"""Read frames that were recorded into the camera's own memory (CamRAM), once the recording has ended."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import CameraEvent, EndOfSourceError, FrameInfo, StillRecordingError
from recorder.camera.pco.errors import translated
from recorder.camera.pco.frame_copier import CopiedFrame, FrameCopier
from recorder.errors import CameraError, CameraTimeoutError

log = logging.getLogger(__name__)

# Time between two questions to the camera how full its memory is: each is a telegram to it.
POLL_INTERVAL_S = 0.1

# Why the arrival of frames from there tells nothing of the camera's clock.
READ_LATER = "frames were read from the camera's memory later"

# How many times a frame is read whose transfer out of the camera fails.
ATTEMPTS = 3


@dataclass(frozen=True)
class MemoryPlan:
    """How a recording into a segment of the memory goes.

    It ends by itself after `frames`, after `duration_s`, or when the segment is full; in a `ring` the oldest
    frames are overwritten instead, and it ends after `duration_s`, with `MemoryReader.halt`, or once
    `after_event` frames followed a record stop event (0: the camera heeds none). With `triggered`, frames
    begin with a trigger and not when the camera is armed. With `stored` nothing is recorded: what the segment
    holds is read out.
    """

    segment: int
    ring: bool = False
    frames: int | None = None
    duration_s: float | None = None
    after_event: int = 0
    triggered: bool = False
    stored: bool = False


class MemoryReader:
    """Wait while `camera`, a pco.Camera, records into its memory as planned, then read the frames one by one.

    Every method is called on the camera thread and blocks. `on_event` is called with the record stop event
    when the first frame after it is read; `clock` gives host monotonic ns, `wait` sleeps for so many s.
    """

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        copier: FrameCopier,
        plan: MemoryPlan,
        on_event: Callable[[CameraEvent], None] | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._camera, self._copier, self._plan, self._on_event = camera, copier, plan, on_event
        self._duration_s = math.inf if plan.duration_s is None else plan.duration_s
        self._clock, self._wait = clock, wait
        self._armed_ns = self._polled_ns = clock()
        # When the camera was last known to have no frame, and to record; the former is put right by its first
        # frames.
        self._empty_ns = self._recorded_ns = self._armed_ns
        # The image that is read next, as an index into the memory.
        self._next = 0
        # Whether frames in the memory are not asked for.
        self._leaves_some = False
        # How many frames there are to read; None while the camera records.
        self._total: int | None = None
        self._images = self._capacity = 0
        self._fills = True
        # When the record stop event was given by software; where its first frame is in the memory.
        self._event_ns: int | None = None
        self._event_index: int | None = None
        self._stopped_itself = False
        # From the first frame read out: camera time at the start of the run, and the offset of the counter.
        self._began_ns = 0
        self._offset = 0
        # Frames skipped before it.
        self._skipped = 0
        # By the host's clock, when the first frame began; None: long before this run.
        self._first_ns: int | None = None
        if plan.stored:
            images = self._fill()[0]
            self._total = images if plan.frames is None else min(images, plan.frames)
            self._leaves_some = self._total < images

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the next frame of the memory into `slot` (H, W), C-contiguous.

        While the camera records, waits up to `timeout_s`, at most `POLL_INTERVAL_S`, and raises
        StillRecordingError if the memory fills, CameraTimeoutError if it does not. Raises EndOfSourceError
        after the last frame, CameraDisconnectedError, CameraError.
        """
        if self._total is None:
            self._watch(timeout_s)
        copied = self._read_next(slot)
        if self._began_ns == 0:
            # A ring has overwritten the frames before: its first one is the first of the run.
            counts_anew = self._plan.ring or self._plan.stored
            self._offset = copied.number - 1 - self._skipped if counts_anew else 0
            self._began_ns = copied.camera_time_ns
            if self._skipped:
                self._began_ns -= self._skipped * self._period_ns()
        exposed_ns = 0 if math.isnan(copied.exposure_s) else round(copied.exposure_s * 1e9)
        host_ns: int | None = None
        if self._first_ns is not None:
            begin_ns = self._first_ns + copied.camera_time_ns - self._began_ns
            host_ns = begin_ns + exposed_ns
            self._tell_event(copied.number - self._offset, begin_ns)
        return FrameInfo(
            copied.number - self._offset,
            copied.camera_time_ns,
            copied.exposure_s,
            copied.temperature_c,
            backlog=(self._total or 0) - self._next,
            overflowed=False,
            host_time_ns=host_ns,
        )

    def _tell_event(self, number: int, begin_ns: int) -> None:
        """Tell of the record stop event, if the frame just read, counter `number`, is the first after it."""
        if self._event_index is None or self._next <= self._event_index:
            return
        self._event_index = None
        text = f"the camera recorded {self._plan.after_event} frames after it, one more or less"
        log.info("the record stop event came before the frame with counter %d; %s", number, text)
        if self._on_event is not None:
            self._on_event(CameraEvent("record stop", text, number, begin_ns))

    def _read_next(self, slot: NDArray[Any]) -> CopiedFrame:
        """Read the next frame; those whose transfer fails `ATTEMPTS` times are skipped."""
        failed = 0
        while self._next < (self._total or 0):
            for _ in range(ATTEMPTS):
                if (copied := self._copier.copy(self._next, slot)) is not None:
                    self._next += 1
                    return copied
            self._next += 1
            failed += 1
            self._skipped += 1
            log.warning("frame %d of the camera's memory cannot be read out: its transfer fails", self._next)
        if failed:
            raise CameraError(
                f"the last {failed} frames in the camera's memory cannot be read out: check its cable"
            )
        raise EndOfSourceError

    @property
    def is_read_out(self) -> bool:
        """Whether every frame that the memory holds has been read."""
        return self._total is not None and self._next >= self._total and not self._leaves_some

    def _watch(self, timeout_s: float) -> None:
        """Return once the recording has ended, ending it if complete; else raise the error of `_state`."""
        if self._clock() - self._polled_ns < POLL_INTERVAL_S * 1e9:
            self._wait(min(timeout_s, POLL_INTERVAL_S))
            raise self._state()
        self._polled_ns = self._clock()
        before = self._images
        records = self._records()
        self._images, self._capacity = self._fill()
        self._stopped_itself = not records and self._images > 0
        if records:
            self._recorded_ns = self._polled_ns
        if not self._images:
            self._empty_ns = self._polled_ns
        elif not before and self._plan.triggered:
            self._empty_ns = max(self._empty_ns, self._polled_ns - self._images * self._period_ns())
        passed_s = (self._polled_ns - self._armed_ns) * 1e-9
        is_full = self._wanted and self._images >= self._wanted
        if passed_s >= self._duration_s or is_full or self._stopped_itself:
            self.halt()
        elif not records:
            raise CameraError(
                "the camera stopped recording before its first frame: check its power, start again"
            )
        else:
            self._fills = self._images > before or (self._plan.ring and self._images >= self._capacity)
            raise self._state()

    def _state(self) -> CameraTimeoutError:
        """Return the error to raise while the camera records."""
        if self._fills:
            waits_for = ""
            if self._plan.after_event:
                given = self._event_ns is not None
                waits_for = "the frames after the stop event" if given else "the record stop event"
            return StillRecordingError(self._images, self._wanted, waits_for)
        return CameraTimeoutError(f"the camera's memory stays at {self._images} frames")

    @property
    def _wanted(self) -> int:
        """How many frames end the recording, 0 where their number does not."""
        if self._plan.ring:
            return 0
        frames = self._plan.frames
        return self._capacity if frames is None else min(self._capacity, frames)

    def _records(self) -> bool:
        with translated("asking the camera whether it records"):
            return bool(self._camera.sdk.get_recording_state()["recording state"] == "on")

    def _fill(self) -> tuple[int, int]:
        """Return how many frames the memory holds, and how many it can hold."""
        with translated("asking the camera how full its memory is"):
            state = self._camera.sdk.get_number_of_images_in_segment(self._plan.segment)
        return int(state["images in segment"]), int(state["max image count"])

    def stop_by_event(self) -> None:
        """Give the record stop event: the camera records the planned frames after it, and stops.

        Raises CameraError where it heeds no event, was given one, or has stopped.
        """
        if not self._plan.after_event:
            raise CameraError("the camera goes round without a stop event: set camera.record_stop")
        if self._total is not None or self._event_ns is not None:
            raise CameraError(
                "the camera has stopped" if self._total is not None else "the stop event was given already"
            )
        with translated("giving the record stop event"):
            self._camera.sdk.stop_record()
        self._event_ns = self._clock()

    def halt(self) -> int | None:
        """Stop recording, once; from now on frames are read out.

        Blocks while the camera stops. Returns None: the last counter is known only once all frames are read.
        Raises CameraError.
        """
        if self._total is not None:
            return None
        if self._plan.after_event and not self._stopped_itself:
            # It may have, since the last question.
            self._stopped_itself = not self._records()
        with translated("stopping the camera"):
            self._camera.stop()
        stopped_ns = self._clock()
        if self._stopped_itself:
            # Between the last two questions.
            stopped_ns = (self._recorded_ns + self._polled_ns) // 2
        images, self._capacity = self._fill()
        self._total, frames = images, self._plan.frames
        if self._plan.ring:
            # Of a ring the last frames are the ones asked for.
            self._next = 0 if frames is None else max(0, images - frames)
            self._find_event(images)
        elif frames is not None:
            self._total = min(images, frames)
        self._leaves_some = self._next > 0 or self._total < images
        self._first_ns = self._first_began_ns(images, stopped_ns) + self._next * self._period_ns()
        return None

    def _first_began_ns(self, images: int, stopped_ns: int) -> int:
        """Return when the first of the images in the memory began, as near as the host can tell."""
        if self._event_ns is not None and self._event_index is not None and not self._plan.triggered:
            return self._event_ns - self._event_index * self._period_ns()
        if self._plan.ring and images >= self._capacity:
            # The oldest are overwritten; the last began a frame time before the stop.
            return stopped_ns - images * self._period_ns()
        # At arming, or with a trigger shortly after there was none.
        return self._empty_ns if self._plan.triggered else self._armed_ns

    def _find_event(self, images: int) -> None:
        """Compute which of the images in the memory is the first after the record stop event, if any is."""
        after = self._plan.after_event
        if not after:
            return
        if not self._stopped_itself:
            log.warning(
                "stopped before the camera had recorded %d frames after an event: no frame is marked", after
            )
        elif (index := max(0, images - after)) < self._next:
            log.warning("the record stop event came before the frames kept: no frame is marked")
        else:
            self._event_index = index

    def _period_ns(self) -> int:
        with translated("asking the camera for its frame time"):
            period_s = float(self._camera.sdk.get_coc_runtime()["coc runtime"])
        return round(period_s * 1e9)
