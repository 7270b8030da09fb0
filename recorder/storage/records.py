"""What the file holds beside the frames: the rows of its tables, and its verdict.

A row is a dataclass; the table's columns are its fields, in their order. Frames are indices into `data`,
times are in s since the file's first frame, by the host's clock (in early files: since the first of its run).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields, replace
from enum import StrEnum
from functools import cache
from itertools import groupby
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from recorder.frames.ledger import Loss

TEXT = h5py.string_dtype("utf-8", 1024)
WORD = h5py.string_dtype("utf-8", 64)
ISO_TIME = h5py.string_dtype("ascii", 32)


class Verdict(StrEnum):
    """What became of a recording, from good to bad; `RECORDING` while it grows, or after a kill."""

    RECORDING = "recording"
    COMPLETE = "complete"
    FRAMES_LOST = "frames lost"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def severity(self) -> int:
        """How bad it is: of several, the worst one counts."""
        return list(Verdict).index(self)


def _column(dtype: DTypeLike) -> Any:  # noqa: ANN401 - as dataclasses.field itself
    return field(metadata={"dtype": dtype})


@dataclass(frozen=True)
class Row:
    """A row of table `table`; `help` says what its frames are, `required` what is never 0 or empty.

    `since` is the layout version from which on every file has the table.
    """

    table: ClassVar[str]
    since: ClassVar[int] = 1
    help: ClassVar[str]
    required: ClassVar[tuple[str, ...]]
    # A table's chunk: one flush writes it anew for every mark.
    chunk_rows: ClassVar[int] = 16

    @classmethod
    @cache
    def dtype(cls) -> np.dtype[np.void]:
        """Return the type of the table's rows in the file."""
        return np.dtype([(f.name, f.metadata["dtype"]) for f in fields(cls)])

    def counted_from(self, seconds: float | None) -> Self:
        """Return the row with its time counted from so many s later (None: not known yet, 0 stands for it).

        A row without a time stays as it is.
        """
        if not hasattr(self, "elapsed_s"):
            return self
        elapsed_s = 0.0 if seconds is None else self.elapsed_s - seconds
        return replace(self, elapsed_s=elapsed_s)  # type: ignore[call-arg]

    def packed(self) -> tuple[Any, ...]:
        """Return the values as the file takes them; a text that is too long loses its end."""
        kinds = [f.metadata["dtype"] for f in fields(self)]
        return tuple(
            fitted(value, np.dtype(kind).itemsize) if isinstance(value, str) else value
            for value, kind in zip(astuple(self), kinds, strict=True)
        )


# The label of a row that takes a mark back.
TAKEN_BACK = "unmark"


@dataclass(frozen=True)
class MarkRow(Row):
    """A mark on `frame`, -1 where its frame has been overwritten; `elapsed_s` since the file's first frame.

    `number` is the camera's counter of the frame (-1: none): it holds across files. A row with the label
    `TAKEN_BACK` takes back an earlier one: on its frame, with its label as text.
    """

    table = "marks"
    required = ("label", "source")
    help = "frame: index into data of the frame being exposed"

    frame: int = _column(np.int64)
    elapsed_s: float = _column(np.float64)
    label: str = _column(WORD)
    text: str = _column(TEXT)
    source: str = _column(WORD)
    number: int = _column(np.int64)


@dataclass(frozen=True)
class CommandRow(Row):
    """A command, as the journal has it.

    `frame` is the last one delivered when it was entered, `effective_frame` the first one it changed, or
    the one marked; -1 where there is none, or none in this file. The numbers are the camera's counters
    (-1: none): they hold across files.
    """

    table = "commands"
    required = ("time", "source", "command", "status")
    help = "frame: index into data of the last frame when entered; -1: none, or in another file"

    seq: int = _column(np.int64)
    time: str = _column(ISO_TIME)
    elapsed_s: float = _column(np.float64)
    frame: int = _column(np.int64)
    source: str = _column(WORD)
    command: str = _column(TEXT)
    status: str = _column(WORD)
    message: str = _column(TEXT)
    effective_frame: int = _column(np.int64)
    number: int = _column(np.int64)
    effective_number: int = _column(np.int64)


@dataclass(frozen=True)
class AnalysisRow(Row):
    """One value that the user's function returned for `frame`."""

    table = "analysis"
    required = ("frame_number", "name")
    help = "frame: index into data; one row for each value that analysis.function returned of it"

    frame: int = _column(np.int64)
    frame_number: int = _column(np.uint64)
    name: str = _column(WORD)
    value: float = _column(np.float64)


