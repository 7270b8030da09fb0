"""How pixels reach their chunk: past the page cache in place, packed, or by the library as they are."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from recorder.errors import StorageError
from recorder.frames.pool import PAGE, FrameSpan
from recorder.storage.direct_io import DirectFile, write_at
from recorder.storage.disk_limit import DiskLimit
from recorder.storage.hdf5_writer import HDF5Writer
from recorder.storage.layout import FileDescription
from recorder.storage.packed_span import PackedSpan, PackingFigures


class ChunkWriter:
    """The pixels of a file whose chunks are as large as blocks; `fd` is its descriptor for buffered writes.

    Every method blocks, is called on one thread if nothing else is said, and raises OSError or StorageError.
    """

    def __init__(
        self,
        path: Path,
        fd: int,
        hdf5: HDF5Writer,
        what: FileDescription,
        mode: Literal["auto", "direct", "buffered"],
        limit: float,
    ) -> None:
        """Raises StorageError where `mode` is "direct", and the disk cannot. `limit` is in bytes/s."""
        self._limit = DiskLimit(limit)
        self._path, self._fd, self._hdf5 = path, fd, hdf5
        self._frame_bytes, self._per_chunk = what.format.nbytes, what.frames_per_chunk
        self._chunk_bytes = self._frame_bytes * self._per_chunk
        self.is_packed = what.is_packed
        self._packing = PackingFigures(largest_error=what.ladder.largest_error if what.ladder else 0)
        self.direct = None if mode == "buffered" else DirectFile.open(path)
        if self.direct is None and mode == "direct":
            raise StorageError(f'{path}: no direct I/O on this disk; set storage.mode = "auto"')
        # How pixels are written: "direct" past the page cache, or "buffered" through it.
        self.mode = "buffered" if self.direct is None else "direct"

    @property
    def packing(self) -> PackingFigures | None:
        """What packing has done so far, None where nothing is packed; from any thread."""
        return self._packing if self.is_packed else None

    def room_for(self, span: FrameSpan | PackedSpan) -> int:
        """Return how many bytes of the disk a span takes."""
        return len(span.data) if isinstance(span, PackedSpan) else self._frame_bytes * len(span)

    def prepare(
        self, first: int, span: FrameSpan | PackedSpan, on_buffered: Callable[[], object]
    ) -> Callable[[], None] | None:
        """Have the library do its part for frames from index `first` on, all of one chunk.

        The dataset has room for them. Return what then writes their pixels without it, on whatever thread;
        None where the library has. Then `on_buffered` is called where the disk takes no direct writes.
        """
        chunk, offset = divmod(first, self._per_chunk)
        if offset + len(span) > self._per_chunk or (isinstance(span, PackedSpan) and offset):
            raise AssertionError(f"{span!r} does not follow frame {first} of {self._path}")
        if isinstance(span, PackedSpan):
            self._write_chunk(first, span.data, packed=True)
            return None
        memory = span.block.memory[: self._chunk_bytes]
        is_in_place = offset == span.start
        if self.is_packed and offset == 0:
            # All of the block: what comes later is written again in its place.
            self._write_chunk(first, memory, packed=False)
            if is_in_place:
                return None
        # Where in the file the block would be: a file may begin with any frame of a block.
        shift = (offset - span.start) * self._frame_bytes
        address = self._hdf5.chunk_address(chunk * self._per_chunk) + shift
        start, stop = span.start * self._frame_bytes, span.stop * self._frame_bytes
        # Otherwise memory and file may be at different places of a page.
        is_aligned = is_in_place or self._frame_bytes % PAGE == 0

        def write() -> None:
            with self._limit.writing(stop - start):
                self._write_at(
                    address, memory, start, stop, on_buffered, direct=is_aligned, is_first=not first
                )

        return write

    def _write_at(
        self,
        address: int,
        memory: memoryview,
        start: int,
        stop: int,
        on_buffered: Callable[[], object],
        *,
        direct: bool,
        is_first: bool,
    ) -> None:
        """Write memory[start:stop] where it is in a block that begins at `address` of the file."""
        if self.direct is not None and not direct:
            self._write_buffered(on_buffered)
        if self.direct is not None:
            try:
                self.direct.write(memory, start, stop, address)
                return
            except OSError as error:
                # Some file systems open for direct I/O and refuse the first write.
                if error.errno != errno.EINVAL or not is_first:
                    raise
                self._write_buffered(on_buffered)
        write_at(self._fd, address + start, memory[start:stop])

    def _write_buffered(self, on_buffered: Callable[[], object]) -> None:
        """Write through the page cache from now on."""
        self.close()
        self.mode = "buffered"
        on_buffered()

    def _write_chunk(self, first: int, data: memoryview, *, packed: bool) -> None:
        with self._limit.writing(len(data)):
            self._hdf5.write_chunk(first, data, packed=packed, direct=self.direct is not None)
        self._packing = self._packing.with_chunk(self._chunk_bytes, len(data), packed=packed)

    def close(self) -> None:
        """Let go of the descriptors for direct writes: what is written later goes through the page cache."""
        direct, self.direct = self.direct, None
        if direct is not None:
            direct.close()
