"""The pixels of one file, read at their addresses without HDF5; from any thread, process or computer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, StorageError
from recorder.files.opened.unpacked_chunks import UnpackedChunks
from recorder.storage.direct_io import open_to_read, read_into
from recorder.storage.packed_chunk import unpack

# Of frames of which a band of rows is wanted, the band alone is read where that leaves out so much.
WORTH_SKIPPING = 64 * 1024

# Frames that are read whole for a band of each are read so much at once.
WHOLE_BYTES = 16_000_000


@dataclass(frozen=True)
class FilePixels:
    """Where the frames (frames, height, width) of a file are.

    `addresses` (n,) are those of its chunks, `packed` (n,) their sizes in the file where they are packed, 0
    where they are stored as they are.
    """

    path: Path
    frames: int
    height: int
    width: int
    dtype: str
    frames_per_chunk: int
    addresses: NDArray[np.int64]
    packed: NDArray[np.int64]

    @property
    def frame_bytes(self) -> int:
        """Size of a frame."""
        return self.height * self.width * np.dtype(self.dtype).itemsize

    @property
    def stored_bytes(self) -> int:
        """How much of the file the frames take."""
        per_chunk = self.frames_per_chunk
        frames = np.minimum(per_chunk, self.frames - np.arange(len(self.packed)) * per_chunk)
        return int(np.where(self.packed, self.packed, frames * self.frame_bytes).sum())

    def pieces(self, first: int, stop: int) -> Iterator[tuple[int, int | None, int]]:
        """Yield where frames [first, stop) are: first of them, address, and how many follow each other there.

        None as the address: these are some of the frames of a packed chunk.
        """
        per_chunk, piece_first, begin, count = self.frames_per_chunk, first, 0, 0
        for chunk in range(first // per_chunk, -(-stop // per_chunk)):
            start, end = max(first, chunk * per_chunk), min(stop, (chunk + 1) * per_chunk)
            is_packed = bool(self.packed[chunk])
            address = int(self.addresses[chunk]) + (start - chunk * per_chunk) * self.frame_bytes
            if count and (is_packed or address != begin + count * self.frame_bytes):
                yield piece_first, begin, count
                count = 0
            if is_packed:
                yield start, None, end - start
                continue
            if not count:
                piece_first, begin = start, address
            count += end - start
        if count:
            yield piece_first, begin, count

    def open(self) -> int:
        """Return a descriptor to read from; raises StorageError where the file is gone."""
        try:
            return open_to_read(self.path)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be opened: {error.strerror or error}") from None

    def read(self, fd: int, first: int, rows: slice, out: NDArray[Any], unpacked: UnpackedChunks) -> None:
        """Fill `out` (n, r, W), contiguous, with rows [rows.start, rows.stop) of n frames from `first` on.

        `unpacked` keeps packed chunks of which a part was wanted, for as long as `fd` is open. Raises
        DamagedFileError where the file ends before, or a packed chunk is damaged, StorageError where the disk
        fails.
        """
        row_bytes = self.width * out.itemsize
        skipped = self.frame_bytes - out.shape[1] * row_bytes
        for start, address, count in self.pieces(first, first + len(out)):
            part = out[start - first : start - first + count]
            if address is None:
                self._read_packed(fd, start, rows, part, unpacked)
            elif not skipped:
                self._read_bytes(fd, address, part)
            elif skipped < WORTH_SKIPPING:
                self._read_whole(fd, address, rows, part)
            else:
                for i in range(count):
                    self._read_bytes(fd, address + i * self.frame_bytes + rows.start * row_bytes, part[i])

    def _read_packed(
        self, fd: int, first: int, rows: slice, out: NDArray[Any], unpacked: UnpackedChunks
    ) -> None:
        """Fill `out` with rows of frames that are in one packed chunk."""
        chunk, start = divmod(first, self.frames_per_chunk)
        shape = (self.frames_per_chunk, self.height, self.width)
        if out.shape == shape:
            self._unpack(fd, chunk, out)
            return

        def whole() -> NDArray[Any]:
            frames = np.empty(shape, out.dtype)
            self._unpack(fd, chunk, frames)
            return frames

        frames = unpacked.get((fd, chunk), self.frames_per_chunk * self.frame_bytes, whole)
        out[:] = frames[start : start + len(out), rows]

    def _unpack(self, fd: int, chunk: int, out: NDArray[Any]) -> None:
        data = np.empty(int(self.packed[chunk]), np.uint8)
        self._read_bytes(fd, int(self.addresses[chunk]), data)
        try:
            unpack(data.data, out.reshape(-1).view(np.uint8).data)
        except DamagedFileError as error:
            first = chunk * self.frames_per_chunk
            last = min(first + self.frames_per_chunk, self.frames) - 1
            raise DamagedFileError(f"{self.path}: frames {first} to {last} cannot be read: {error}") from None

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
