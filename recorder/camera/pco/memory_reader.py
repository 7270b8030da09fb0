"""Read frames that were recorded into the camera's own memory (CamRAM), once the recording has ended."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import EndOfSourceError, FrameInfo, StillRecordingError
from recorder.camera.pco.errors import translated
from recorder.camera.pco.frame_copier import CopiedFrame, FrameCopier
from recorder.errors import CameraError, CameraTimeoutError

log = logging.getLogger(__name__)

# Time between two questions to the camera how full its memory is: each is a telegram to it.
POLL_INTERVAL_S = 0.1

# How many times a frame is read whose transfer out of the camera fails.
ATTEMPTS = 3


class MemoryReader:
    """Wait while `camera`, a pco.Camera, records into its memory, then read the frames one by one.

    Recording ends by itself after `frames`, after `duration_s`, or when the memory `segment` is full; with
    `ring` the oldest frames are overwritten instead, and it ends after `duration_s` or with `halt`. Every
    method is called on the camera thread and blocks. `clock` gives host monotonic ns, `wait` sleeps for so
    many s.
    """

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        copier: FrameCopier,
        segment: int,
        *,
        ring: bool,
        frames: int | None,
        duration_s: float | None,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._camera, self._copier, self._segment = camera, copier, segment
        self._ring, self._frames = ring, frames
        self._duration_s = math.inf if duration_s is None else duration_s
        self._clock, self._wait = clock, wait
        self._armed_ns = self._polled_ns = clock()
        self._next = 0
        # How many frames there are to read; None while the camera records.
        self._total: int | None = None
        self._images = self._capacity = 0
        self._fills = True
        # From the first frame read out: camera time at the start of the run, and the offset of the counter.
        self._began_ns = 0
        self._offset = 0
        # Frames skipped before it.
        self._skipped = 0
        # By the host's clock, when the first frame began.
        self._first_ns = 0

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
            self._offset = copied.number - 1 - self._skipped if self._ring else 0
            self._began_ns = copied.camera_time_ns
            if self._skipped:
                self._began_ns -= self._skipped * self._period_ns()
        exposed_ns = 0 if math.isnan(copied.exposure_s) else round(copied.exposure_s * 1e9)
        return FrameInfo(
            copied.number - self._offset,
            copied.camera_time_ns,
            copied.exposure_s,
            copied.temperature_c,
            backlog=(self._total or 0) - self._next,
            overflowed=False,
            host_time_ns=self._first_ns + copied.camera_time_ns - self._began_ns + exposed_ns,
        )

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

    def _watch(self, timeout_s: float) -> None:
        """Return once the recording has ended, ending it if complete; else raise the error of `_state`."""
        if self._clock() - self._polled_ns < POLL_INTERVAL_S * 1e9:
            self._wait(min(timeout_s, POLL_INTERVAL_S))
            raise self._state()
        self._polled_ns = self._clock()
        before = self._images
        self._images, self._capacity = self._fill()
        with translated("asking the camera whether it records"):
            records = self._camera.sdk.get_recording_state()["recording state"] == "on"
        passed_s = (self._polled_ns - self._armed_ns) * 1e-9
        is_full = self._wanted and self._images >= self._wanted
        if passed_s >= self._duration_s or is_full or (not records and self._images):
            self.halt()
        elif not records:
            raise CameraError(
                "the camera stopped recording before its first frame: check its power, start again"
            )
        else:
            self._fills = self._images > before or (self._ring and self._images >= self._capacity)
            raise self._state()

    def _state(self) -> CameraTimeoutError:
        """Return the error to raise while the camera records."""
        if self._fills:
            return StillRecordingError(self._images, self._wanted)
        return CameraTimeoutError(f"the camera's memory stays at {self._images} frames")

    @property
    def _wanted(self) -> int:
        """How many frames end the recording, 0 where their number does not."""
        if self._ring:
            return 0
        return self._capacity if self._frames is None else min(self._capacity, self._frames)

    def _fill(self) -> tuple[int, int]:
        """Return how many frames the memory holds, and how many it can hold."""
        with translated("asking the camera how full its memory is"):
            state = self._camera.sdk.get_number_of_images_in_segment(self._segment)
        return int(state["images in segment"]), int(state["max image count"])

    def halt(self) -> int | None:
        """Stop recording, once; from now on frames are read out.

        Blocks while the camera stops. Returns None: the last counter is known only once all frames are read.
        Raises CameraError.
        """
        if self._total is not None:
            return None
        with translated("stopping the camera"):
            self._camera.stop()
        stopped_ns = self._clock()
        images = self._fill()[0]
        self._total = images
        # The first frame of a ring began so many frame times before the stop; of a sequence, at arming.
        self._first_ns = stopped_ns - images * self._period_ns() if self._ring else self._armed_ns
        if self._frames is not None and self._ring:
            # Of a ring the last frames are the ones asked for.
            self._next = max(0, images - self._frames)
            self._first_ns = stopped_ns - (images - self._next) * self._period_ns()
        elif self._frames is not None:
            self._total = min(images, self._frames)
        return None

    def _period_ns(self) -> int:
        with translated("asking the camera for its frame time"):
            period_s = float(self._camera.sdk.get_coc_runtime()["coc runtime"])
        return round(period_s * 1e9)
