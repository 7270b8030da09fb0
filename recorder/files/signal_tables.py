"""The tables of signals in a file: which there are, and how many rows each has."""

from collections.abc import Iterator

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.storage.records import MAX_VALUES, SignalNameRow, SignalRow

# What is read at once, in rows.
READ_ROWS = 1 << 16


def parts_of(table: h5py.Dataset) -> Iterator[NDArray[np.void]]:
    """Yield the rows of a table that may be more than fits into memory, some at a time."""
    for first in range(0, len(table), READ_ROWS):
        yield table[first : first + READ_ROWS]


def signal_names(entry: h5py.Group) -> list[tuple[str, int]]:
    """Return the name of each signal of a file, in their order, and how many numbers its rows have."""
    if SignalNameRow.table not in entry:
        return []
    rows = entry[SignalNameRow.table][:]
    return [
        (bytes(row["name"]).decode(errors="replace"), min(max(1, int(row["columns"])), MAX_VALUES))
        for row in rows
    ]


def signal_counts(entry: h5py.Group) -> dict[str, int]:
    """Return how many rows each signal of a file has, by its name."""
    names = [name for name, _ in signal_names(entry)]
    counts = np.zeros(1 << 16, np.int64)
    if names:
        table = entry[SignalRow.table]
        for first in range(0, len(table), READ_ROWS):
            counts += np.bincount(table.fields("signal")[first : first + READ_ROWS], minlength=len(counts))
    return {name: int(count) for name, count in zip(names, counts, strict=False)}
