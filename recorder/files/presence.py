"""What of a recording is really in its file, whatever its own structures say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError
from recorder.frames.checksum import checksums
from recorder.frames.metadata import CHECKSUM, COLUMNS
from recorder.frames.pool import PAGE
from recorder.storage import layout
from recorder.storage.boot import is_same_boot
from recorder.storage.file_bytes import FileBytes
from recorder.storage.places import GrowingDataset, Places
from recorder.storage.records import ROWS

# What a disk writes as a whole.
SECTOR = 512

_CLOCKS = [name for field in COLUMNS if field.is_clock for name in (field.column, field.alias)]

# Fields of tables that are indices into the frames' dataset.
_INDICES = ("frame", "effective_frame", "after_frame")


@dataclass(frozen=True)
class Presence:
    """The frames and rows that are there; `claimed` frames have a row according to the file.

    `is_in_doubt`: the computer has been down since, so that what was not synced may be there in parts only.
    """

    places: Places
    pixels: GrowingDataset
    columns: Mapping[str, GrowingDataset]
    tables: Mapping[str, GrowingDataset]
    frames: int
    claimed: int
    rows: Mapping[str, int]
    is_in_doubt: bool

    @classmethod
    def look(cls, hdf5: h5py.File, file: FileBytes, size: int, *, is_cut_short: bool) -> Self:
        """Compare a file of `size` bytes with what it says of itself; `file` are its bytes.

        `is_cut_short`: the file's end is gone, and frames that were durable may be as well.
        Blocks: frames that were not synced are read. Raises OSError, KeyError, and DamagedFileError.
        """
        places = Places.of(hdf5, file)
        pixels = GrowingDataset.read(file, places.pixels)
        columns = {name: GrowingDataset.read(file, address) for name, address in places.columns.items()}
        tables = {name: GrowingDataset.read(file, address) for name, address in places.tables.items()}
        frames = min(dataset.rows_within(size) for dataset in (pixels, *columns.values()))
        rows = {name: table.rows_within(size) for name, table in tables.items()}
        synced = places.durable(file)
        clocks = [columns[name] for name in _CLOCKS if name in columns]
        is_in_doubt = synced is not None and not is_same_boot(
            bytes(hdf5["entry"][layout.DURABLE].attrs["boot_id"]).decode(errors="replace")
        )
        if synced is not None and is_in_doubt:
            for dataset in (pixels, *columns.values()):
                # Clocks begin at 0.
                begin = 1 if dataset in clocks else 0
                frames = _present(file, dataset, min(max(begin, synced[0]), frames), frames)
            if CHECKSUM.column in columns:
                sums = columns[CHECKSUM.column]
                frames = _unchanged(file, pixels, sums, min(synced[0], frames), frames)
            for row, count in zip(ROWS, synced[1:], strict=True):
                rows[row.table] = min(rows[row.table], count)
        claimed = max(column.rows for column in columns.values())
        if synced is not None and frames < min(synced[0], claimed) and not is_cut_short:
            raise DamagedFileError(
                f"damaged: {synced[0]} frames were on the disk for certain, and only {frames} can be found"
            )
        return cls(places, pixels, columns, tables, frames, claimed, rows, is_in_doubt)

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
            for i in range(count):
                place = table.address_of(i) + offset
                if int.from_bytes(file.read(place, 8), "little", signed=True) >= self.frames:
                    new = self.frames - 1 if name == "after_frame" else -1
                    file.write(place, new.to_bytes(8, "little", signed=True))


def _present(file: FileBytes, dataset: GrowingDataset, first: int, stop: int) -> int:
    """Return how many rows there are up to the first of [first, stop) that did not reach the disk as a whole.

    What did not is zeros: a sector of a frame, or a page of it; a value of a column. Where the row before
    `first`, which did, has such zeros as well, they mean nothing.
    """
    sizes = [size for size in (SECTOR, PAGE) if first <= 1 or not _has_gap(file, dataset, first - 1, size)]
    if sizes:
        for row in range(first, stop):
            if _has_gap(file, dataset, row, sizes[0]):
                return row
    return stop


def _unchanged(file: FileBytes, pixels: GrowingDataset, sums: GrowingDataset, first: int, stop: int) -> int:
    """Return how many frames there are up to the first of [first, stop) that its checksum does not fit."""
    for row in range(first, stop):
        (found,) = checksums([memoryview(pixels.read_rows(file, row, row + 1))])
        if int(found) != int.from_bytes(sums.read_rows(file, row, row + 1), "little"):
            return row
    return stop


def _has_gap(file: FileBytes, dataset: GrowingDataset, row: int, size: int) -> bool:
    """Return whether a row has zeros only in its part of one of the file's pieces of `size` bytes."""
    content: NDArray[Any] = np.frombuffer(dataset.read_rows(file, row, row + 1), np.uint8)
    begin = -dataset.address_of(row) % size
    starts = np.unique([0, *range(begin, len(content), size)])
    return bool((np.maximum.reduceat(content, starts) == 0).any())
