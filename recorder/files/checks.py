"""What must hold of a file: each check is a generator of problems.

These look at everything but pixels, with HDF5, and are called in a process that can be given up.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, UsageError
from recorder.files.opening import DAMAGE, open_recording
from recorder.files.reader import channel_names, column, columns
from recorder.files.signal_tables import parts_of
from recorder.frames.metadata import CHANNEL, CHECKSUM, NUMBERS_BEGIN, STORED, channel_of
from recorder.storage import layout
from recorder.storage.axes import AXES, AXES_SINCE
from recorder.storage.file_addresses import FileAddresses, GrowingDataset
from recorder.storage.file_bytes import Readable
from recorder.storage.layout import JOURNAL_SUFFIX
from recorder.storage.records import ROWS, SignalLossRow, SignalNameRow, SignalRow, Verdict, fitted


class Kind(StrEnum):
    """How bad a problem is."""

    DAMAGE = "damage"  # the file is not what its recorder wrote, or was never finished
    LOSS = "loss"  # it is sound, and says itself that frames are missing, or that the recording failed


@dataclass(frozen=True)
class Problem:
    """Something that does not hold: the check that found it, and what it found."""

    kind: Kind
    check: str
    text: str


@dataclass(frozen=True)
class Structure:
    """A file without its pixels: where chunk i of `data` is, what each frame's number is, what is wrong.

    `packed` is the size of each chunk in the file, 0 of one that is stored as it is. `counts_anew`:
    timestamps in the pixels may be ahead of the numbers, or behind them.
    """

    frames: int
    frame_shape: tuple[int, int]
    dtype: str
    frames_per_chunk: int
    chunks: tuple[int, ...]
    packed: tuple[int, ...]
    numbers: NDArray[np.uint64]
    counts_anew: bool
    checksums: NDArray[np.uint32] | None
    lost: int
    problems: tuple[Problem, ...]


@dataclass
class Subject:
    """What the checks look at."""

    path: Path
    file: h5py.File
    numbers: NDArray[np.uint64]
    losses: NDArray[Any]
    pixels: GrowingDataset
    size: int

    @property
    def detector(self) -> h5py.Group:
        """The group of the frames and their columns."""
        return self.file[layout.DETECTOR]

    @property
    def entry(self) -> h5py.Group:
        """The group of everything."""
        return self.file["entry"]


Check = Callable[[Subject], Iterator[Problem]]


def _damage(check: str, text: str) -> Problem:
    return Problem(Kind.DAMAGE, check, text)


def check_closed(subject: Subject) -> Iterator[Problem]:
    """It was closed by its recorder, and a verdict says how it ended."""
    verdict = bytes(subject.entry["verdict"][()]).decode(errors="replace")
    if verdict == Verdict.RECORDING or verdict not in set(Verdict):
        yield _damage("closed", f'it was never closed (verdict "{verdict}"); recorder recover closes it')
    elif verdict == Verdict.FAILED:
        cause = bytes(subject.entry["cause"][()]).decode(errors="replace")
        yield Problem(Kind.LOSS, "closed", f"the recording failed: {cause}")


def check_layout_names(subject: Subject) -> Iterator[Problem]:
    """Groups, attributes and columns that every program looks for are there."""
    for name, attribute, value in (
        ("/", "default", b"entry"),
        ("entry", "NX_class", b"NXentry"),
        ("entry/data", "signal", b"data"),
        (layout.DETECTOR, "NX_class", b"NXdetector"),
    ):
        found = subject.file[name].attrs.get(attribute) if name in subject.file else None
        if found is None or bytes(found) != value:
            yield _damage("layout", f"{name} has no {attribute} = {value.decode()}")
    version = subject.entry.get("definition_version")
    for field in STORED:
        is_due = version is None or field.since <= int(version[()])
        if is_due and column(subject.detector, field) is None:
            yield _damage("layout", f"{layout.DETECTOR} has no {field.column}")
    for row in ROWS:
        is_due = row.since <= (1 if version is None else int(version[()]))
        if is_due and row.table not in subject.entry:
            yield _damage("layout", f"entry has no {row.table}")


def check_axes(subject: Subject) -> Iterator[Problem]:
    """The axes of the frames have their names, by which other programs find times and places."""
    version = subject.entry.get("definition_version")
    if version is None or int(version[()]) < AXES_SINCE:
        return
    frames = subject.detector["data"]
    for axis, name in enumerate(AXES):
        if not len(frames.dims[axis]):
            yield _damage("axes", f"axis {axis} of the frames has no scale")
            continue
        scale = frames.dims[axis][0]
        found, length = str(scale.name).rpartition("/")[2], frames.shape[axis]
        if found != name or len(scale) != length:
            text = f"axis {axis} of the frames is called {found} and has {len(scale)} of {length} values"
            yield _damage("axes", text)


def check_lengths(subject: Subject) -> Iterator[Problem]:
    """Every frame has its pixels and a value in each column."""
    for values in columns(subject.file):
        if len(values) != subject.pixels.rows:
            name = values.name.removeprefix(f"/{layout.DETECTOR}/")
            yield _damage("lengths", f"{name} has {len(values)} values for {subject.pixels.rows} frames")


def check_numbers(subject: Subject) -> Iterator[Problem]:
    """Frame numbers rise, and every gap between them is accounted for in entry/losses."""
    numbers = subject.numbers.astype(np.int64)
    after, counts = subject.losses["after_frame"], subject.losses["count"]
    accounted = np.zeros(len(numbers) + 1, np.int64)
    inside = (after >= -1) & (after < len(numbers))
    np.add.at(accounted, after[inside] + 1, counts[inside])
    steps = np.diff(numbers)
    for i in np.flatnonzero(steps <= 0)[:10]:
        yield Problem(Kind.LOSS, "numbers", f"the camera's counter began anew after frame {i}")
    missing = np.where(steps > 0, steps - 1, 0)
    for i in np.flatnonzero((missing != accounted[1:-1]) & (steps > 0))[:10]:
        yield _damage(
            "numbers",
            f"{missing[i]} numbers are missing after frame {i}, and entry/losses tells of {accounted[i + 1]}",
        )
    if counts.sum():
        yield Problem(Kind.LOSS, "numbers", f"{counts.sum()} frames are missing, as entry/losses says")
    if (counts <= 0).any() or not inside.all():
        yield _damage("losses", "entry/losses has rows about frames that are not there")


def check_channels(subject: Subject) -> Iterator[Problem]:
    """Frames are of the channels in turn, by their numbers."""
    of, names = column(subject.detector, CHANNEL), channel_names(subject.detector)
    if of is not None:
        wrong = np.flatnonzero(of[:] != channel_of(subject.numbers, max(1, len(names))))
        if len(wrong):
            yield _damage("channels", f"frame {wrong[0]} is of another channel than its number says")


def check_times(subject: Subject) -> Iterator[Problem]:
    """Times rise from frame to frame, and exposures are positive or not known."""
    fields = {field.name: column(subject.detector, field) for field in STORED}
    for name in ("camera_time_ns", "host_time_ns"):
        values = fields[name]
        if values is not None:
            falls = np.flatnonzero(~(np.diff(values[:]) >= 0))
            if len(falls):
                yield _damage("times", f"{values.name} does not rise after frame {falls[0]}")
    exposures = fields["exposure_s"]
    if exposures is not None and (exposures[:] <= 0).any():
        yield _damage("times", f"{exposures.name} has values that are no exposures")


def check_chunks(subject: Subject) -> Iterator[Problem]:
    """Every chunk of pixels is there, in a place of its own."""
    there = subject.pixels.rows_within(subject.size)
    if there < subject.pixels.rows:
        yield _damage(
            "chunks", f"{subject.pixels.rows - there} frames have no pixels; recorder recover says which"
        )
    begins = np.array(subject.pixels.chunks, np.uint64)
    sizes = np.array(subject.pixels.packed, np.uint64)
    order = np.argsort(begins)
    sizes = np.where(sizes, sizes, np.uint64(subject.pixels.chunk_bytes))[order]
    if (np.diff(begins[order]) < sizes[:-1]).any():
        yield _damage("chunks", "two chunks of pixels are in the same place")


def check_rows(subject: Subject) -> Iterator[Problem]:
    """Marks and commands are about frames of this file, with the numbers that those have."""
    for table in ("marks", "commands", "analysis", "metadata_changes"):
        if table not in subject.entry:
            continue
        rows: NDArray[Any] = subject.entry[table][:]
        names = rows.dtype.names or ()
        for index, number in (("frame", "number"), ("effective_frame", "effective_number")):
            if index not in names:
                continue
            frames = rows[index]
            outside = np.flatnonzero((frames < -1) | (frames >= len(subject.numbers)))
            if len(outside):
                yield _damage(
                    "rows", f"entry/{table}, row {outside[0]}: {index} {frames[outside[0]]} is not there"
                )
            elif number in names:
                known = (frames >= 0) & (rows[number] >= 0)
                wrong = known.copy()
                wrong[known] = subject.numbers[frames[known]] != rows[number][known].astype(np.uint64)
                for i in np.flatnonzero(wrong)[:1]:
                    yield _damage("rows", f"entry/{table}, row {i}: frame {frames[i]} has another number")


def check_signals(subject: Subject) -> Iterator[Problem]:
    """Rows of signals are about frames of this file and have a name, and none was lost."""
    if SignalRow.table not in subject.entry:
        return
    table, names = subject.entry[SignalRow.table], len(subject.entry[SignalNameRow.table])
    before = 0
    for rows in parts_of(table):
        wrong = (rows["frame"] < -1) | (rows["frame"] >= len(subject.numbers)) | (rows["signal"] >= names)
        if wrong.any():
            i = int(np.argmax(wrong))
            frame, signal = rows["frame"][i], rows["signal"][i]
            text = f"entry/signals, row {before + i}: frame {frame} or name {signal} is not there"
            yield _damage("signals", text)
            break
        before += len(rows)
    for row in subject.entry[SignalLossRow.table][:]:
        name, cause = (bytes(row[column]).decode(errors="replace") for column in ("name", "cause"))
        yield Problem(Kind.LOSS, "signals", f"{row['count']} rows of {name} were lost: they {cause}")


def check_journal(subject: Subject) -> Iterator[Problem]:
    """The file's commands are those of the journal, where one stands beside it."""
    journal = subject.path.with_suffix(JOURNAL_SUFFIX)
    if not journal.is_file() or "commands" not in subject.entry:
        return
    try:
        lines = journal.read_text(encoding="utf-8", errors="replace").splitlines()
        said = {row["seq"]: row["command"] for row in map(json.loads, lines) if "seq" in row}
    except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
        yield _damage("journal", f"{journal.name} cannot be read: {error}")
        return
    rows = subject.entry["commands"][:]
    size = rows.dtype["command"].itemsize
    for row in rows:
        command = bytes(row["command"])
        if fitted(str(said.get(int(row["seq"]), "")), size) != command:
            text = command.decode(errors="replace")
            yield _damage("journal", f'{journal.name} has no line {row["seq"]} with "{text}"')
            return


