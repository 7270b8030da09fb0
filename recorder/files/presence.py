"""What of a recording is really in its file, whatever its own structures say."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError
from recorder.frames.checksum import checksums
from recorder.frames.metadata import CHECKSUM, COLUMNS, STORED
from recorder.frames.pool import PAGE
from recorder.storage import layout
from recorder.storage.boot_id import is_same_boot
from recorder.storage.chunk_index import SECTOR, never_landed
from recorder.storage.file_addresses import FileAddresses, GrowingDataset
from recorder.storage.file_bytes import FileBytes
from recorder.storage.packed_chunk import packed_bytes, unpack
from recorder.storage.records import ROWS, Row, Verdict

# Counters begin at 1.
_NEVER_ZERO = {STORED[0].column, STORED[0].alias}
_CLOCKS = [name for field in COLUMNS if field.is_clock for name in (field.column, field.alias)]

# Fields of tables that are indices into the frames' dataset.
_INDICES = ("frame", "effective_frame", "after_frame")


@dataclass(frozen=True)
class Presence:
    """The frames and rows that are there; `claimed` frames have a row according to the file.

    `is_in_doubt`: it was never closed, and the computer has been down since, in order or not: what was not
    synced may be there in parts only.
    """

    places: FileAddresses
    pixels: GrowingDataset
    columns: Mapping[str, GrowingDataset]
    tables: Mapping[str, GrowingDataset]
    frames: int
    claimed: int
    rows: Mapping[str, int]
    was_closed: bool
    is_in_doubt: bool

    @classmethod
    def look(cls, hdf5: h5py.File, file: FileBytes, size: int, *, is_cut_short: bool, is_open: bool) -> Self:
        """Compare a file of `size` bytes with what it says of itself; `file` are its bytes.

        `is_cut_short`: the file's end is gone, and frames that were durable may be as well. `is_open`: its
        first bytes say that a recorder has it open; one that was closed is believed.
        Blocks: frames that were not synced are read. Raises OSError, KeyError, and DamagedFileError.
        """
        places = FileAddresses.of(hdf5, file)
        pixels = GrowingDataset.read(file, places.pixels)
        columns = {name: GrowingDataset.read(file, address) for name, address in places.columns.items()}
        tables = {name: GrowingDataset.read(file, address) for name, address in places.tables.items()}
        frames = min(dataset.rows_within(size) for dataset in (pixels, *columns.values()))
        rows = {name: table.rows_within(size) for name, table in tables.items()}
        durable = places.durable(file)
        claimed = max(column.rows for column in columns.values())
        was_closed = not is_open and places.text(file, "verdict") != Verdict.RECORDING
        is_in_doubt = (
            not was_closed
            and durable is not None
            and not is_same_boot(
                bytes(hdf5["entry"][layout.DURABLE].attrs["boot_id"]).decode(errors="replace")
            )
        )
        if durable is not None and is_in_doubt:
            for name, column in columns.items():
                # Clocks begin at 0, which is no sign of anything.
                begin = max(durable[0], 2 if name in _CLOCKS else 0)
                is_zero_possible = name not in _NEVER_ZERO
                frames = _present(file, column, min(begin, frames), frames, is_zero_possible)
            sums = columns.get(CHECKSUM.column)
            first = min(durable[0], frames)
            if sums is not None:
                frames = _unchanged(file, pixels, sums, first, frames)
            else:
                frames = _present(file, pixels, first, frames, is_zero_possible=False)
            for row, count in zip(ROWS, durable[1:], strict=False):
                if row.table in tables:
                    rows[row.table] = _present_rows(file, tables[row.table], row, count, rows[row.table])
        if durable is not None and frames < min(durable[0], claimed) and not is_cut_short:
            raise DamagedFileError(
                f"damaged: {durable[0]} frames were on the disk for certain, and only {frames} can be found"
            )
        return cls(places, pixels, columns, tables, frames, claimed, rows, was_closed, is_in_doubt)

    @property
    def missing_rows(self) -> int:
        """How many rows of tables the file speaks of that are not there."""
        return sum(table.rows - self.rows[name] for name, table in self.tables.items())

    @property
    def is_whole(self) -> bool:
        """Whether all that the file speaks of is there."""
        return self.pixels.rows == self.claimed == self.frames and all(
            table.rows == self.rows[name] for name, table in self.tables.items()
        )

    def keep(self, file: FileBytes) -> int:
        """Have the file hold what is there and nothing else; return where it must end at the earliest."""
        ends = [dataset.keep(file, self.frames) for dataset in (self.pixels, *self.columns.values())]
        for row in ROWS:
            if row.table in self.tables:
                table, count = self.tables[row.table], self.rows[row.table]
                ends.append(table.keep(file, count))
                self._correct_indices(file, table, count, row.dtype())
        return max(ends)

    def _correct_indices(
        self, file: FileBytes, table: GrowingDataset, count: int, dtype: np.dtype[np.void]
    ) -> None:
        """Have no row speak of a frame that is not there: a mark says -1, a loss comes after the last."""
        for name in set(_INDICES) & set(dtype.names or ()):
            offset = dtype.fields[name][1]  # type: ignore[index]
            if offset + 8 > table.row_bytes or not count:
                continue
            new = self.frames - 1 if name == "after_frame" else -1
            for _, begin, end in table.pieces(0, count):
                content = np.frombuffer(table.read_rows(file, begin, end), np.uint8).reshape(end - begin, -1)
                values = np.ascontiguousarray(content[:, offset : offset + 8]).view("<i8")[:, 0]
                for i in np.flatnonzero(values >= self.frames) + begin:
                    file.write(table.address_of(int(i)) + offset, new.to_bytes(8, "little", signed=True))


def _present(file: FileBytes, dataset: GrowingDataset, first: int, stop: int, is_zero_possible: bool) -> int:
    """Return how many rows there are up to the first of [first, stop) that did not reach the disk as a whole.

    What did not is zeros: a sector of a frame, or a page of it; a value of a column. Where the row before
    `first`, which did, has such zeros as well, they mean nothing. Where there is none before, a column of
    zeros only is one of values (a sensor at 0 degrees) if `is_zero_possible`. In a packed chunk, which did as
    a whole or did not, a sector of zeros always means something: Blosc would have packed it.
    """
    if first >= stop:
        return stop
    if first == 0 and not dataset.packed[0] and not any(dataset.read_rows(file, 0, 1)):
        return stop if is_zero_possible and not any(dataset.read_rows(file, 0, stop)) else 0
    known, sizes = max(0, first - 1), [SECTOR, PAGE]
    with contextlib.suppress(DamagedFileError):  # a packed chunk that never came tells nothing
        sizes = [size for size in sizes if not _has_gap(file, dataset, known, size)]
    for chunk, begin, end in dataset.pieces(first, stop):
        if dataset.packed[chunk]:
            if not _is_packed_whole(file, dataset, chunk):
                return begin
        elif sizes:
            for row in range(begin, end):
                if _has_gap(file, dataset, row, sizes[0]):
                    return row
    return stop


def _present_rows(file: FileBytes, table: GrowingDataset, row: type[Row], first: int, stop: int) -> int:
    """Return how many rows there are up to the first of [first, stop) that lacks what every row has."""
    dtype = row.dtype()
    if first >= stop or table.row_bytes != dtype.itemsize:
        return stop
    rows = np.frombuffer(table.read_rows(file, first, stop), dtype)
    is_whole = np.ones(len(rows), bool)
    for name in row.required:
        is_whole &= rows[name] != np.zeros(1, dtype[name])[0]
    return first + (len(rows) if is_whole.all() else int(np.argmin(is_whole)))


def _unchanged(file: FileBytes, pixels: GrowingDataset, sums: GrowingDataset, first: int, stop: int) -> int:
    """Return how many frames there are up to the first of [first, stop) that its checksum does not fit."""
    for _, begin, end in pixels.pieces(first, stop):
        try:
            content = memoryview(pixels.read_rows(file, begin, end))
        except DamagedFileError:
            return begin
        size = pixels.row_bytes
        found = checksums(content[at : at + size] for at in range(0, len(content), size))
        wrong = found != np.frombuffer(sums.read_rows(file, begin, end), f"<u{sums.row_bytes}")
        if wrong.any():
            return begin + int(np.argmax(wrong))
    return stop


def _is_packed_whole(file: FileBytes, dataset: GrowingDataset, chunk: int) -> bool:
    """Return whether all of a packed chunk reached the disk."""
    address = dataset.chunks[chunk]
    data = file.read(address, dataset.packed[chunk])
    try:
        size = packed_bytes(data, dataset.chunk_bytes)
        unpack(data, memoryview(bytearray(dataset.chunk_bytes)))
    except DamagedFileError:
        return False
    # With what fills up its last sector: if that is zeros, those that a codec may end with count against it.
    return not never_landed(data[: size + -(address + size) % SECTOR], address)


def _has_gap(file: FileBytes, dataset: GrowingDataset, row: int, size: int) -> bool:
    """Return whether a row has zeros only in its part of one of the file's pieces of `size` bytes."""
    content: NDArray[Any] = np.frombuffer(dataset.read_rows(file, row, row + 1), np.uint8)
    # Chunks that may be packed begin on a page.
    is_packed = dataset.packed[row // dataset.rows_per_chunk]
    place = row % dataset.rows_per_chunk * dataset.row_bytes if is_packed else dataset.address_of(row)
    begin = -place % size
    starts = np.unique([0, *range(begin, len(content), size)])
    return bool((np.maximum.reduceat(content, starts) == 0).any())
