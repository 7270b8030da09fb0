"""What a file holds beside its pixels, and where these are: read at once, with HDF5, in a process of its own.

From then on nobody needs HDF5: pixels are read at their addresses, from any thread or computer.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, RecorderError, UsageError
from recorder.files.opened.pixels import FilePixels
from recorder.files.opened.tables import table
from recorder.files.opening import DAMAGE, open_recording
from recorder.files.probe import TIMEOUT_S, Probe
from recorder.files.reader import ATTEMPT_S, MAX_ATTEMPTS, channel_names, column
from recorder.frames.metadata import COLUMNS
from recorder.storage import layout
from recorder.storage.file_addresses import FileAddresses, GrowingDataset
from recorder.storage.file_bytes import Readable
from recorder.storage.records import ROWS, SignalRow, Verdict
from recorder.storage.superblock import Superblock
from recorder.storage.user_metadata import MetadataValue, read_metadata

# Columns, rows and addresses of a long recording take longer: so much for each GB.
TIMEOUT_S_PER_GB = 0.2

# What has more values is no description of anything.
MAX_VALUES = 64


Value = str | int | float | list[int] | list[float]


@dataclass(frozen=True)
class RecordedFile:
    """One file of a recording, whose frames are [first, first + frames) of it; `start` in UTC."""

    path: Path
    first: int
    frames: int
    start: np.datetime64
    verdict: str
    cause: str


@dataclass(frozen=True)
class Contents:
    """A file without its pixels.

    `columns` have a value for each frame, by the name of `frames.metadata`; `regions` the mean of each region
    whose means are stored, by its name; `tables` their rows, text as text; `values` every single value under
    /entry, by its path there; `said` what the user said of it, at its end. `start` is the UTC of the first
    frame (NaT: not known); `host_zero_ns` the moment of the host's monotonic clock from which arrivals count
    (0: not known), in the start of the computer that is called `boot_id`; `without_pixels` frames have a row
    only. It has `signal_rows` rows of signals, which are read where they are asked for; `channels` are what
    its column of that name means.
    """

    pixels: FilePixels
    columns: dict[str, NDArray[Any]]
    regions: dict[str, NDArray[np.float64]]
    tables: dict[str, NDArray[np.void]]
    values: dict[str, Value]
    said: dict[str, MetadataValue]
    start: np.datetime64
    without_pixels: int
    host_zero_ns: int = 0
    boot_id: str = ""
    signal_rows: int = 0
    channels: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return self.pixels.path

    @property
    def frames(self) -> int:
        """How many frames have their row and their pixels."""
        return self.pixels.frames

    @property
    def verdict(self) -> str:
        """What became of the recording."""
        return str(self.values.get("verdict", ""))

    @property
    def was_closed(self) -> bool:
        """Whether its recorder has closed it."""
        return self.verdict != Verdict.RECORDING

    @property
    def is_prepared(self) -> bool:
        """Whether it is to be the next file of its session: frames still go to the one before."""
        return not self.frames and not self.was_closed

    def followed_by(self, later: Self) -> Self:
        """Return these with what `read_contents(since=frames)` found later."""
        whole = self.frames // self.pixels.frames_per_chunk
        return replace(
            later,
            pixels=replace(
                later.pixels,
                addresses=np.concatenate([self.pixels.addresses[:whole], later.pixels.addresses]),
                packed=np.concatenate([self.pixels.packed[:whole], later.pixels.packed]),
            ),
            columns=_longer(self.columns, later.columns),
            regions=_longer(self.regions, later.regions),
        )


def _longer(known: dict[str, NDArray[Any]], later: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([known[name], values]) for name, values in later.items()}


def require_one_form(contents: Sequence[Contents]) -> None:
    """Raise UsageError where the files' frames are of different sizes or types."""
    first = contents[0]
    for file in contents[1:]:
        if _form(file) != _form(first):
            raise UsageError(
                f"{file.path}: its frames are {_form(file)}, those of {first.path.name} {_form(first)}; "
                "open them one by one"
            )


def _form(file: Contents) -> str:
    return f"{file.pixels.width}x{file.pixels.height} {np.dtype(file.pixels.dtype)}"


def ask_contents(path: Path, probe: Probe, since: int = 0) -> Contents:
    """Have `probe` read a file's contents; what it raises is what `recorder info` says."""
    size = path.stat().st_size if path.is_file() else 0
    return probe.ask(partial(read_contents, since=since), path, TIMEOUT_S + size * 1e-9 * TIMEOUT_S_PER_GB)


