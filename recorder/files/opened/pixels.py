"""The pixels of one file, read at their addresses without HDF5; from any thread, process or computer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, StorageError
from recorder.storage.direct_io import open_to_read, read_into

# Of frames of which a band of rows is wanted, the band alone is read where that leaves out so much.
WORTH_SKIPPING = 64 * 1024

# Frames that are read whole for a band of each are read so much at once.
WHOLE_BYTES = 16_000_000


@dataclass(frozen=True)
class FilePixels:
    """Where the frames (frames, height, width) of a file are: `addresses` (n,) are those of its chunks."""

    path: Path
    frames: int
    height: int
    width: int
    dtype: str
    frames_per_chunk: int
    addresses: NDArray[np.int64]

    @property
    def frame_bytes(self) -> int:
        """Size of a frame."""
        return self.height * self.width * np.dtype(self.dtype).itemsize

    def pieces(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield where frames [first, stop) are: an address, and how many follow each other from there on."""
        per_chunk, begin, count = self.frames_per_chunk, 0, 0
        for chunk in range(first // per_chunk, -(-stop // per_chunk)):
            start, end = max(first, chunk * per_chunk), min(stop, (chunk + 1) * per_chunk)
            address = int(self.addresses[chunk]) + (start - chunk * per_chunk) * self.frame_bytes
            if count and address != begin + count * self.frame_bytes:
                yield begin, count
                count = 0
            begin, count = (begin if count else address), count + end - start
        if count:
            yield begin, count

    def open(self) -> int:
        """Return a descriptor to read from; raises StorageError where the file is gone."""
        try:
            return open_to_read(self.path)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be opened: {error.strerror or error}") from None

    def read(self, fd: int, first: int, rows: slice, out: NDArray[Any]) -> None:
        """Fill `out` (n, r, W), contiguous, with rows [rows.start, rows.stop) of n frames from `first` on.

        Raises DamagedFileError where the file ends before, StorageError where the disk fails.
        """
        row_bytes = self.width * out.itemsize
        skipped = self.frame_bytes - out.shape[1] * row_bytes
        filled = 0
        for address, count in self.pieces(first, first + len(out)):
            part = out[filled : filled + count]
            if not skipped:
                self._read_bytes(fd, address, part)
            elif skipped < WORTH_SKIPPING:
                self._read_whole(fd, address, rows, part)
            else:
                for i in range(count):
                    self._read_bytes(fd, address + i * self.frame_bytes + rows.start * row_bytes, part[i])
            filled += count

    def _read_whole(self, fd: int, address: int, rows: slice, out: NDArray[Any]) -> None:
        step = min(len(out), max(1, WHOLE_BYTES // self.frame_bytes))
        whole = np.empty((step, self.height, self.width), out.dtype)
        for begin in range(0, len(out), step):
            part = whole[: len(out) - begin]
            self._read_bytes(fd, address + begin * self.frame_bytes, part)
            out[begin : begin + step] = part[:, rows]

    def _read_bytes(self, fd: int, address: int, out: NDArray[Any]) -> None:
        left = out.reshape(-1).view(np.uint8).data
        while left:
            try:
                count = read_into(fd, address, left)
            except OSError as error:
                raise StorageError(f"{self.path}: cannot be read: {error.strerror or error}") from None
            if not count:
                raise DamagedFileError(f"{self.path}: cut short; recorder recover keeps what can be read")
            left, address = left[count:], address + count
