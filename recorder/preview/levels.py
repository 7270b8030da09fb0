"""From values of a frame to shades of grey, 0 to 255, the same for page, window and snapshots.

Each display has a colour for each shade: `shades` in page.js, `PALETTE` in window/app. Shades are computed on
the preview thread.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Shades: 0 is black, WHITE is white, and saturated pixels have one of their own.
WHITE = 254
SATURATED = 255

# How many values a pixel of 16 bit can have.
VALUES = 65536

# Quantiles of the pixels at which automatic levels are set.
LOW_QUANTILE, HIGH_QUANTILE = 0.005, 0.995

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


class ShadeTable:
    """The shade of each value, 0 to 65535, as `shades` (65536,), uint8; all 0 before `stretch`."""

    def __init__(self, saturation: int) -> None:
        self.shades = np.zeros(VALUES, np.uint8)
        self._saturation = saturation
        self._ramp = np.arange(VALUES, dtype=np.float32)
        self._scaled = np.zeros(VALUES, np.float32)
        self._of: tuple[int, int, bool] | None = None

    def stretch(self, low: int, high: int, *, overlay: bool) -> None:
        """Make `low` black and `high` white; `overlay` gives saturated values a shade of their own.

        Does nothing where the levels are the same as before.
        """
        if self._of == (low, high, overlay):
            return
        self._of = (low, high, overlay)
        np.subtract(self._ramp, low, out=self._scaled)
        np.multiply(self._scaled, WHITE / max(1, high - low), out=self._scaled)
        np.clip(self._scaled, 0, WHITE, out=self._scaled)
        np.copyto(self.shades, self._scaled, casting="unsafe")
        if overlay:
            self.shades[self._saturation :] = SATURATED


def as_seen(frame: NDArray[Any], levels: Levels, bits: int) -> NDArray[np.uint8]:
    """Return the shades (H, W) of a whole frame (H, W), uint8 or uint16, as a display shows it.

    Saturated pixels have no shade of their own. With `levels` "auto" all pixels are sorted, which is slower.
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
    table.stretch(low, high, overlay=False)
    seen: NDArray[np.uint8] = table.shades[frame]
    return seen