@dataclass(frozen=True)
class LossRow(Row):
    """A gap of `count` frames after `after_frame`, the first of which had the counter `first_missing`.

    `unread_s` is the longest time before it in which no frame was read from the camera; 0: not known.
    """

    table = "losses"
    required = ("count", "cause")
    help = "after_frame: index into data, -1 before the first; first_missing: the camera's counter"

    after_frame: int = _column(np.int64)
    count: int = _column(np.int64)
    cause: str = _column(WORD)
    elapsed_s: float = _column(np.float64)
    first_missing: int = _column(np.int64)
    unread_s: float = _column(np.float64)

    @classmethod
    def of(cls, loss: Loss) -> "LossRow":
        """Return the row of a loss."""
        words = loss.cause.words
        return cls(loss.after_frame, loss.count, words, loss.elapsed_s, loss.first_missing, loss.unread_s)


@dataclass(frozen=True)
class MetadataRow(Row):
    """What the user said of the recording while the file was written: `key` is `value` from then on.

    An empty value takes back an earlier one. `frame` is the last one delivered (-1: none, or in another
    file), `number` the camera's counter of it (-1: none).
    """

    table = "metadata_changes"
    since = 3
    required = ("key", "source")
    help = "key is value from this frame (index into data; -1: none here) on; later files begin with it"

    frame: int = _column(np.int64)
    elapsed_s: float = _column(np.float64)
    key: str = _column(WORD)
    value: str = _column(TEXT)
    source: str = _column(WORD)
    number: int = _column(np.int64)


# The most numbers of one row of a signal.
MAX_VALUES = 8


@dataclass(frozen=True)
class SignalNameRow(Row):
    """A signal, which `SignalRow.signal` means by the index of this row; its rows have `columns` numbers."""

    table = "signal_names"
    since = 5
    required = ("name", "columns")
    help = "signal in entry/signals is the index of one of these rows; columns: how many of values it uses"

    name: str = _column(WORD)
    columns: int = _column(np.int64)


@dataclass(frozen=True)
class SignalRow(Row):
    """Numbers that were measured beside the camera while `frame` was exposed; -1: its frame is not here.

    `time` is on the axis of the frames' own times, `elapsed_s` when the row arrived, by the host's clock as
    in other tables; `sender_s` is the time that its sender gave it by a clock of its own, NaN: none.
    """

    table = "signals"
    since = 5
    required = ("elapsed_s",)
    help = "frame: index into data of the frame being exposed; signal: index into entry/signal_names"
    chunk_rows = 512

    frame: int = _column(np.int64)
    time: float = _column(np.float64)
    elapsed_s: float = _column(np.float64)
    sender_s: float = _column(np.float64)
    signal: int = _column(np.uint16)
    values: tuple[float, ...] = _column(np.dtype((np.float64, (MAX_VALUES,))))


@dataclass(frozen=True)
class SignalLossRow(Row):
    """`count` rows of a signal that are not in the file, and why; `elapsed_s` is when that was noted."""

    table = "signal_losses"
    since = 5
    required = ("name", "count", "cause")
    help = "count rows of name were not stored, for this cause"

    name: str = _column(WORD)
    count: int = _column(np.int64)
    cause: str = _column(WORD)
    elapsed_s: float = _column(np.float64)


# In this order /entry/durable counts them: new ones come last.
ROWS: tuple[type[Row], ...] = (
    *(MarkRow, CommandRow, AnalysisRow, LossRow, MetadataRow),
    *(SignalNameRow, SignalRow, SignalLossRow),
)

# Rows of one kind, as the file has them.
RowBlock = tuple[type[Row], NDArray[Any]]


def blocks_of(rows: Iterable[Row]) -> list[RowBlock]:
    """Return rows as the file takes them, those of one kind that follow each other at once."""

    def kind(row: Row) -> type[Row]:
        return type(row)

    return [
        (same, np.array([row.packed() for row in group], same.dtype())) for same, group in groupby(rows, kind)
    ]


def fitted(text: str, size: int) -> bytes:
    """Return as much of `text` as fits into `size` bytes of UTF-8, no character cut in two."""
    return text.encode()[:size].decode(errors="ignore").encode()