def read_contents(path: Path, since: int = 0) -> Contents:
    """Read what the file at `path` holds, also while it grows; blocks.

    With `since`, columns and addresses are those from that frame, and its chunk, on. Raises UsageError where
    there is no file, NotOurFileError for another program's, DamagedFileError.
    """
    # A file that grows is read while it changes: what does not fit together now does the next moment.
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(ATTEMPT_S)
        try:
            may_grow = _is_open(path)
            found = _read(path, since)
            # Its last frames may have come after they were counted here, and before its verdict was read.
            return _read(path, since) if may_grow and found.was_closed else found
        except DamagedFileError as error:
            problem = error
        except UsageError:
            raise
        except DAMAGE as error:
            problem = DamagedFileError(f"{path}: cannot be read: {error}")
    raise problem


def _is_open(path: Path) -> bool:
    """Return whether a file says that a recorder has it open; True where it says nothing that makes sense."""
    try:
        readable = Readable.of(path)
        try:
            return Superblock.read(readable.content, path).is_open
        finally:
            readable.close()
    except (OSError, RecorderError):
        return True


def _read(path: Path, since: int) -> Contents:
    with open_recording(path) as file:
        detector, entry = file[layout.DETECTOR], file["entry"]
        readable = Readable.of(path)
        try:
            content = readable.content
            pixels = GrowingDataset.read(content, FileAddresses.of(file, content).pixels)
            present = pixels.rows_within(content.size)
        finally:
            readable.close()
        found = {field.name: column(detector, field) for field in COLUMNS}
        stored = {name: values for name, values in found.items() if values is not None}
        means = {name: group["mean"] for name, group in file.get(layout.REGIONS, {}).items()}
        claimed = min(len(values) for values in [*stored.values(), *means.values()])
        frames = min(claimed, present)
        _, height, width = detector["data"].shape
        if pixels.row_bytes != height * width * detector["data"].dtype.itemsize:
            raise DamagedFileError(f"{path}: its chunks are not made of whole frames")
        chunks = slice(since // pixels.rows_per_chunk, -(-frames // pixels.rows_per_chunk))
        return Contents(
            pixels=FilePixels(
                path,
                frames,
                int(height),
                int(width),
                detector["data"].dtype.str,
                pixels.rows_per_chunk,
                np.array(pixels.chunks[chunks], np.int64),
                np.array(pixels.packed[chunks], np.int64),
            ),
            columns={name: values[since:frames] for name, values in stored.items()},
            regions={name: values[since:frames] for name, values in means.items()},
            tables={row.table: table(entry.get(row.table), row) for row in ROWS if row is not SignalRow},
            channels=channel_names(detector),
            signal_rows=len(entry[SignalRow.table]) if SignalRow.table in entry else 0,
            values=_values(entry),
            said=read_metadata(entry),
            start=_start(detector, entry),
            without_pixels=claimed - frames,
            host_zero_ns=int(_attribute(detector, layout.HOST_COLUMN, layout.HOST_ZERO, 0)),
            boot_id=bytes(_attribute(entry, layout.DURABLE, "boot_id", b"")).decode(errors="replace"),
        )


def _attribute(group: h5py.Group, name: str, attribute: str, default: object) -> Any:  # noqa: ANN401
    """Return an attribute of a dataset, the default in files of before it."""
    return group[name].attrs.get(attribute, default) if name in group else default


def _values(entry: h5py.Group) -> dict[str, Value]:
    values: dict[str, Value] = {}

    def note(name: str, thing: h5py.HLObject) -> None:
        if isinstance(thing, h5py.Dataset) and thing.chunks is None and thing.size <= MAX_VALUES:
            value = thing[()]
            if isinstance(value, bytes):
                values[name] = value.decode(errors="replace")
            elif isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iufb":
                values[name] = value.tolist()

    entry.visititems(note)
    return values


def _start(detector: h5py.Group, entry: h5py.Group) -> np.datetime64:
    """Return the UTC of the first frame."""
    times = column(detector, next(field for field in COLUMNS if field.name == "camera_time_ns"))
    text = b"" if times is None else times.attrs.get("start", b"")
    # Files of layout 1 say it here only.
    text = text or entry["start_time"][()]
    text = bytes(text).decode() if isinstance(text, bytes | np.bytes_) else str(text)
    # Ours are all in UTC.
    return np.datetime64(text.removesuffix("Z").removesuffix("+00:00") or "NaT", "ns")
