"""What an export is made of: the frames of a part, block by block, and what is known of them."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import crc32c
import numpy as np
from numpy.typing import NDArray

from recorder.errors import StorageError
from recorder.files.export.selection import Part, Shaping
from recorder.files.opened.frames import Frames

T = TypeVar("T")

# Of the frames read at once, unless one is larger.
BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Facts:
    """What is known of the frames exported, all arrays (n,) in their order.

    `times_s` count from `zero_utc` (None: not known); `exposures_s` has NaN where it is not known. `marks`
    are their positions among these frames, with label and text. `pixel_size_um` is across and down on the
    sample, of the pixels that are exported; `sensor_pixel_um` is the sensor's own (None: not known).
    `details` describe camera and recording, for people; `metadata` is the user's.
    """

    name: str
    times_s: NDArray[np.float64]
    exposures_s: NDArray[np.float64]
    numbers: NDArray[np.uint64]
    indices: NDArray[np.int64]
    channels: Sequence[str]  # their names, none where frames are of one kind
    sensor_pixel_um: tuple[float, float] | None
    zero_utc: datetime | None
    marks: list[tuple[int, str, str]]
    pixel_size_um: tuple[float, float] | None
    details: Mapping[str, str]
    metadata: Mapping[str, str | float]


@dataclass
class Content:
    """The frames of one output; `blocks` reads them once, and notes a checksum of each.

    `progress` hears how many frames were read, or read back.
    """

    frames: Frames
    part: Part
    shaping: Shaping
    facts: Facts
    progress: Callable[[int], object] = lambda _frames: None
    sums: list[int] = field(default_factory=list)
    _blocks: Generator[NDArray[Any], None, None] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many, height, width."""
        return len(self.part.indices), *self.shaping.shape(*self.frames.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a pixel."""
        return self.frames.dtype

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the frames (k, h, w), C-contiguous, one block after the other in bounded memory."""
        self.sums.clear()
        self._blocks = ahead(self._read())
        for block in self._blocks:
            self.progress(len(block))
            yield block

    def close(self) -> None:
        """Have nothing read any more, where not all of `blocks` was taken."""
        if self._blocks is not None:
            self._blocks.close()

    def _read(self) -> Iterator[NDArray[Any]]:
        for run in _runs(self.part.indices, max(1, BLOCK_BYTES // self.frames.frame_bytes)):
            block = self.shaping(self.frames[run])
            self.sums += (crc32c.crc32c(frame.data.cast("B")) for frame in block)
            yield block

    def compare(self, found: Iterator[NDArray[Any]], where: str) -> None:
        """Raise StorageError where frames (k, h, w) read back are not those that `blocks` gave."""
        count = 0
        for block in found:
            for frame in block:
                whole = np.ascontiguousarray(frame)
                if (
                    count >= len(self.sums)
                    or whole.shape != self.shape[1:]
                    or crc32c.crc32c(whole.data.cast("B")) != self.sums[count]
                ):
                    raise StorageError(f"{where}: frame {count} reads back otherwise than it was written")
                count += 1
            self.progress(len(block))
        if count != len(self.sums):
            raise StorageError(f"{where}: {count} of {len(self.sums)} frames can be read back")


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield items one after the other; while one is used the next is made, on a thread."""
    end = object()
    with ThreadPoolExecutor(1, "ahead") as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]


def _runs(indices: NDArray[np.int64], longest: int) -> Iterator[slice]:
    """Yield the indices, which rise, as slices with one step each, of `longest` frames at most."""
    begin = 0
    while begin < len(indices):
        step = int(indices[begin + 1] - indices[begin]) if begin + 1 < len(indices) else 1
        rest = indices[begin : begin + longest]
        same = np.flatnonzero(np.diff(rest) != step)
        count = int(same[0]) + 1 if len(same) else len(rest)
        first = int(rest[0])
        yield slice(first, first + (count - 1) * step + 1, step)
        begin += count
