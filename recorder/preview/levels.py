"""From values of a frame to shades, 0 to 255, the same for page and snapshots.

Displays have the colours of `preview/colours` for the shades. Shades are computed on the preview thread.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Shades: from BLACK to WHITE, and one of their own for pixels without any light and for saturated ones.
UNDER, BLACK, WHITE, SATURATED = 0, 1, 254, 255

# How many values a pixel of 16 bit can have.
VALUES = 65536

# Quantiles of the pixels at which automatic levels are set.
LOW_QUANTILE, HIGH_QUANTILE = 0.005, 0.995

# How much of a change automatic levels follow with each picture: 1 is at once.
LEVEL_GAIN = 0.3

# Bins of a histogram at most, and which share of the pixels may be beyond it on either side.
BINS = 256
BEYOND = 0.001

# Counts between automatic levels at least: noise is not stretched over the whole range.
MIN_SPAN = 16

Levels = tuple[int, int] | Literal["auto", "full"]


def bits_of(details: Mapping[str, object]) -> int:
    """Return how many bits of a pixel the camera uses, by the details of its description; 16 if unknown."""
    return int(str(details.get("bit_resolution", 16)))


def saturation_of(bits: int, dtype: np.dtype[Any]) -> int:
    """Return the greatest value of a pixel of `bits` bits, or of `dtype` if that has fewer."""
    return (1 << min(bits, 8 * dtype.itemsize)) - 1


def automatic(ordered: NDArray[Any]) -> tuple[float, float]:
    """Return levels from the sorted values (n,), n >= 1, that leave out the darkest and brightest 0.5 %."""
    low, high = (float(ordered[int(q * (ordered.size - 1))]) for q in (LOW_QUANTILE, HIGH_QUANTILE))
    low = min(low, VALUES - 1 - MIN_SPAN)
    return low, max(high, low + MIN_SPAN)


@dataclass(frozen=True)
class Histogram:
    """How many pixels have which values: `counts` in bins of `width` from `start` on.

    The bins cover what nearly all pixels have; the few others are counted in the first bin and the last.
    """

    start: float
    width: float
    counts: list[int]


def histogram(ordered: NDArray[Any], share: float) -> Histogram:
    """Return the histogram of the sorted values (n,), n >= 1, each of which stands for `share` pixels.

    Bins of whole numbers are whole numbers wide.
    """
    low, high = (float(ordered[int(q * (ordered.size - 1))]) for q in (BEYOND, 1 - BEYOND))
    margin = 0.05 * (high - low)
    first, last = max(float(ordered[0]), low - margin), min(float(ordered[-1]), high + margin)
    if np.issubdtype(ordered.dtype, np.integer):
        first, last = math.floor(first), math.floor(last) + 1
        width: float = -(-(last - first) // BINS)
        bins = -(-(last - first) // width)
        edges = np.arange(1, bins) * width + first
    else:
        width = max((last - first) / BINS, 1e-6)
        bins = BINS
        edges = (np.arange(1, bins) * width + first).astype(ordered.dtype)
    places = np.searchsorted(ordered, edges.astype(ordered.dtype))
    counts = np.diff(places, prepend=0, append=ordered.size)
    return Histogram(first, width, [round(int(count) * share) for count in counts])


class ShadeTable:
    """The shade of each value, 0 to 65535, as `shades` (65536,), uint8; meaningless before `stretch`."""

    def __init__(self, saturation: int) -> None:
        self.shades = np.zeros(VALUES, np.uint8)
        self._saturation = saturation
        self._ramp = np.arange(VALUES, dtype=np.float32)
        self._scaled = np.zeros(VALUES, np.float32)
        self._of: tuple[float, ...] | None = None

    def stretch(self, low: int, high: int, gamma: float = 1.0, *, overlay: bool) -> None:
        """Make `low` black and `high` white, and what is between them brighter where `gamma` is less than 1.

        `overlay` gives 0 and saturated values shades of their own. Does nothing where all is as before.
        """
        if self._of == (low, high, gamma, overlay):
            return
        self._of = (low, high, gamma, overlay)
        scaled = self._scaled
        np.subtract(self._ramp, low, out=scaled)
        np.multiply(scaled, 1 / max(1, high - low), out=scaled)
        np.clip(scaled, 0, 1, out=scaled)
        if gamma != 1:
            np.power(scaled, gamma, out=scaled)
        np.multiply(scaled, WHITE - BLACK, out=scaled)
        # A half more, as the fraction is cut off.
        np.add(scaled, BLACK + 0.5, out=scaled)
        np.copyto(self.shades, scaled, casting="unsafe")
        if overlay:
            self.shades[0] = UNDER
            self.shades[self._saturation :] = SATURATED


def as_seen(frame: NDArray[Any], levels: Levels, bits: int, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Return a whole frame (H, W), uint8 or uint16, in greys from 0 to 255 (H, W), as a display shows it raw.

    Saturated pixels have no colour of their own. With `levels` "auto" all pixels are sorted, which is slower.
    """
    saturation = saturation_of(bits, frame.dtype)
    if levels == "full":
        low, high = 0, saturation
    elif levels == "auto":
        dark, bright = automatic(np.sort(frame, axis=None))
        low, high = round(dark), round(bright)
    else:
        low, high = levels
    table = ShadeTable(saturation)
    table.stretch(low, high, gamma, overlay=False)
    greys = np.round((np.arange(256) - BLACK) * (255 / (WHITE - BLACK))).clip(0, 255).astype(np.uint8)
    seen: NDArray[np.uint8] = greys[table.shades][frame]
    return seen
