"""Pictures of differences: what a frame has more or less than a baseline, in counts or in percent of it."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recorder.preview.levels import BLACK, LEVEL_GAIN, SATURATED, UNDER, WHITE
from recorder.settings.field_types import PreviewMode

Range = float | Literal["auto", "full"]

UNITS = {"raw": "counts", "difference": "counts", "dff": "%"}

# An automatic range leaves out so many of the largest differences, and is at least so many units.
LEFT_OUT = 0.005
LEAST = {"difference": 8.0, "dff": 1.0}

# A baseline of less than a count is one count, or noise in the dark would be endless.
LEAST_BASELINE = 1.0


class DifferenceScale:
    """From values and their baseline to differences, and to shades around the middle one, which is 0.

    Buffers are for pictures of `size` pixels at most; used on the preview thread, one call at a time.
    """

    def __init__(self, size: int) -> None:
        # Two in turn: displays read the differences of one picture while the next is made.
        self._differences = [np.zeros(size, np.float32) for _ in range(2)]
        self._scaled = np.zeros(size, np.float32)
        self._shades = np.zeros(size, np.uint8)
        self._turn = 0
        self._auto: tuple[str, float] | None = None

    def compare(
        self, values: NDArray[Any], base: NDArray[np.float32], mode: PreviewMode
    ) -> NDArray[np.float32]:
        """Return `values` (h, w) minus `base` (h, w), for "dff" in % of it; overwritten two calls later."""
        self._turn ^= 1
        differences = self._differences[self._turn][: values.size].reshape(values.shape)
        np.subtract(values, base, out=differences)
        if mode == "dff":
            np.divide(differences, np.maximum(base, LEAST_BASELINE), out=differences)
            np.multiply(differences, 100, out=differences)
        return differences

    def begin_range(self) -> None:
        """Have an automatic range be that of the next differences."""
        self._auto = None

    def range_of(
        self, wanted: Range, mode: PreviewMode, sample: NDArray[np.float32], saturation: int
    ) -> float:
        """Return the difference that is shown brightest; an automatic one follows the sorted sample (n,)."""
        if wanted == "full":
            return 100.0 if mode == "dff" else float(saturation)
        if wanted != "auto":
            self._auto = None
            return wanted
        place = int(LEFT_OUT / 2 * (sample.size - 1))
        now = max(abs(float(sample[place])), abs(float(sample[-1 - place])), LEAST[mode])
        before = self._auto[1] if self._auto and self._auto[0] == mode else now
        self._auto = (mode, before + LEVEL_GAIN * (now - before))
        return self._auto[1]

    def shades(
        self, differences: NDArray[np.float32], values: NDArray[Any], most: float, saturation: int | None
    ) -> NDArray[np.uint8]:
        """Return shades (h, w) of the differences, BLACK for -`most`, WHITE for `most`; overwritten soon.

        Values of 0 and from `saturation` on have shades of their own; None: they have not.
        """
        scaled = self._scaled[: differences.size].reshape(differences.shape)
        shades = self._shades[: differences.size].reshape(differences.shape)
        np.multiply(differences, (WHITE - BLACK) / 2 / most, out=scaled)
        np.add(scaled, (WHITE + BLACK + 1) / 2, out=scaled)
        np.clip(scaled, BLACK, WHITE + 0.5, out=scaled)
        np.copyto(shades, scaled, casting="unsafe")
        if saturation is not None:
            shades[values == 0] = UNDER
            shades[values >= saturation] = SATURATED
        return shades
