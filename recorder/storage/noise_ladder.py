"""A ladder of levels for the values of pixels, finer than their noise, so that next to nothing is lost.

The noise of a pixel follows from its value: that of its electrons, and that of reading them. Where it is
large, neighbouring values mean the same, and of these every 2nd, 4th, 8th, ... is kept. Steps are powers of
two, which leave bits that are all zero: Blosc (bitshuffle, lz4) packs these, and nothing of other steps.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHOT_NOISE = "shot-noise"

# What a file says of pixels that were moved, by name (`NoiseLadder.details`).
LOSSY = ("lossy_method", "lossy_fraction", "lossy_largest_error", "lossy_added_variance")

# All values of 16 bits.
_VALUES = np.arange(1 << 16)

# Pixels looked up at once: numpy makes an index of 8 bytes of each, which stay in the processor's cache.
# Smaller pieces are no faster, and ask for Python's lock more often.
_PIECE = 1 << 18


@dataclass(frozen=True)
class NoiseModel:
    """What the noise of a pixel follows from; raises ValueError for what no camera has.

    `conversion_factor` is in electrons per count, `read_noise` in electrons (standard deviation), and
    `dark_offset` the value of a pixel without light, in counts.
    """

    conversion_factor: float
    read_noise: float
    dark_offset: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.conversion_factor) and self.conversion_factor > 0):
            raise ValueError(f"a conversion factor of {self.conversion_factor} electrons per count")
        if not (math.isfinite(self.read_noise) and self.read_noise >= 0):
            raise ValueError(f"a read noise of {self.read_noise} electrons")
        if not 0 <= self.dark_offset < len(_VALUES):
            raise ValueError(f"a dark offset of {self.dark_offset} counts")

    def variance(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the variance of the noise at `values`, in counts squared; in the dark that of reading."""
        signal = np.maximum(values - self.dark_offset, 0.0)
        return signal / self.conversion_factor + (self.read_noise / self.conversion_factor) ** 2


@dataclass(frozen=True)
class NoiseLadder:
    """Levels `fraction` of the noise's standard deviation apart at most, for pixels of up to `top` counts.

    A value goes to the nearest level; in the middle between two it goes up as often as down, so that means
    stay: where steps become twice as large they move by 0.035 * fraction**2 of the noise of a pixel at most.
    0, `top`, and what would come to it are left as they are. Raises ValueError for a `fraction` that is not
    more than 0, and 1 at most.
    """

    noise: NoiseModel
    fraction: float
    top: int = len(_VALUES) - 1

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"a fraction of {self.fraction}: must be more than 0, and 1 at most")

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """From one level to the next at each of the 65536 values: powers of two."""
        allowed = self.fraction**2 * self.noise.variance(_VALUES) / 12
        steps = np.ones(len(_VALUES), np.int64)
        for step in 2 ** np.arange(1, 16):
            # It begins at a value that both steps come to.
            begin = int(np.searchsorted(allowed, _added_variance(step)))
            steps[-(-begin // step) * step :] = step
        return steps

    @cached_property
    def table(self) -> NDArray[np.uint16]:
        """The level of each of the 65536 values."""
        levels = np.rint(_VALUES / self.steps) * self.steps
        return np.where(levels < self.top, levels, _VALUES).astype(np.uint16)

    @property
    def largest_error(self) -> int:
        """By how many counts a value is moved at most."""
        return int(np.abs(self.table - _VALUES).max())

    @property
    def added_variance(self) -> float:
        """What is added to the variance of the noise at most, as a fraction of it."""
        is_moved = self.steps > 1
        added = _added_variance(self.steps[is_moved]) / self.noise.variance(_VALUES[is_moved])
        return float(added.max(initial=0.0))

    def apply(self, frames: NDArray[np.uint16], out: NDArray[np.uint16], *, exact: int) -> None:
        """Fill `out` with `frames` (n, H, W) moved to their levels, but for the first `exact` pixels of each.

        There cameras write timestamps. Both are C-contiguous, and not in the same memory. Blocks, and lets
        other threads run meanwhile.
        """
        if frames.shape != out.shape or not (frames.flags.c_contiguous and out.flags.c_contiguous):
            raise ValueError(f"frames {frames.shape} and out {out.shape} must be alike, and contiguous")
        given, moved = frames.reshape(-1), out.reshape(-1)
        for start in range(0, given.size, _PIECE):
            piece = slice(start, start + _PIECE)
            # No value lies beyond the table; of the ways not to look whether one does, this is the fastest.
            np.take(self.table, given[piece], out=moved[piece], mode="wrap")
        for original, frame in zip(frames, out, strict=True):
            frame.reshape(-1)[:exact] = original.reshape(-1)[:exact]

    def details(self) -> dict[str, str | int | float]:
        """Return what a file says of its pixels, by name; errors in counts."""
        values = (SHOT_NOISE, self.fraction, self.largest_error, round(self.added_variance, 6))
        return {**asdict(self.noise), **dict(zip(LOSSY, values, strict=True))}


def _added_variance(step: Any) -> Any:  # noqa: ANN401 - a number, or an array of them
    """Return what steps of an even number of counts add to the variance of whole numbers."""
    return (step * step + 2) / 12


def lossy_text(details: Mapping[str, Any]) -> str:
    """Return in words what `NoiseLadder.details` told a file, "" for one that it did not."""
    method, fraction, error, added = (details.get(name) for name in LOSSY)
    if method is None or not isinstance(added, int | float):
        return ""
    return (
        f"{method} {fraction}: values moved by {error} counts at most, which adds {100 * added:.2g} % "
        "to the variance of their noise at most"
    )
