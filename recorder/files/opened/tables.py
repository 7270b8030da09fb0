"""The tables of a file as arrays with text: marks, losses, commands, analysis."""

import functools
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.files.reader import OLD_CAUSES
from recorder.storage.records import TAKEN_BACK, LossRow, Row

# What a row says of a number that its file's layout did not have.
_NOT_KNOWN = {"number": -1, "effective_number": -1, "first_missing": -1}


def table(dataset: h5py.Dataset | None, row: type[Row]) -> NDArray[np.void]:
    """Return a table with every column of `row`, text as str; raises ValueError for what is none."""
    kind = row.dtype()
    names = kind.names or ()
    rows = np.zeros(0, kind) if dataset is None else dataset[:]
    there = rows.dtype.names or ()
    if dataset is not None and not there:
        raise ValueError(f"{dataset.name} is no table")
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        is_text = kind[name].kind == "S"
        if name in there:
            columns[name] = np.char.decode(rows[name], "utf-8", "replace") if is_text else rows[name]
        else:
            columns[name] = np.full(len(rows), "" if is_text else _NOT_KNOWN.get(name, 0))
    if row is LossRow:
        columns["cause"] = np.array(
            [OLD_CAUSES.get(str(cause), str(cause)) for cause in columns["cause"]], "U"
        )
    # Text at least one character wide: numpy has no narrower one.
    kinds = [(name, columns[name].dtype if kind[name].kind == "S" else kind[name]) for name in names]
    result = np.zeros(len(rows), kinds)
    for name in names:
        result[name] = columns[name]
    return result


def joined(parts: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the rows of several tables of one kind as one; text as wide as the widest."""
    widest = functools.reduce(np.promote_types, (part.dtype for part in parts))
    return np.concatenate([part.astype(widest) for part in parts])


def standing(marks: NDArray[np.void]) -> NDArray[np.void]:
    """Return the marks that were not taken back, in their order."""
    stands = np.ones(len(marks), bool)
    for i in np.flatnonzero(marks["label"] == TAKEN_BACK):
        stands[i] = False
        same = (
            stands[:i] & (marks["frame"][:i] == marks["frame"][i]) & (marks["label"][:i] == marks["text"][i])
        )
        stands[np.flatnonzero(same)[-1:]] = False
    return marks[stands]
