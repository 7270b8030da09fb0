"""The pictures of the simulated camera: drifting blobs with shot noise, computed before the run."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of a pco.edge: offset in counts, electrons per count, noise of the readout in electrons.
DARK = 100
CONVERSION_FACTOR = 0.46
READ_NOISE = 1.4

# Noise is kept in such parts of a count, so that what is made brighter has noise of its own.
NOISE_STEPS = 8

# The exposure at which the scene is as bright as it is said to be.
REFERENCE_EXPOSURE_S = 0.005

# Pictures with noise of their own that follow one another; a few, so that memory goes to the pool.
MIN_PICTURES = 2
MAX_PICTURES = 16
PICTURE_BYTES = 24 * 2**20

# Rows by which the scene is higher than the frame: how far it drifts before it turns back.
DRIFT_ROWS = 64

# Samples handled at a time where pictures are made or rescaled: temporaries stay in the processor's cache.
_STRIP = 1 << 16


class Scene:
    """Pictures (H, W) uint16 that depend on size, seed, electrons, frame number and exposure alone.

    `electrons` are those of the brightest pixels at the reference exposure. Used on the camera thread; making
    one blocks for up to seconds.
    """

    def __init__(self, height: int, width: int, seed: int, electrons: float) -> None:
        self._height, self._width = height, width
        self._size = height * width
        length = (height + DRIFT_ROWS) * width
        fitting = PICTURE_BYTES // (2 * length)
        count = min(MAX_PICTURES, max(MIN_PICTURES, fitting))
        # In counts: the signal, and the noise that it has at the reference exposure.
        self._signal = np.concatenate(list(_blobs(height + DRIFT_ROWS, width, seed)))
        self._signal *= np.float32(electrons / CONVERSION_FACTOR)
        self._noise = np.empty((count, length), np.int16)
        rng = np.random.default_rng(seed)
        for noise in self._noise:
            for strip in _strips(length):
                # A normal of the same variance is as good as a Poisson, but for pixels that are almost dark.
                variance = self._signal[strip] / np.float32(CONVERSION_FACTOR)
                variance += np.float32((READ_NOISE / CONVERSION_FACTOR) ** 2)
                deviation = np.sqrt(variance) * np.float32(NOISE_STEPS)
                noise[strip] = rng.standard_normal(strip.stop - strip.start, np.float32) * deviation
        self._pictures = np.empty((count, length), np.uint16)
        self._exposures = [0.0] * count
        for i in range(count):
            self._expose(i, REFERENCE_EXPOSURE_S)

    def frame(self, number: int, exposure_s: float) -> NDArray[Any]:
        """Return frame `number` (H, W), exposed for `exposure_s`: a view, valid until the next call.

        With a new exposure the picture is rescaled first, which takes longer than a copy.
        """
        which = number % len(self._pictures)
        if self._exposures[which] != exposure_s:
            self._expose(which, exposure_s)
        # A triangle wave: the scene drifts up by a row a frame, then down again.
        row = abs((number + DRIFT_ROWS) % (2 * DRIFT_ROWS) - DRIFT_ROWS)
        start = row * self._width
        return self._pictures[which, start : start + self._size].reshape(self._height, self._width)

    @staticmethod
    def brighten(frame: NDArray[Any], times: float) -> None:
        """Make a frame (H, W) look as with so many times the light, in place."""
        light = (frame.astype(np.float32) - np.float32(DARK)) * np.float32(times) + np.float32(DARK)
        frame[:] = np.clip(light, 0, 65535)

    def _expose(self, which: int, exposure_s: float) -> None:
        """Make one picture anew in place, a strip at a time."""
        gain = np.float32(exposure_s / REFERENCE_EXPOSURE_S)
        louder = np.float32(np.sqrt(gain) / NOISE_STEPS)
        for strip in _strips(len(self._signal)):
            scaled = self._noise[which, strip] * louder
            scaled += self._signal[strip] * gain
            scaled += np.float32(DARK + 0.5)
            np.clip(scaled, 0, 65535, out=scaled)
            self._pictures[which, strip] = scaled
        self._exposures[which] = exposure_s


def _strips(length: int) -> Iterator[slice]:
    for start in range(0, length, _STRIP):
        yield slice(start, min(start + _STRIP, length))


def _blobs(rows: int, columns: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield the signal, 0 to 1, in rows, flat, float32: waves of a few lengths and directions."""
    rng = np.random.default_rng((seed, 1))
    x = np.arange(columns, dtype=np.float32) / columns
    waves = [(*rng.integers(1, 9, 2), *rng.uniform(0, 2 * np.pi, 2)) for _ in range(4)]
    for row in range(rows):
        y = row / rows
        line = np.zeros(columns, np.float32)
        for kx, ky, px, py in waves:
            line += np.cos(2 * np.pi * kx * x + px).astype(np.float32) * np.float32(
                np.cos(2 * np.pi * ky * y + py)
            )
        yield np.float32(0.5) * (1 + line / np.float32(len(waves)))
