"""The time between frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Of 1000 intervals, the shortest and the longest five are not "nearly all".
NEARLY_ALL = (0.5, 99.5)


@dataclass(frozen=True)
class Intervals:
    """From each frame to the next one of its file: `seconds` (n,), `at_s` when, behind frame `after`.

    `regular` are those (m,) between frames that no other is missing between.
    """

    seconds: NDArray[np.float64]
    at_s: NDArray[np.float64]
    after: NDArray[np.int64]
    regular: NDArray[np.float64]

    @property
    def median_s(self) -> float:
        """The median of the regular ones; there must be one."""
        return float(np.median(self.regular))

    @property
    def range_s(self) -> tuple[float, float]:
        """Between which nearly all of the regular ones are; there must be one."""
        low, high = np.percentile(self.regular, NEARLY_ALL)
        return float(low), float(high)


def intervals_of(
    times_s: NDArray[np.float64], numbers: NDArray[np.uint64], files: Sequence[slice]
) -> Intervals:
    """Return the intervals between frames (N,) that begin at `times_s`; `files` are parts of them."""
    within = np.ones(max(0, len(times_s) - 1), bool)
    for part in files[1:]:
        if 0 < part.start < len(times_s):
            within[part.start - 1] = False
    with np.errstate(invalid="ignore"):  # times of a damaged file
        steps = np.diff(times_s)
        within &= np.isfinite(steps)
    seconds = steps[within]
    regular = seconds[np.diff(numbers)[within] == 1]
    return Intervals(seconds, times_s[1:][within], np.flatnonzero(within), regular)
