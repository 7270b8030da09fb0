"""What pictures are compared with: the mean of some seconds of frames, or a mean that follows them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.units import format_seconds

# Makes the part of a frame (H, W) that a picture, or a region, shows.
Cut = Callable[[NDArray[Any]], NDArray[Any]]


class Baseline:
    """The mean of the frames of the next `seconds`, or (`running`) one in which frames fade over `seconds`.

    Frames are those that pictures are made of. A captured mean is kept for whole frames, and serves whatever
    part of them is shown; a running one is that of the part shown, and begins anew with another part. Both
    begin anew where the exposure changes. Used on the preview thread; `text` is read on any.
    """

    def __init__(self, seconds: float, *, running: bool) -> None:
        self._seconds, self._running = seconds, running
        # Frames in the mean; those of a running one fade.
        self.frames = 0
        self._first_s = self._last_s = 0.0
        self._exposure_s = math.nan
        # Of a captured one: the sum (H, W) while it is taken, then the mean.
        self._sum: NDArray[np.uint32] | None = None
        self._mean: NDArray[np.float32] | None = None
        # Of a running one: how much the frame seen last counts.
        self._weight = 1.0
        # And the means of regions, with the number of frames in each.
        self._regions: dict[object, tuple[float, int]] = {}
        # The mean of the part last asked for, and which part that is.
        self._part: tuple[object, NDArray[np.float32]] | None = None

    @property
    def seconds(self) -> float:
        """The time that it is a mean of, or over which frames fade."""
        return self._seconds

    @property
    def is_running(self) -> bool:
        """Whether it follows the frames."""
        return self._running

    @property
    def exposure_s(self) -> float:
        """The exposure of its frames in s, NaN where it has none or their exposure is not known."""
        return self._exposure_s

    @property
    def is_being_taken(self) -> bool:
        """Whether it is a captured one that needs more frames."""
        return not self._running and self._mean is None

    @property
    def text(self) -> str:
        """What it is, for people."""
        time = format_seconds(self._seconds)
        if self._running:
            return f"running {time}"
        if self.is_being_taken:
            return f"being taken: {self._last_s - self._first_s:.1f} s of {time}"
        return f"mean of {time} ({self.frames} frames)"

    def begin(self) -> None:
        """Forget all frames; the next ones make another mean."""
        self.frames = 0
        self._sum = self._mean = self._part = None
        self._regions.clear()

    def see(self, frame: NDArray[Any], at_s: float, exposure_s: float) -> None:
        """Take a frame (H, W) into account that came at `at_s`; another exposure begins a new mean."""
        if exposure_s != self._exposure_s and not (math.isnan(exposure_s) and math.isnan(self._exposure_s)):
            self.begin()
        self._exposure_s = exposure_s
        if not self.frames:
            self._first_s = self._last_s = at_s
        self._weight = 1 - math.exp(-max(0.0, at_s - self._last_s) / self._seconds)
        if self._running or self._mean is None:
            self._last_s = at_s
            self.frames += 1
        if self.is_being_taken:
            self._add(frame)

    def _add(self, frame: NDArray[Any]) -> None:
        if self._sum is None:
            self._sum = np.zeros(frame.shape, np.uint32)
        # The longest time at the highest rate of pictures is 60000 frames, whose sum 32 bit hold.
        np.add(self._sum, frame, out=self._sum)
        if self._last_s - self._first_s >= self._seconds:
            self.complete()

    def complete(self) -> None:
        """Have the mean of a captured one be that of the frames seen so far, one at least."""
        if self._sum is not None:
            self._mean = np.divide(self._sum, self.frames, dtype=np.float32)
            self._sum = None

    def under(self, values: NDArray[Any], part: object, cut: Cut) -> NDArray[np.float32] | None:
        """Return the mean under the values (h, w) of a part of the frame seen last; None: not there yet.

        `part` tells one part from another, `cut` makes it of a whole frame. Do not write to what is returned.
        """
        known = self._part[1] if self._part and self._part[0] == part else None
        if self._running:
            if known is None:
                known = values.astype(np.float32)
                self.frames = 1
            else:
                # The first frames count alike.
                known += np.float32(max(self._weight, 1 / self.frames)) * (values - known)
        elif known is None:
            if self._mean is None:
                return None
            known = np.ascontiguousarray(cut(self._mean))
        self._part = (part, known)
        return known

    def under_region(self, region: object, mean: float, rows: slice, columns: slice) -> float | None:
        """Return the mean of a region under its `mean` in the frame seen last; None: not there yet.

        `region` tells one from another; `rows` and `columns` are its pixels in a whole frame.
        """
        if not self._running:
            return None if self._mean is None else float(self._mean[rows, columns].mean())
        before, frames = self._regions.get(region, (mean, 0))
        weight = max(self._weight, 1 / (frames + 1))
        self._regions[region] = now = before + weight * (mean - before), frames + 1
        return now[0]
