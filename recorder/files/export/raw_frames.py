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
from recorder.files.page_reader import PageReader, memory_for
from recorder.storage.direct_io import DirectFile, open_again, write_at

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
    OSError and StorageError.
    """
    return ahead(_read_frames(path, offset, shape, dtype))


def _read_frames(
    path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    _, height, width = shape
    frame_bytes = height * width * dtype.itemsize
    count = min(shape[0], max(0, path.stat().st_size - offset) // frame_bytes)
    step = max(1, min(count, BLOCK_BYTES // frame_bytes))
    # One is looked at, one is read.
    memories = [memory_for(step * frame_bytes) for _ in range(2)]
    with PageReader(path) as file:
        for turn, first in enumerate(range(0, count, step)):
            size = min(step, count - first) * frame_bytes
            data = file.read(offset + first * frame_bytes, size, memories[turn % 2])
            yield np.frombuffer(data, dtype).reshape(-1, height, width)