CHECKS: tuple[Check, ...] = (
    check_closed,
    check_layout_names,
    check_axes,
    check_lengths,
    check_numbers,
    check_channels,
    check_times,
    check_chunks,
    check_rows,
    check_signals,
    check_journal,
)


def structure_of(path: Path) -> Structure:
    """Carry out all checks but those of pixels; blocks, and may hang or crash in HDF5 on a damaged file.

    Raises UsageError and NotOurFileError; DamagedFileError where too little can be read to check anything.
    """
    readable: Readable | None = None
    try:
        with open_recording(path) as file:
            readable = Readable.of(path)
            pixels = GrowingDataset.read(readable.content, FileAddresses.of(file, readable.content).pixels)
            detector = file[layout.DETECTOR]
            stored = next(field for field in STORED if field.name == "frame_number")
            found = column(detector, stored)
            numbers = np.zeros(0, np.uint64) if found is None else found[:].astype(np.uint64)
            subject = Subject(path, file, numbers, file["entry/losses"][:], pixels, readable.content.size)
            problems: list[Problem] = []
            for check in CHECKS:
                try:
                    problems += check(subject)
                except DAMAGE as error:
                    problems.append(_damage(check.__name__.removeprefix("check_"), str(error)))
            sums = column(detector, CHECKSUM)
            _, height, width = detector["data"].shape
            return Structure(
                frames=min(pixels.rows_within(readable.content.size), len(numbers)),
                frame_shape=(height, width),
                dtype=detector["data"].dtype.str,
                frames_per_chunk=pixels.rows_per_chunk,
                chunks=pixels.chunks,
                packed=pixels.packed,
                numbers=numbers,
                counts_anew=NUMBERS_BEGIN in detector,
                checksums=None if sums is None else sums[:],
                lost=int(subject.losses["count"].sum()),
                problems=tuple(problems),
            )
    except UsageError:
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path}: cannot be read: {error}") from None
    finally:
        if readable is not None:
            readable.close()
