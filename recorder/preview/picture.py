"""One frame as a picture of 8 bit: decimated, stretched between levels, with its histogram.

All buffers are allocated once; only the pixels of each picture, which go to the displays, are new memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.preview.baseline import Baseline
from recorder.preview.difference import LEAST_BASELINE, UNITS, DifferenceScale, Range
from recorder.preview.levels import (
    LEVEL_GAIN,
    VALUES,
    Histogram,
    Levels,
    ShadeTable,
    automatic,
    histogram,
    saturation_of,
)
from recorder.settings.field_types import PreviewMode

# A picture fits into so many pixels; a screen shows little more beside its controls.
WIDTH, HEIGHT = 640, 540

# Levels and histogram are computed from every SAMPLE-th row and column of the picture.
SAMPLE = 2

# x, y, width, height in pixels.
Region = tuple[int, int, int, int]

# What a picture begins with: number, width, height, step and region.
_Size = tuple[int, int, int, int, Region]


@dataclass(frozen=True)
class Picture:
    """Frame `number` as it is shown: `pixels` are (height, width) shades, one byte each.

    They are every `step`-th pixel of the `region` (x, y, w, h in pixels of the frame), or means. `values`
    (height, width) are the numbers behind them, counts or differences as `mode` says, in `unit`; they are
    overwritten two pictures later. `low` and `high` are the levels, `saturated` is the number of saturated
    pixels; with `histogram`, `min`, `mean` and `max` they are estimated from a sample of the picture.
    `baseline` says what a difference is against. Used on the event loop's thread.
    """

    number: int
    width: int
    height: int
    step: int
    region: Region
    pixels: bytes
    values: NDArray[Any]
    histogram: Histogram
    low: float
    high: float
    min: float
    mean: float
    max: float
    saturated: int
    frame_width: int
    frame_height: int
    mode: PreviewMode = "raw"
    unit: str = UNITS["raw"]
    baseline: str = ""

    def value_at(self, x: int, y: int) -> float | None:
        """Return the value of the frame's pixel (x, y), or of its nearest in the picture; None outside."""
        place = self._place_of(x, y)
        return None if place is None else round(self.values[place].item(), 3)

    def profiles_at(self, x: int, y: int) -> tuple[list[float], list[float]] | None:
        """Return the values along the row and along the column of the frame's pixel (x, y); None outside."""
        if (place := self._place_of(x, y)) is None:
            return None
        row, column = place
        return np.round(self.values[row], 2).tolist(), np.round(self.values[:, column], 2).tolist()

    def _place_of(self, x: int, y: int) -> tuple[int, int] | None:
        """Return row and column in the picture of the frame's pixel (x, y); None outside."""
        column, row = (x - self.region[0]) // self.step, (y - self.region[1]) // self.step
        return (row, column) if 0 <= column < self.width and 0 <= row < self.height else None


@dataclass(frozen=True)
class Comparison:
    """Show what frames have more or less than `baseline`, from -`range` to `range`."""

    mode: PreviewMode
    range: Range
    baseline: Baseline

    def of_means(self, mean: float, base: float | None) -> float:
        """Return what a mean is above that of the baseline, in the mode's unit; without one, the mean."""
        if base is None:
            return mean
        return mean - base if self.mode == "difference" else (mean - base) / max(base, LEAST_BASELINE) * 100


