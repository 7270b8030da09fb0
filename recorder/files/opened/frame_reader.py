"""Read single frames of a recording, past the page cache where its recorder needs the computer."""

import contextlib
import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, StorageError
from recorder.files.opened.frames import Frames
from recorder.files.opened.unpacked_chunks import UnpackedChunks
from recorder.frames.pool import PAGE
from recorder.storage.direct_io import open_to_read, read_into

# What is read at once: a slow disk may be left between two pieces.
PIECE_BYTES = 4 * 2**20


class FrameReader:
    """Memory for one frame of `frames` (N, H, W), into which they are read; used from one thread at a time.

    With `aside`, past the page cache: the pages that the system would keep for a frame of 11 MB cost 14 ms of
    a processor, the reading itself 1 ms. Frames of a packed chunk are read through it, with all of the chunk.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.aside = False
        # Of frames that do not begin on a page, the pages that they begin and end in are read too.
        self._memory = mmap.mmap(-1, frames.frame_bytes // PAGE * PAGE + 3 * PAGE)
        self._fds: dict[tuple[Path, bool], int] = {}
        self._unpacked = UnpackedChunks()

    def read(
        self, index: int, rows: range, goes_on: Callable[[], bool] = lambda: True
    ) -> NDArray[Any] | None:
        """Return frame `index` (H, W), of which `rows` are read, valid until the next call.

        None where `goes_on`, asked between two pieces, says no. Raises DamagedFileError where the file ends
        before, StorageError where it is gone or the disk fails. Blocks.
        """
        file, within = self._frames.place(index)
        ((_, address, _),) = file.pieces(within, within + 1)
        _, height, width = self._frames.shape
        dtype = self._frames.dtype
        if address is None:
            frame: NDArray[Any] = np.frombuffer(self._memory, dtype, height * width).reshape(1, height, width)
            fd = self._descriptor(file.path, aside=False)
            file.read(fd, within, slice(0, height), frame, self._unpacked)
            whole: NDArray[Any] = frame[0]
            return whole
        # At the same distance from a page's begin as in the file.
        offset = address % PAGE
        row_bytes = width * dtype.itemsize
        begin, end = offset + rows.start * row_bytes, offset + rows.stop * row_bytes
        at = begin // PAGE * PAGE
        memory = memoryview(self._memory)
        while at < end:
            stop = min(at + PIECE_BYTES, -(-end // PAGE) * PAGE)
            count = self._read_at(file.path, address - offset + at, memory[at:stop])
            if count < min(stop, end) - at:
                if not count or count % PAGE:
                    raise DamagedFileError(f"{file.path}: cut short; recorder recover keeps what can be read")
                stop = at + count
            at = stop
            if at < end and not goes_on():
                return None
        pixels: NDArray[Any] = np.frombuffer(self._memory, dtype, height * width, offset).reshape(
            height, width
        )
        return pixels

    def _read_at(self, path: Path, address: int, memory: memoryview) -> int:
        """Fill memory from a page of a file on; return how many bytes there were."""
        try:
            try:
                return read_into(self._descriptor(path, aside=self.aside), address, memory)
            except OSError as error:
                # Some file systems have no direct I/O, or other limits for it.
                if not self.aside or error.errno != errno.EINVAL:
                    raise
                self.aside = False
                return read_into(self._descriptor(path, aside=False), address, memory)
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from None

    def _descriptor(self, path: Path, *, aside: bool) -> int:
        if (path, aside) not in self._fds:
            self._fds[path, aside] = open_to_read(path, past_cache=aside)
        return self._fds[path, aside]

    def close(self) -> None:
        """Let go of the files and, once nobody looks at the frame, of the memory."""
        while self._fds:
            os.close(self._fds.popitem()[1])
        with contextlib.suppress(BufferError):
            self._memory.close()
