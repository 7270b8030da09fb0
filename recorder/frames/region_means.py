"""Regions of a frame: where they are, and the mean of all their pixels for each frame of a span."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# x0, y0, x1, y1 in pixels of the frame: the first one, and the one after the last.
Box = tuple[int, int, int, int]

# The sum of so many pixels of 16 bits fits into 32.
MAX_PIXELS = 65537


def corner_of(details: Mapping[str, object]) -> tuple[int, int]:
    """Return where on the sensor frames begin (x, y), in pixels from 0, by the `roi` of a camera's details.

    (0, 0) where they have none. Raises ValueError for one that makes no sense.
    """
    x, y, *_ = str(details.get("roi", "1,1")).split(",")
    return int(x) - 1, int(y) - 1


def box_in_frame(box: Box, corner: tuple[int, int], size: tuple[int, int]) -> Box:
    """Return what of a box on the sensor is in frames of `size` (width, height) that begin at `corner`.

    In pixels of these frames, and empty where nothing is; `corner` is (x, y) on the sensor.
    """
    (x0, y0, x1, y1), (x, y), (width, height) = box, corner, size
    left, right = (min(max(0, edge - x), width) for edge in (x0, x1))
    top, bottom = (min(max(0, edge - y), height) for edge in (y0, y1))
    return left, top, right, bottom


def means_of(frames: NDArray[Any], boxes: Collection[Box]) -> NDArray[np.float64]:
    """Return the means (n, R) of R regions of `frames` (n, H, W), of unsigned integers up to 16 bits.

    They are exact, as numpy's own. What of a region is outside the frame is left out; NaN where all of it is.
    Blocks, and lets other threads run meanwhile.
    """
    means = np.full((len(frames), len(boxes)), np.nan)
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        part = frames[:, y0:y1, x0:x1]
        if part.shape[1] and part.shape[2]:
            # Sums of 32 bits take a fraction of the time of those of 64, and hold so many pixels of 65535.
            step = max(1, MAX_PIXELS // part.shape[2])
            bands = (part[:, y : y + step] for y in range(0, part.shape[1], step))
            total = sum(band.sum(axis=(1, 2), dtype=np.uint32).astype(np.uint64) for band in bands)
            means[:, i] = total / (part.shape[1] * part.shape[2])
    return means
