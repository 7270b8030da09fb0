"""The chunks of a sound file as they were before they were packed, read from the disk on several threads."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError
from recorder.files.checks import Structure
from recorder.files.page_reader import PageReader, memory_for
from recorder.frames.checksum import checksums
from recorder.frames.pool import PAGE
from recorder.storage.packed_chunk import HEADER_BYTES, unpack


class Place:
    """Memory of one thread: for a chunk as it is, for one whose values are moved, and for a packed one."""

    def __init__(self, chunk_bytes: int, *, moves: bool = False) -> None:
        self.chunk = memory_for(chunk_bytes)
        self.moved = memory_for(chunk_bytes) if moves else None
        self.packed = memory_for(chunk_bytes + HEADER_BYTES)


class ChunkReader:
    """The chunks of the file at `path`, which `structure` describes."""

    def __init__(self, path: Path, structure: Structure) -> None:
        """Raises StorageError where the file cannot be opened."""
        self._path, self._structure = path, structure
        self._shape = (structure.frames_per_chunk, *structure.frame_shape)
        self.frame_bytes = int(np.prod(structure.frame_shape)) * np.dtype(structure.dtype).itemsize
        self.chunk_bytes = self.frame_bytes * structure.frames_per_chunk
        self.count = -(-structure.frames // structure.frames_per_chunk)
        self._file = PageReader(path)

    def frames(self, number: int) -> range:
        """Return which frames are in a chunk."""
        first = number * self._structure.frames_per_chunk
        return range(first, min(first + self._structure.frames_per_chunk, self._structure.frames))

    def read(self, number: int, place: Place) -> NDArray[Any]:
        """Return the pixels (k, H, W) of a chunk, zeros behind the file's last frame, in `place`.

        Raises DamagedFileError where they cannot be read, StorageError where the disk fails.
        """
        frames, address = self.frames(number), self._structure.chunks[number]
        if packed := self._structure.packed[number]:
            data = self._file.read(address, packed, place.packed)
            memory = place.chunk[: self.chunk_bytes]
            try:
                unpack(data, memory)
            except DamagedFileError as error:
                text = f"frames {frames[0]} to {frames[-1]} cannot be read: {error}"
                raise DamagedFileError(f"{self._path}: damaged: {text}") from None
        else:
            data = self._file.read(address, len(frames) * self.frame_bytes, place.chunk)
            offset = address % PAGE
            memory = place.chunk[offset : offset + self.chunk_bytes]
        pixels: NDArray[Any] = np.frombuffer(memory, self._structure.dtype).reshape(self._shape)
        pixels[len(frames) :] = 0
        return pixels

    def sums(self, number: int, pixels: NDArray[Any]) -> NDArray[np.uint32]:
        """Return the checksum of each frame of a chunk."""
        return checksums(frame.data.cast("B") for frame in pixels[: len(self.frames(number))])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
