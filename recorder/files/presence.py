"""What of a recording is really in its file, whatever its own structures say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.frames.pool import PAGE
from recorder.storage import layout
from recorder.storage.boot import is_same_boot
from recorder.storage.file_bytes import FileBytes
from recorder.storage.places import GrowingDataset, Places
from recorder.storage.records import ROWS

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
    def look(cls, hdf5: h5py.File, file: FileBytes, size: int) -> Self:
        """Compare a file of `size` bytes with what it says of itself; `file` are its bytes.

        Blocks: frames that were not synced are read. Raises OSError, KeyError, and NotOurFileError.
        """
        places = Places.of(hdf5, file)
        pixels = GrowingDataset.read(file, places.pixels)
        columns = {name: GrowingDataset.read(file, address) for name, address in places.columns.items()}
        tables = {name: GrowingDataset.read(file, address) for name, address in places.tables.items()}
        frames = min(dataset.rows_within(size) for dataset in (pixels, *columns.values()))
        rows = {name: table.rows_within(size) for name, table in tables.items()}
        synced = places.durable(file)
        is_in_doubt = synced is not None and not is_same_boot(
            bytes(hdf5["entry"][layout.DURABLE].attrs["boot_id"]).decode(errors="replace")
        )
        if synced is not None and is_in_doubt:
            for dataset, is_page_wise in ((pixels, True), *((column, False) for column in columns.values())):
                frames = _present(file, dataset, min(synced[0], frames), frames, is_page_wise=is_page_wise)
            for row, count in zip(ROWS, synced[1:], strict=True):
                rows[row.table] = min(rows[row.table], count)
        claimed = max(column.rows for column in columns.values())
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


def _present(file: FileBytes, dataset: GrowingDataset, first: int, stop: int, *, is_page_wise: bool) -> int:
    """Return how many rows there are up to the first of [first, stop) that never reached the disk.

    What did not is zeros: a page of a frame, a value of a column. Where the row before `first` has such zeros
    too, they mean nothing.
    """
    is_usual = first > 0 and _has_gap(file, dataset, first - 1, is_page_wise=is_page_wise)
    if is_usual:
        return stop
    for row in range(first, stop):
        if _has_gap(file, dataset, row, is_page_wise=is_page_wise):
            return row
    return stop


def _has_gap(file: FileBytes, dataset: GrowingDataset, row: int, *, is_page_wise: bool) -> bool:
    content: NDArray[Any] = np.frombuffer(dataset.read_rows(file, row, row + 1), np.uint8)
    if not is_page_wise:
        return not content.any()
    # Pages of the file, not of the frame: the first and the last one may belong to its neighbours as well.
    begin = -dataset.address_of(row) % PAGE
    starts = np.arange(begin, len(content), PAGE)
    parts = [content[:begin]] if begin else []
    sums = np.maximum.reduceat(content, starts) if len(starts) else np.array([1], np.uint8)
    return bool((sums == 0).any()) or any(len(part) and not part.any() for part in parts)
