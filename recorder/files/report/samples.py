"""What is read of the pixels: all of a short recording, of a long one frames at equal distances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.opened.frames import Frames
from recorder.files.opened.traces import Region
from recorder.preview.levels import as_seen, automatic, saturation_of

# What is read at most: some seconds of a disk's time, whatever the recording's length.
MAX_BYTES = 1_000_000_000

# Of more bytes than that, so many frames at most: on a turning disk each costs 10 ms.
MAX_FRAMES = 2000

# Frames that are shown, and how large they are at most: on paper, three of them beside each other are sharp.
PICTURES = 6
SIDE = 480


@dataclass(frozen=True)
class Picture:
    """Frame `index` in greys (h, w), its pixels averaged where it is larger than a picture."""

    index: int
    greys: NDArray[np.uint8]


@dataclass(frozen=True)
class Samples:
    """What was read of the frames `indices` (n,), which are all of `count` or some.

    `means` are those of all their pixels, `brightest` the greatest value in each; `pictures` show some of
    them, `levels` are the counts that are black and white in these. `values` has how many pixels of the
    frames that are shown have each value, `saturation` is the greatest that there can be.
    """

    indices: NDArray[np.int64]
    count: int
    means: NDArray[np.float64]
    brightest: NDArray[np.int64]
    pictures: tuple[Picture, ...]
    levels: tuple[int, int]
    values: NDArray[np.int64]
    saturation: int

    @property
    def saturated(self) -> int:
        """In how many of the frames that were read a pixel is saturated."""
        return int((self.brightest >= self.saturation).sum())


def read_samples(frames: Frames, bits: int, progress: Callable[[int, int], object]) -> Samples:
    """Read frames, of whose pixels the camera uses `bits`; there must be one. Blocks for some seconds.

    `progress` hears how many frames of how many were read. Raises DamagedFileError and StorageError.
    """
    count = len(frames)
    indices = np.arange(count)
    if frames.nbytes > MAX_BYTES:
        indices = _spread(count, min(MAX_FRAMES, max(PICTURES, MAX_BYTES // frames.frame_bytes)))
    shown = set(indices[_spread(len(indices), PICTURES)].tolist())
    region = Region.of(None, *frames.shape[1:])
    means, brightest = np.empty(len(indices)), np.empty(len(indices), np.int64)
    saturation = saturation_of(bits, frames.dtype)
    values = np.zeros(1 << 8 * min(2, frames.dtype.itemsize), np.int64)
    small: list[tuple[int, NDArray[Any]]] = []
    done = 0
    for block in _blocks(frames, indices):
        part = slice(done, done + len(block))
        means[part] = region.mean(block)
        brightest[part] = block.max(axis=(1, 2))
        for i, frame in zip(indices[part].tolist(), block, strict=True):
            if i in shown:
                values += np.bincount(frame.reshape(-1), minlength=len(values))[: len(values)]
                small.append((i, _reduced(frame)))
        done += len(block)
        progress(done, len(indices))
    dark, bright = automatic(np.sort(np.concatenate([each.reshape(-1) for _, each in small])))
    levels = round(dark), round(bright)
    pictures = tuple(Picture(i, as_seen(each, levels, bits)) for i, each in small)
    return Samples(indices, count, means, brightest, pictures, levels, values, saturation)


def _spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Return `wanted` of the indices below `count`, the first and the last among them; at most all."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64))


def _blocks(frames: Frames, indices: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """Yield the frames (n, H, W) of `indices`; they are overwritten after the next turn has begun."""
    if len(indices) == len(frames):
        for _, block in frames.blocks():
            yield block
        return
    one = np.empty((1, *frames.shape[1:]), frames.dtype)
    for i in indices.tolist():
        frames.read_into(i, one)
        yield one


def _reduced(frame: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of a frame (H, W) that is no larger than a picture; its pixels are means."""
    height, width = frame.shape
    step = max(1, -(-max(height, width) // SIDE))
    rows, columns = max(1, height // step), max(1, width // step)
    part = frame[: rows * step, : columns * step]
    if step == 1 or part.shape != (rows * step, columns * step):
        return frame[::step, ::step].copy()
    means: NDArray[np.float64] = part.reshape(rows, step, columns, step).mean(axis=(1, 3))
    return means.round().astype(frame.dtype)
