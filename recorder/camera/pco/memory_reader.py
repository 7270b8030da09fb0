"""Frames recorded into the camera's own memory (CamRAM), and read out of it afterwards."""

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

# How often the camera is asked how full its memory is: each question is a telegram to it.
LOOK_S = 0.1

# How often a frame is read where its transfer out of the camera fails.
ATTEMPTS = 3


class MemoryReader:
    """Watch a `camera`, a pco.Camera, fill its memory; once it stands still, read frame after frame.

    Recording ends by itself with `frames` or after `duration_s`, or when the memory is full; with `ring` the
    memory is never full, and what was exposed longest ago is overwritten.
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
        self._armed_ns = self._looked_ns = clock()
        self._next = 0
        # Where frames are read from: after the last one is the end.
        self._total: int | None = None
        self._images = self._capacity = 0
        self._fills = True
        # Of the first frame read out: camera time at the start of the run, and what its counter begins at.
        self._began_ns = 0
        self._offset = 0
        # Frames passed over before it.
        self._passed = 0
        # By the host's clock, when the first frame began.
        self._first_ns = 0

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the next frame of the memory into `slot` (H, W).

        Raises StillRecordingError while the camera records and its memory fills, CameraTimeoutError while it
        does not fill, EndOfSourceError after the last frame.
        """
        if self._total is None:
            self._watch(timeout_s)
        copied = self._read_next(slot)
        if self._began_ns == 0:
            # A ring has overwritten what came before: its first frame is the first of the run.
            self._offset = copied.number - 1 - self._passed if self._ring else 0
            self._began_ns = copied.camera_time_ns
            if self._passed:
                self._began_ns -= self._passed * self._period_ns()
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
        """Read the next frame; those whose transfer fails again and again are passed over."""
        failed = 0
        while self._next < (self._total or 0):
            for _ in range(ATTEMPTS):
                if (copied := self._copier.copy(self._next, slot)) is not None:
                    self._next += 1
                    return copied
            self._next += 1
            failed += 1
            self._passed += 1
            log.warning("frame %d of the camera's memory cannot be read out: its transfer fails", self._next)
        if failed:
            raise CameraError(
                f"the last {failed} frames in the camera's memory cannot be read out: check its cable"
            )
        raise EndOfSourceError

    def _watch(self, timeout_s: float) -> None:
        """Return once the camera has recorded all it should; until then raise what that looks like."""
        if self._clock() - self._looked_ns < LOOK_S * 1e9:
            self._wait(min(timeout_s, LOOK_S))
            raise self._state()
        self._looked_ns = self._clock()
        before = self._images
        self._images, self._capacity = self._fill()
        with translated("asking the camera whether it records"):
            records = self._camera.sdk.get_recording_state()["recording state"] == "on"
        passed_s = (self._looked_ns - self._armed_ns) * 1e-9
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
        """Return what is raised while the camera records."""
        if self._fills:
            return StillRecordingError(self._images, self._wanted)
        return CameraTimeoutError(f"the camera's memory stays at {self._images} frames")

    @property
    def _wanted(self) -> int:
        """How many frames end the recording, 0 for none."""
        if self._ring:
            return 0
        return self._capacity if self._frames is None else min(self._capacity, self._frames)

    def _fill(self) -> tuple[int, int]:
        """Return how many frames the memory holds, and how many it can hold."""
        with translated("asking the camera how full its memory is"):
            state = self._camera.sdk.get_number_of_images_in_segment(self._segment)
        return int(state["images in segment"]), int(state["max image count"])

    def halt(self) -> int | None:
        """Stop recording, once; from now on frames are read out, which alone tells the last counter."""
        if self._total is not None:
            return None
        with translated("stopping the camera"):
            self._camera.stop()
        stopped_ns = self._clock()
        images = self._fill()[0]
        self._total = images
        # A ring's first frame began its memory's length ago; a sequence's when the camera was armed.
        self._first_ns = stopped_ns - images * self._period_ns() if self._ring else self._armed_ns
        if self._frames is not None and self._ring:
            # Those asked for are the last ones.
            self._next = max(0, images - self._frames)
            self._first_ns = stopped_ns - (images - self._next) * self._period_ns()
        elif self._frames is not None:
            self._total = min(images, self._frames)
        return None

    def _period_ns(self) -> int:
        with translated("asking the camera for its frame time"):
            period_s = float(self._camera.sdk.get_coc_runtime()["coc runtime"])
        return round(period_s * 1e9)
