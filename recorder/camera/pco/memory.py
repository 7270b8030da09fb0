"""Frames recorded into the camera's own memory (CamRAM), and read out of it afterwards."""

import math
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import EndOfSourceError, FrameInfo, StillRecordingError
from recorder.camera.pco.errors import translated
from recorder.camera.pco.frame import FrameCopier

# How often the camera is asked how full its memory is: each question is a telegram to it.
LOOK_S = 0.1


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
        self._armed_ns = clock()
        self._next = 0
        self._total: int | None = None
        # Of the first frame read out: camera time at the start of the run, and what its counter begins at.
        self._began_ns = 0
        self._offset = 0
        # By the host's clock, when the first frame began.
        self._first_ns = 0

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the next frame of the memory into `slot` (H, W).

        Raises StillRecordingError while the camera records, EndOfSourceError after the last frame.
        """
        if self._total is None:
            images, capacity = self._fill()
            wanted = capacity if self._frames is None or self._ring else min(capacity, self._frames)
            passed_s = (self._clock() - self._armed_ns) * 1e-9
            if passed_s < self._duration_s and (self._ring or images < wanted):
                self._wait(min(timeout_s, LOOK_S))
                raise StillRecordingError(images, 0 if self._ring else wanted)
            self.halt()
        total = self._total or 0
        if self._next >= total:
            raise EndOfSourceError
        facts = self._copier.copy(self._next, slot)
        if self._next == 0:
            # A ring has overwritten what came before: its first frame is the first of the run.
            self._offset = facts.number - 1 if self._ring else 0
            self._began_ns = facts.camera_time_ns
        self._next += 1
        exposed_ns = 0 if math.isnan(facts.exposure_s) else round(facts.exposure_s * 1e9)
        return FrameInfo(
            facts.number - self._offset,
            facts.camera_time_ns,
            facts.exposure_s,
            facts.temperature_c,
            backlog=total - self._next,
            overflowed=False,
            host_time_ns=self._first_ns + facts.camera_time_ns - self._began_ns + exposed_ns,
        )

    def _fill(self) -> tuple[int, int]:
        """Return how many frames the memory holds, and how many it can hold."""
        with translated("asking the camera how full its memory is"):
            state = self._camera.sdk.get_number_of_images_in_segment(self._segment)
        return int(state["images in segment"]), int(state["max image count"])

    def halt(self) -> int:
        """Stop recording, once; from now on frames are read out. Returns how many there are."""
        if self._total is None:
            with translated("stopping the camera"):
                self._camera.stop()
            stopped_ns = self._clock()
            self._total = self._fill()[0]
            # A ring's first frame began its memory's length ago; a sequence's when the camera was armed.
            period_ns = self._period_ns()
            self._first_ns = stopped_ns - self._total * period_ns if self._ring else self._armed_ns
        return self._total

    def _period_ns(self) -> int:
        with translated("asking the camera for its frame time"):
            period_s = float(self._camera.sdk.get_coc_runtime()["coc runtime"])
        return round(period_s * 1e9)
