"""Frames one after the other in a file: put into their place past the page cache, and read back."""

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.export.content import BLOCK_BYTES, ahead
from recorder.storage.direct_io import DirectFile, open_again, open_to_read, read_into, write_at

# Where frames may begin in a file: on a page.
PAGE = mmap.PAGESIZE


def put_frames(path: Path, offset: int, blocks: Iterable[NDArray[Any]]) -> None:
    """Write blocks (k, h, w), C-contiguous, into an existing file from a byte on; raises OSError.

    Where `offset` is a multiple of `PAGE`, past the page cache: several times as fast, and what is read
    back then comes from the disk.
    """
    memory = memoryview(mmap.mmap(-1, BLOCK_BYTES))
    direct = DirectFile.open(path) if offset % PAGE == 0 else None
    fd = open_again(path)
    try:
        filled = 0
        for block in blocks:
            data = block.data.cast("B")
            while data:
                count = min(len(data), len(memory) - filled)
                memory[filled : filled + count] = data[:count]
                filled, data = filled + count, data[count:]
                if filled == len(memory):
                    direct = _put(fd, direct, memory, offset)
                    filled, offset = 0, offset + len(memory)
        if filled:
            direct = _put(fd, direct, memory[:filled], offset)
    finally:
        os.close(fd)
        if direct is not None:
            direct.close()


def _put(fd: int, direct: DirectFile | None, memory: memoryview, offset: int) -> DirectFile | None:
    """Write memory; return what the next is written with."""
    if direct is not None:
        try:
            direct.write(memory, 0, len(memory), offset)
            return direct
        except OSError as error:
            # Some file systems open for direct I/O and refuse to write.
            if error.errno != errno.EINVAL:
                raise
            direct.close()
    write_at(fd, offset, memory)
    return None


def read_frames(
    path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Yield frames (k, h, w) of an array (N, h, w) that begins at a byte of the file, valid until the next.

    They come from the disk, past the page cache where the system can. What is missing is not yielded. Raises
    OSError.
    """
    return ahead(_read_frames(path, offset, shape, dtype))


def _read_frames(
    path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    count, height, width = shape
    frame_bytes = height * width * dtype.itemsize
    step = min(count, max(1, BLOCK_BYTES // frame_bytes))
    # One is looked at, one is read. Before and behind the frames stands what else is in their pages.
    memories = [memoryview(mmap.mmap(-1, step * frame_bytes + 2 * PAGE)) for _ in range(2)]
    file = _Pages(path)
    try:
        for turn, first in enumerate(range(0, count, step)):
            begin = offset + first * frame_bytes
            before, wanted = begin % PAGE, min(step, count - first)
            memory = memories[turn % 2]
            there = file.read(begin - before, memory[: -(-(before + wanted * frame_bytes) // PAGE) * PAGE])
            found = min(wanted, max(0, there - before) // frame_bytes)
            if found:
                yield np.frombuffer(memory, dtype, found * height * width, before).reshape(-1, height, width)
            if found < wanted:
                return
    finally:
        file.close()


class _Pages:
    """A file whose whole pages are read, past the page cache where it can be."""

    def __init__(self, path: Path) -> None:
        self._path, self._is_direct = path, True
        self._fd = -1

    def read(self, address: int, memory: memoryview) -> int:
        """Fill memory, of whole pages; return how many bytes there were. Raises OSError."""
        done = 0
        # Where the file ends in a page it is over.
        while (
            done < len(memory) and done % PAGE == 0 and (count := self._read(address + done, memory[done:]))
        ):
            done += count
        return done

    def _read(self, address: int, memory: memoryview) -> int:
        try:
            if self._fd < 0:
                self._fd = open_to_read(self._path, past_cache=self._is_direct)
            return read_into(self._fd, address, memory)
        except OSError as error:
            if not self._is_direct or error.errno != errno.EINVAL:
                raise
            self.close()
            self._is_direct = False
            return self._read(address, memory)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
