"""Where in a file that grows the things are that change, to correct them without HDF5.

What grows (frames, their columns, the tables) is described by a header and an index of chunks; single values
(verdict, cause, times, frames synced) stand at fixed places. None of these is ever moved.
"""

import contextlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import h5py

from recorder.frames.metadata import COLUMNS
from recorder.storage import clock_values, layout
from recorder.storage.chunk_index import ChunkIndex, MissingIndexError
from recorder.storage.file_bytes import FileBytes
from recorder.storage.object_header import UNDEFINED, ObjectHeader
from recorder.storage.packed_chunk import unpack
from recorder.storage.records import ROWS, fitted

# Frames, then rows of each table; files of older layouts have fewer tables.
_COUNT = struct.Struct("<Q")
_NUMBER = struct.Struct("<d")

VALUES = ("verdict", "cause", "start_time", "end_time", "storage_mode", layout.DURABLE)


@dataclass(frozen=True)
class GrowingDataset:
    """A dataset with chunks as it is on disk: `rows` by its header, and the address of each chunk.

    `packed` are the chunks' sizes in the file where they are packed, 0 where they are stored as they are:
    these grow row by row, a packed one is there as a whole or not at all.
    """

    header_address: int
    rows: int
    row_bytes: int
    rows_per_chunk: int
    index_address: int
    chunks: tuple[int, ...]
    packed: tuple[int, ...]

    @classmethod
    def read(cls, file: FileBytes, address: int) -> Self:
        """Read the dataset whose header is at `address`; raises OSError and DamagedFileError."""
        header = ObjectHeader.read(file, address)
        place = header.chunk_index
        chunks: tuple[int, ...] = ()
        packed: tuple[int, ...] = ()
        if place.address != UNDEFINED:
            with contextlib.suppress(MissingIndexError):
                index = ChunkIndex.read(file, place.address, place.packed_from)
                chunks, packed = tuple(index.addresses), tuple(index.packed)
        return cls(
            header_address=address,
            rows=header.shape[0],
            row_bytes=place.chunk_bytes // place.rows_per_chunk,
            rows_per_chunk=place.rows_per_chunk,
            index_address=place.address,
            chunks=chunks,
            packed=packed,
        )

    @property
    def chunk_bytes(self) -> int:
        """Size of a chunk that is not packed."""
        return self.row_bytes * self.rows_per_chunk

    def end_of(self, chunk: int) -> int:
        """Return where in the file a chunk ends."""
        return self.chunks[chunk] + (self.packed[chunk] or self.chunk_bytes)

    def address_of(self, row: int) -> int:
        """Return where a row of a chunk that is not packed begins."""
        return self.chunks[row // self.rows_per_chunk] + row % self.rows_per_chunk * self.row_bytes

    def stored_bytes(self, rows: int) -> int:
        """Return how much of the file the first `rows` rows take."""
        return sum(
            self.packed[chunk] or (stop - first) * self.row_bytes
            for chunk, first, stop in self.pieces(0, rows)
        )

    def pieces(self, first: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield each chunk that has some of rows [first, stop), with the first of these and the one after."""
        for chunk in range(first // self.rows_per_chunk, -(-stop // self.rows_per_chunk)):
            begin = chunk * self.rows_per_chunk
            yield chunk, max(first, begin), min(stop, begin + self.rows_per_chunk)

    def rows_within(self, size: int) -> int:
        """Return how many rows are there in a file of `size` bytes, of those that the header tells of."""
        rows = min(self.rows, len(self.chunks) * self.rows_per_chunk)
        # Chunks are laid out in their order, but for those of a damaged file.
        while rows:
            chunk, last = divmod(rows - 1, self.rows_per_chunk)
            inside = max(0, size - self.chunks[chunk]) // self.row_bytes
            if self.packed[chunk]:
                inside = last + 1 if self.end_of(chunk) <= size else 0
            if inside > last:
                break
            rows += inside - last - 1
        return rows

    def read_rows(self, file: FileBytes, first: int, stop: int) -> bytes:
        """Return the bytes of rows [first, stop), zeros for what is not in the file.

        Raises OSError, and DamagedFileError for a packed chunk that cannot be unpacked.
        """
        parts = []
        for chunk, start, end in self.pieces(first, stop):
            size = (end - start) * self.row_bytes
            if self.packed[chunk]:
                whole = bytearray(self.chunk_bytes)
                unpack(file.read(self.chunks[chunk], self.packed[chunk]), memoryview(whole))
                at = start % self.rows_per_chunk * self.row_bytes
                parts.append(bytes(whole[at : at + size]))
            else:
                parts.append(file.read(self.address_of(start), size).ljust(size, b"\0"))
        return b"".join(parts)

    def keep(self, file: FileBytes, rows: int) -> int:
        """Have the dataset hold its first `rows` rows, all checksums right; return where the last chunk ends.

        Raises OSError, and DamagedFileError where it does not have so many.
        """
        count = -(-rows // self.rows_per_chunk)
        header = ObjectHeader.read(file, self.header_address)
        if count:
            ChunkIndex.read(file, self.index_address, header.chunk_index.packed_from).keep(count)
        else:
            header.forget_chunk_index()
        header.set_length(rows)
        header.write(file)
        return max(map(self.end_of, range(count)), default=0)


@dataclass(frozen=True)
class FileAddresses:
    """Addresses of the headers of what grows, and place and size of the single values.

    A column has its name in the detector, the mean of a region the path of that.
    """

    pixels: int
    columns: Mapping[str, int]
    tables: Mapping[str, int]
    values: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, hdf5: h5py.File, file: FileBytes) -> Self:
        """Look the addresses up in the links of an open file; the headers may be damaged.

        Raises OSError, KeyError, and DamagedFileError.
        """
        entry, detector = hdf5["entry"].id, hdf5[layout.DETECTOR].id
        names = [name for field in COLUMNS for name in (field.column, field.alias)]
        columns = {name: _header_address(detector, name) for name in names if _has(detector, name)}
        columns |= {
            f"{layout.REGIONS}/{name}": _header_address(group.id, "mean")
            for name, group in hdf5.get(layout.REGIONS, {}).items()
        }
        single = {name: _header_address(entry, name) for name in VALUES if _has(entry, name)}
        if (clock := hdf5["entry"].get(clock_values.GROUP)) is not None:
            single |= {
                f"{clock_values.GROUP}/{name}": _header_address(clock.id, name)
                for name in clock_values.VALUES
                if _has(clock.id, name)
            }
        return cls(
            pixels=_header_address(detector, "data"),
            columns=columns,
            tables={row.table: _header_address(entry, row.table) for row in ROWS if _has(entry, row.table)},
            values={name: ObjectHeader.read(file, at).contiguous for name, at in single.items()},
        )

    def keep(self, file: FileBytes, frames: int, rows: Mapping[str, int]) -> None:
        """Have a file hold so many frames, and so many rows of each table.

        Raises DamagedFileError and OSError.
        """
        lengths = dict.fromkeys((self.pixels, *self.columns.values()), frames)
        lengths |= {address: rows[table] for table, address in self.tables.items()}
        for address, length in lengths.items():
            GrowingDataset.read(file, address).keep(file, length)

    def set_text(self, file: FileBytes, name: str, text: str) -> None:
        """Write one of the values; a text that is too long loses its end. Raises OSError."""
        address, size = self.values[name]
        file.write(address, fitted(text, size).ljust(size, b"\0"))

    def set_clock(self, file: FileBytes, values: Mapping[str, float]) -> None:
        """Write the values of `storage.clock_values`, by name; raises OSError."""
        for name, value in values.items():
            address, _ = self.values[f"{clock_values.GROUP}/{name}"]
            file.write(address, _NUMBER.pack(value))

    def text(self, file: FileBytes, name: str) -> str:
        """Return one of the values; raises OSError."""
        address, size = self.values[name]
        return file.read(address, size).rstrip(b"\0").decode(errors="replace")

    def set_durable(self, file: FileBytes, counts: Sequence[int]) -> None:
        """Write how many frames, and rows of each table, are on the disk for certain; raises OSError."""
        address, _ = self.values[layout.DURABLE]
        file.write(address, b"".join(map(_COUNT.pack, counts)))

    def durable(self, file: FileBytes) -> tuple[int, ...] | None:
        """Return how many frames, and rows of each table, are on the disk for certain; None: not known."""
        address, size = self.values.get(layout.DURABLE, (0, 0))
        if size == 0 or size % _COUNT.size or size > _COUNT.size * (1 + len(ROWS)):
            return None
        return tuple(count for (count,) in _COUNT.iter_unpack(file.read(address, size).ljust(size, b"\0")))


def _has(group: h5py.h5g.GroupID, name: str) -> bool:
    """Return whether a group has something of this name itself, and not a link to it."""
    if not (name and group.links.exists(name.encode())):
        return False
    return bool(group.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD)


def _header_address(group: h5py.h5g.GroupID, name: str) -> int:
    return int(group.links.get_info(name.encode()).u)
