"""From values of a frame to shades of grey, 0 to 255: the one way, for page, window and snapshots.

The colour of each shade is the display's own: `shades` in page.js, `PALETTE` in window/app.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Shades: black to white, and one apart for saturated pixels.
WHITE = 254
SATURATED = 255

# How many values a pixel of 16 bit can have.
VALUES = 65536

# Shares of pixels below and above automatic levels.
DARKEST, BRIGHTEST = 0.005, 0.995

# Counts between automatic levels at least: noise is not stretched over the whole range.
SHORTEST_SPAN = 16

Levels = tuple[int, int] | Literal["auto", "full"]


def bits_of(details: Mapping[str, object]) -> int:
    """Return how many bits of a pixel the camera uses, as its description tells."""
    return int(str(details.get("bit_resolution", 16)))


def saturation_of(bits: int, dtype: np.dtype[Any]) -> int:
    """Return the greatest value of a pixel of `bits` bits."""
    return (1 << min(bits, 8 * dtype.itemsize)) - 1


def automatic(ordered: NDArray[Any]) -> tuple[float, float]:
    """Return the levels that leave out the darkest and brightest few of the sorted values (n,)."""
    low, high = (float(ordered[int(share * (ordered.size - 1))]) for share in (DARKEST, BRIGHTEST))
    low = min(low, VALUES - 1 - SHORTEST_SPAN)
    return low, max(high, low + SHORTEST_SPAN)


class ShadeTable:
    """The shade of each value, 0 to 65535, as `shades`; made anew only where the levels have changed."""

    def __init__(self, saturation: int) -> None:
        self.shades = np.zeros(VALUES, np.uint8)
        self._saturation = saturation
        self._ramp = np.arange(VALUES, dtype=np.float32)
        self._scaled = np.zeros(VALUES, np.float32)
        self._of: tuple[int, int, bool] | None = None

    def stretch(self, low: int, high: int, *, overlay: bool) -> None:
        """Have `low` black and `high` white; `overlay` gives saturated values a shade of their own."""
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
    """Return the shades of a whole frame (H, W) as a display shows it, saturated pixels white."""
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