class Renderer:
    """Make pictures of frames (H, W) of one shape and type; the camera uses `bits` of each pixel.

    `render` is called on the preview thread, one call at a time.
    """

    def __init__(self, height: int, width: int, dtype: np.dtype[Any], bits: int) -> None:
        self._height, self._width = height, width
        self.saturation = saturation_of(bits, dtype)
        self._values = [np.zeros((HEIGHT, WIDTH), dtype) for _ in range(2)]
        self._sums = np.zeros((HEIGHT, WIDTH), np.uint32)
        # Indices into the table have to be of this type, or numpy would allocate a copy for each picture.
        self._places = np.zeros(HEIGHT * WIDTH, np.intp)
        self._shades = np.zeros(HEIGHT * WIDTH, np.uint8)
        self._turn = 0
        self._sample = np.zeros((HEIGHT // SAMPLE) * (WIDTH // SAMPLE), dtype)
        self._table = ShadeTable(self.saturation)
        self._differences: DifferenceScale | None = None
        self._auto: tuple[float, float] | None = None

    def render(
        self,
        frame: NDArray[Any],
        number: int,
        levels: Levels,
        region: Region | None = None,
        *,
        mean: bool = False,
        overlay: bool = False,
        gamma: float = 1.0,
        comparison: Comparison | None = None,
    ) -> Picture:
        """Return `frame` (H, W), whose counter is `number`, as a picture of `region` (x, y, w, h; None: all).

        A region is cut to the frame. `mean` averages the pixels that one of the picture stands for, instead
        of taking the first; `overlay` gives those at 0 and saturated ones shades of their own. A `comparison`
        makes a picture of differences once its baseline, which must have seen the frame, is there. Blocks for
        some ms.
        """
        x, y, wide, high = self._within(region)
        step = max(1, -(-wide // WIDTH), -(-high // HEIGHT))
        height, width = max(1, high // step), max(1, wide // step)
        self._turn ^= 1
        values = self._values[self._turn][:height, :width]
        average = mean and 1 < step <= min(wide, high)

        def cut(frame: NDArray[Any]) -> NDArray[Any]:
            part = frame[y : y + height * step, x : x + width * step]
            if average:
                means: NDArray[Any] = part.reshape(height, step, width, step).mean((1, 3), np.float32)
                return means
            return part[::step, ::step]

        if average:
            self._average(frame[y : y + height * step, x : x + width * step], step, values)
        else:
            np.copyto(values, cut(frame))
        base = None
        if comparison is not None:
            base = comparison.baseline.under(values, (x, y, height, width, step, average), cut)
        shown = (x, y, min(width * step, wide), min(height * step, high))
        size = (number, width, height, step, shown)
        if comparison is None or base is None:
            return self._raw(size, values, levels, gamma, overlay=overlay)
        return self._difference(size, values, base, comparison, overlay=overlay)

    def begin_levels(self) -> None:
        """Have automatic levels and ranges be those of the next picture, whatever was shown before it."""
        self._auto = None
        if self._differences is not None:
            self._differences.begin_range()

    def _raw(
        self, size: _Size, values: NDArray[Any], levels: Levels, gamma: float, *, overlay: bool
    ) -> Picture:
        """Return the picture of the values (h, w) themselves."""
        sample = self._sorted_sample(values)
        low, top = self._levels(levels, sample)
        self._table.stretch(low, top, gamma, overlay=overlay)
        places = self._places[: values.size].reshape(values.shape)
        np.copyto(places, values)
        shades = self._shades[: values.size].reshape(values.shape)
        np.take(self._table.shades, places, out=shades, mode="clip")
        share = values.size / sample.size
        saturated = sample.size - int(np.searchsorted(sample, self.saturation))
        return Picture(
            *(*size, shades.tobytes(), values),
            histogram=histogram(sample, share),
            low=low,
            high=top,
            min=int(sample[0]),
            mean=float(sample.mean()),
            max=int(sample[-1]),
            saturated=round(saturated * share),
            frame_width=self._width,
            frame_height=self._height,
        )

    def _difference(
        self,
        size: _Size,
        values: NDArray[Any],
        base: NDArray[np.float32],
        comparison: Comparison,
        *,
        overlay: bool,
    ) -> Picture:
        """Return the picture of what the values (h, w) have more or less than the baseline (h, w)."""
        scale = self._differences = self._differences or DifferenceScale(HEIGHT * WIDTH)
        differences = scale.compare(values, base, comparison.mode)
        # Fewer than of a raw picture: numbers of 32 bit take longer to sort.
        sample = np.sort(differences[:: 2 * SAMPLE, :: 2 * SAMPLE], axis=None)
        most = scale.range_of(comparison.range, comparison.mode, sample, self.saturation)
        shades = scale.shades(differences, values, most, self.saturation if overlay else None)
        part = values[:: 2 * SAMPLE, :: 2 * SAMPLE]
        share = values.size / sample.size
        return Picture(
            *(*size, shades.tobytes(), differences),
            histogram=histogram(sample, share),
            low=-most,
            high=most,
            min=round(float(sample[0]), 3),
            mean=float(sample.mean()),
            max=round(float(sample[-1]), 3),
            saturated=round(int(np.count_nonzero(part >= self.saturation)) * share),
            frame_width=self._width,
            frame_height=self._height,
            mode=comparison.mode,
            unit=UNITS[comparison.mode],
            baseline=comparison.baseline.text,
        )

    def _within(self, region: Region | None) -> Region:
        """Return the part of the region inside the frame, one pixel at least."""
        if region is None:
            return 0, 0, self._width, self._height
        x, y = min(max(0, region[0]), self._width - 1), min(max(0, region[1]), self._height - 1)
        return x, y, max(1, min(region[2], self._width - x)), max(1, min(region[3], self._height - y))

    def _average(self, part: NDArray[Any], step: int, values: NDArray[Any]) -> None:
        sums = self._sums[: values.shape[0], : values.shape[1]]
        sums[:] = 0
        for row in range(step):
            for column in range(step):
                np.add(sums, part[row::step, column::step], out=sums, casting="unsafe")
        np.floor_divide(sums, step * step, out=values, casting="unsafe")

    def _sorted_sample(self, values: NDArray[Any]) -> NDArray[Any]:
        part = values[::SAMPLE, ::SAMPLE]
        part = part[: HEIGHT // SAMPLE, : WIDTH // SAMPLE]
        sample = self._sample[: part.size]
        np.copyto(sample.reshape(part.shape), part)
        sample.sort()
        return sample

    def _levels(self, levels: Levels, sample: NDArray[Any]) -> tuple[int, int]:
        if levels == "full":
            return 0, self.saturation
        if levels != "auto":
            self._auto = None
            return levels[0], levels[1]
        wanted = automatic(sample)
        before = self._auto or wanted
        low, high = (old + LEVEL_GAIN * (new - old) for old, new in zip(before, wanted, strict=True))
        self._auto = (low, high)
        return round(low), min(round(high), VALUES - 1)
