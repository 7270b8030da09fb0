"""Named regions of the frame, and their mean in each picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from recorder.frames.region_means import Box
from recorder.preview.picture import Comparison

# Of a region, so many pixels across and down are averaged at most: every n-th of a larger one.
ACROSS = 128

# The colours of regions on displays, in the order of the regions.
COLOURS = ("#ffd75f", "#5fd7ff", "#ff87d7", "#87ff87", "#ff8700", "#af87ff", "#ff5f5f", "#d7d7d7")


@dataclass(frozen=True)
class RegionMean:
    """A region of a picture, as displays show it: its `box` in pixels of the frame, and its mean.

    The mean is of all pixels, whatever part of the frame is shown, in the unit of the picture: what is above
    the baseline is the mean above that of the baseline. None: the region is outside the frame.
    """

    name: str
    box: Box
    colour: str
    mean: float | None


def region_means(
    frame: NDArray[Any], boxes: Mapping[str, Box], comparison: Comparison | None
) -> tuple[RegionMean, ...]:
    """Return the means of the regions of a frame (H, W); with `comparison`, against its baseline."""
    found = []
    for i, (name, (x0, y0, x1, y1)) in enumerate(boxes.items()):
        rows, columns = _every(y0, y1, frame.shape[0]), _every(x0, x1, frame.shape[1])
        part = frame[rows, columns]
        mean = float(part.mean()) if part.size else None
        if mean is not None and comparison is not None:
            base = comparison.baseline.under_region((name, x0, y0, x1, y1), mean, rows, columns)
            mean = comparison.of_means(mean, base)
        found.append(RegionMean(name, (x0, y0, x1, y1), COLOURS[i % len(COLOURS)], mean))
    return tuple(found)


def _every(first: int, end: int, size: int) -> slice:
    """Return the pixels of [first, end) inside a frame of this size, `ACROSS` at most."""
    first, end = max(0, first), max(0, min(end, size))
    return slice(first, end, max(1, -(-(end - first) // ACROSS)))
