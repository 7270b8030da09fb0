"""One frame as a picture of 8 bit: decimated, stretched between levels, with its histogram.

All buffers are allocated once; only the pixels of each picture, which go to the displays, are new memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.preview.levels import VALUES, Levels, ShadeTable, automatic, saturation_of

# A picture fits into so many pixels; a screen shows little more beside its controls.
WIDTH, HEIGHT = 640, 540

# The histogram's bins, over the full range of 16 bit.
BINS = 1024

# How much of a change automatic levels follow with each picture: 1 is at once.
LEVEL_GAIN = 0.3

# Levels and histogram are computed from every SAMPLE-th row and column of the picture.
SAMPLE = 2

# x, y, width, height in pixels.
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """Frame `number` as it is shown: `pixels` are (height, width) shades, one byte each.

    They are every `step`-th pixel of the `region` (x, y, w, h in pixels of the frame), or means. `values`
    (height, width) are the values behind them; they are overwritten two pictures later. `histogram` has
    `BINS` counts, `low` and `high` are the levels, `saturated` is the number of saturated pixels; with `min`,
    `mean` and `max` they are estimated from a sample of the picture. Used on the event loop's thread.
    """

    number: int
    width: int
    height: int
    step: int
    region: Region
    pixels: bytes
    values: NDArray[Any]
    histogram: list[int]
    low: int
    high: int
    min: int
    mean: float
    max: int
    saturated: int
    frame_width: int
    frame_height: int

    def value_at(self, x: int, y: int) -> int | None:
        """Return the value of the frame's pixel (x, y), or of its nearest in the picture; None outside."""
        column, row = (x - self.region[0]) // self.step, (y - self.region[1]) // self.step
        inside = 0 <= column < self.width and 0 <= row < self.height
        return int(self.values[row, column]) if inside else None

    def mean_of(self, region: Region) -> float | None:
        """Return the mean over a region (x, y, w, h) of the frame, as far as it is shown; None outside."""
        columns = _inside(region[0] - self.region[0], region[2], self.step)
        rows = _inside(region[1] - self.region[1], region[3], self.step)
        part = self.values[rows, columns]
        return float(part.mean()) if part.size else None


def _inside(first: int, size: int, step: int) -> slice:
    """Return which pixels, `step` apart, lie in [first, first + size): the nearest, where none does."""
    start, stop = -(-first // step), -(-(first + size) // step)
    if stop <= start:
        start, stop = first // step, first // step + 1
    return slice(max(0, start), max(0, stop))


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
        self._edges = (np.arange(1, BINS) * (VALUES // BINS)).astype(np.uint16)
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
    ) -> Picture:
        """Return `frame` (H, W), whose counter is `number`, as a picture of `region` (x, y, w, h; None: all).

        A region is cut to the frame. `mean` averages the pixels that one of the picture stands for, instead
        of taking the first; `overlay` gives those at 0 and saturated ones shades of their own. Blocks for
        some ms.
        """
        x, y, wide, high = self._within(region)
        step = max(1, -(-wide // WIDTH), -(-high // HEIGHT))
        height, width = max(1, high // step), max(1, wide // step)
        self._turn ^= 1
        values = self._values[self._turn][:height, :width]
        part = frame[y : y + height * step, x : x + width * step]
        if mean and 1 < step <= min(wide, high):
            self._average(part, step, values)
        else:
            np.copyto(values, part[::step, ::step])
        sample = self._sorted_sample(values)
        low, top = self._levels(levels, sample)
        self._table.stretch(low, top, gamma, overlay=overlay)
        places = self._places[: height * width].reshape(height, width)
        np.copyto(places, values)
        shades = self._shades[: height * width].reshape(height, width)
        np.take(self._table.shades, places, out=shades, mode="clip")
        shown = (min(width * step, wide), min(height * step, high))
        share = values.size / sample.size
        counts = np.diff(np.searchsorted(sample, self._edges), prepend=0, append=sample.size)
        saturated = sample.size - int(np.searchsorted(sample, self.saturation))
        return Picture(
            *(number, width, height, step, (x, y, *shown), shades.tobytes(), values),
            histogram=[round(int(count) * share) for count in counts],
            low=low,
            high=top,
            min=int(sample[0]),
            mean=float(sample.mean()),
            max=int(sample[-1]),
            saturated=round(saturated * share),
            frame_width=self._width,
            frame_height=self._height,
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
