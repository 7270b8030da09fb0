"""The mean of a region of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.files.opened.frames import BLOCK_BYTES, Frames

# So many values of 16 bits have a sum of 32.
MAX_ROW = 65536

# x, y, width, height; or booleans (H, W).
Roi = Sequence[int] | NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """Pixels of a frame: of rows and columns all, or those of `mask` (of these rows and columns)."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, roi: Roi | None, height: int, width: int) -> Self:
        """Return the region that `roi` means, None: all of the frame. Raises UsageError."""
        if roi is None:
            return cls(slice(0, height), slice(0, width))
        given = np.asarray(roi)
        if given.dtype == bool:
            if given.shape != (height, width) or not given.any():
                raise UsageError(
                    f"roi: expected a mask of {height}x{width} booleans (H, W), some of them true"
                )
            (top, bottom), (left, right) = (
                np.flatnonzero(given.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)
            )
            rows, columns = slice(top, bottom + 1), slice(left, right + 1)
            return cls(rows, columns, given[rows, columns])
        if given.shape != (4,) or given.dtype.kind not in "iu":
            raise UsageError(
                f"roi: expected (x, y, width, height) in pixels or a mask (H, W), not {roi!r:.100}"
            )
        x, y, w, h = given.tolist()
        if not (0 <= x < x + w <= width and 0 <= y < y + h <= height):
            raise UsageError(
                f"roi: {w}x{h} pixels at ({x}, {y}) are not inside of the frame of {width}x{height}"
            )
        return cls(slice(y, y + h), slice(x, x + w))

    def mean(self, band: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean of the region in each frame (n,) of `band` (n, r, W), which has its rows only."""
        part = band[:, :, self.columns]
        # Sums of whole numbers are exact; those of a row fit into 32 bits, which is half the work.
        if self.mask is None:
            rows = part.sum(axis=2, dtype=np.uint32 if part.shape[2] <= MAX_ROW else np.uint64)
            sums, count = rows.sum(axis=1, dtype=np.uint64), part.shape[1] * part.shape[2]
        else:
            sums, count = part[:, self.mask].sum(axis=1, dtype=np.uint64), int(self.mask.sum())
        return np.asarray(sums / count, np.float64)


def trace(frames: Frames, roi: Roi | None) -> NDArray[np.float64]:
    """Return the mean of a region in every frame (N,), in bounded memory."""
    region = Region.of(roi, *frames.shape[1:])
    means = np.empty(len(frames))
    for first, band in frames.blocks(block_bytes=BLOCK_BYTES, rows=region.rows):
        means[first : first + len(band)] = region.mean(band)
    return means
