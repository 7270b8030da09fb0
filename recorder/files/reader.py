"""Read our own files: what `info` tells of them."""

import bisect
import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, UsageError
from recorder.files.clocks import clocks_of, unknown_of
from recorder.files.opening import DAMAGE, filters, open_recording
from recorder.files.signal_tables import signal_counts
from recorder.frames.metadata import CHANNEL, COLUMNS, RELATIVE, TRIGGER_NUMBER, FrameField
from recorder.storage import clock_values, layout
from recorder.storage.file_addresses import FileAddresses, GrowingDataset
from recorder.storage.file_bytes import Readable
from recorder.storage.records import TAKEN_BACK
from recorder.storage.user_metadata import MetadataValue, read_metadata

# How often, and how far apart, it is tried to read a file that does not fit together.
MAX_ATTEMPTS = 5
ATTEMPT_S = 0.05

# Causes of losses as files of layout 1 call them.
OLD_CAUSES = {
    "camera": "counter gap",
    "fifo": "camera overflow",
    "pool": "buffer exhausted",
    "operator": "aborted",
}


def column(detector: h5py.Group, field: FrameField) -> h5py.Dataset | None:
    """Return a field's column, under its name or the one of layout 1; None in a file that has none."""
    name = next((name for name in (field.column, field.alias) if name in detector), None)
    return None if name is None else detector[name]


def columns(file: h5py.File) -> list[h5py.Dataset]:
    """Return the columns that the file has, in the order of the fields, then the means of regions."""
    found = (column(file[layout.DETECTOR], field) for field in COLUMNS)
    means = (region["mean"] for region in file.get(layout.REGIONS, {}).values())
    return [*(dataset for dataset in found if dataset is not None), *means]


def channel_names(detector: h5py.Group) -> tuple[str, ...]:
    """Return the names of the channels that the frames are of in turn, none in a file without."""
    if (dataset := column(detector, CHANNEL)) is None:
        return ()
    return tuple(bytes(name).decode(errors="replace") for name in dataset.attrs["names"])


def optics(file: h5py.File) -> dict[str, float]:
    """Return what is known of `magnification` and of a pixel on the sample, `x_pixel_size` across, in um.

    Before layout 3 the detector had the pixel on the sample, in m, where the settings named it.
    """
    path = f"entry/instrument/{layout.OPTICS}"
    return {name: float(value[()]) for name, value in file[path].items()} if path in file else {}


def present_frames(file: h5py.File, size: int | None = None) -> int:
    """Return how many frames have their row and their pixels.

    The rows say what exists; in a copy that was cut short to `size` bytes (None: as it is now), pixels they
    tell of may lie behind the file's end.
    """
    detector = file[layout.DETECTOR]
    data = detector["data"]
    rows = min(len(data), *map(len, columns(file)))
    frame_bytes = data.dtype.itemsize * data.shape[1] * data.shape[2]
    size = file.id.get_filesize() if size is None else size
    may_be_packed = bool(filters(data))

    def is_there(frame: int) -> bool:
        chunk, offset = divmod(frame, data.chunks[0])
        info = data.id.get_chunk_info_by_coord((chunk * data.chunks[0], 0, 0))
        is_packed = may_be_packed and info.filter_mask == 0
        needed = info.size if is_packed else (offset + 1) * frame_bytes
        return info.byte_offset is not None and info.byte_offset + needed <= size

    # Chunks are laid out in their order: what lies behind the end are the last ones.
    return bisect.bisect_left(range(rows), True, key=lambda frame: not is_there(frame))


@dataclass(frozen=True)
class FileInfo:
    """What a file tells of itself; `losses` by cause, `metadata` as it is at the end.

    `regions` are those whose means are stored for every frame, with x0, y0, x1, y1; `exposures` the first
    frames with an exposure of their own, each with it in s (None: not known). `compression` says how many
    times smaller the frames are in the file (`ratio`), and of how many `chunks`, how many are stored
    `as_they_are`; None of a file without. Of `mark_rows`, `time_s`
    is the time of the marked frame, as `frame_time` has it (None: it is not there). `start_time` and
    `end_time` are those of the first and the last exposure. Of frames around a trigger, `capture` has its
    counter (`trigger_number`), and how many frames are `before` it and from it on (`after`). `clock` has
    the values of `storage.clock_values` that are known, or why they are `unknown`; None where no frame tells
    them.
    """

    path: Path
    verdict: str
    cause: str
    frames: int
    height: int
    width: int
    dtype: str
    frames_per_chunk: int
    bytes: int
    lost: int
    losses: dict[str, int]
    exposures: list[tuple[int, float | None]]
    marks: int
    mark_rows: list[dict[str, Any]]
    commands: int
    signals: dict[str, int]  # rows, by the name of their signal
    start_time: str
    end_time: str
    seconds: float
    rate: float
    channels: list[str]  # that the frames are of in turn
    clock: dict[str, Any] | None
    regions: dict[str, list[int]]
    storage_mode: str
    compression: dict[str, float] | None
    camera: str
    serial_number: str
    detector: dict[str, Any]
    capture: dict[str, int] | None
    optics: dict[str, float]
    metadata: dict[str, MetadataValue]


def describe(path: Path) -> FileInfo:
    """Return what the file at `path` says of itself, also while it grows; blocks.

    Raises UsageError or NotOurFileError.
    """
    # A file that grows is read while it changes: what does not fit together now does the next moment.
    for _ in range(MAX_ATTEMPTS):
        try:
            return _describe(path)
        except DamagedFileError as error:
            problem = error
        except UsageError:
            raise
        except DAMAGE as error:
            problem = DamagedFileError(f"{path}: cannot be read: {error}")
        time.sleep(ATTEMPT_S)
    raise problem


def _describe(path: Path) -> FileInfo:
    with open_recording(path) as file:
        entry, detector = file["entry"], file[layout.DETECTOR]
        data = detector["data"]
        frames = present_frames(file)
        cut = len(detector["frame_number"]) - frames
        times, exposures = detector["frame_time"][:frames], detector["exposure"][:frames]
        seconds = float(times[-1] - times[0]) if frames > 1 else 0.0
        losses: dict[str, int] = {}
        for row in entry["losses"][:]:
            cause = row["cause"].decode()
            cause = OLD_CAUSES.get(cause, cause)
            losses[cause] = losses.get(cause, 0) + int(row["count"])
        per_frame = {"data", *(name for field in COLUMNS for name in (field.column, field.alias))}
        return FileInfo(
            path=path,
            verdict=_text(entry["verdict"]),
            cause=_text(entry["cause"])
            or (f"cut short: {cut} more frames have no pixels" if cut > 0 else ""),
            frames=frames,
            height=data.shape[1],
            width=data.shape[2],
            dtype=str(data.dtype),
            frames_per_chunk=data.chunks[0],
            bytes=frames * data.shape[1] * data.shape[2] * data.dtype.itemsize,
            lost=sum(losses.values()),
            losses=losses,
            exposures=_exposures(exposures),
            marks=_standing(entry["marks"]),
            mark_rows=[_mark(row, times) for row in entry["marks"][:]],
            commands=len(entry["commands"]),
            signals=signal_counts(entry),
            start_time=_text(entry["start_time"]),
            end_time=_end(_text(entry["start_time"]), _text(entry["end_time"]), times, exposures),
            seconds=seconds,
            rate=(frames - 1) / seconds if seconds else 0.0,
            channels=list(channel_names(detector)),
            clock=_clock(file, times, exposures),
            regions={name: group["box"][:].tolist() for name, group in file.get(layout.REGIONS, {}).items()},
            storage_mode=_text(entry["storage_mode"]),
            compression=_compression(path, file, frames) if filters(data) else None,
            camera=_text(detector["description"]),
            serial_number=_text(detector["serial_number"]),
            detector={name: _value(detector[name]) for name in detector if name not in per_frame},
            capture=_capture(detector, frames),
            optics=optics(file),
            metadata=read_metadata(entry),
        )


def _capture(detector: h5py.Group, frames: int) -> dict[str, int] | None:
    relative = column(detector, RELATIVE)
    if relative is None:
        return None
    before = int((relative[:frames] < 0).sum())
    number = int(detector[TRIGGER_NUMBER][()])
    return {"trigger_number": number, "before": before, "after": frames - before}


def _clock(
    file: h5py.File, times: NDArray[np.float64], exposures: NDArray[np.float64]
) -> dict[str, Any] | None:
    """Return how the clocks went, or why that is not known."""
    group = file["entry"].get(clock_values.GROUP, {})
    values = {f"{clock_values.GROUP}/{name}": _value(dataset) for name, dataset in group.items()}
    if (unknown := unknown_of(values)) is not None:
        return {clock_values.UNKNOWN: unknown}
    (fit,) = clocks_of([values], [(times, file[layout.DETECTOR]["host_time"][: len(times)], exposures)])
    if fit is None:
        return None
    return {name: value for name, value in clock_values.values_of(fit).items() if not math.isnan(value)}


def _end(start: str, closed: str, times: NDArray[np.float64], exposures: NDArray[np.float64]) -> str:
    """Return when the last frame was over, in UTC; "" of a file that is not closed.

    A file is closed a while after its last frame: the next one may have begun.
    """
    if not closed or not len(times):
        return closed
    last_s = float(times[-1]) + float(np.nan_to_num(exposures[-1]))
    try:
        end = datetime.fromisoformat(start) + timedelta(seconds=last_s)
    except (ValueError, OverflowError):
        return closed
    return end.isoformat(timespec="milliseconds")


def _exposures(column: NDArray[np.float64]) -> list[tuple[int, float | None]]:
    """Return where the exposure changes, and to what."""
    same = (column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1]))
    changes = [0, *(np.flatnonzero(~same) + 1).tolist()] if len(column) else []
    return [(frame, None if np.isnan(column[frame]) else float(column[frame])) for frame in changes]


def _compression(path: Path, file: h5py.File, frames: int) -> dict[str, float] | None:
    """Return how well the first `frames` frames are packed."""
    readable = Readable.of(path)
    try:
        pixels = GrowingDataset.read(readable.content, FileAddresses.of(file, readable.content).pixels)
    finally:
        readable.close()
    stored = pixels.stored_bytes(frames)
    chunks = -(-frames // pixels.rows_per_chunk)
    return {
        "ratio": frames * pixels.row_bytes / stored if stored else 1.0,
        "chunks": chunks,
        "as_they_are": pixels.packed[:chunks].count(0),
    }


def _row(row: np.void) -> dict[str, Any]:
    """Return a row of a table as plain values."""
    names = row.dtype.names or ()
    values = [row[name].item() for name in names]
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in zip(names, values, strict=True)
    }


def _mark(row: np.void, times: NDArray[np.float64]) -> dict[str, Any]:
    """Return a mark's row as plain values, with the time of its frame among `times`."""
    frame = int(row["frame"])
    return _row(row) | {"time_s": float(times[frame]) if 0 <= frame < len(times) else None}


def _standing(marks: h5py.Dataset) -> int:
    """Return how many marks there are, without those taken back."""
    labels = marks["label"]
    return len(labels) - 2 * int((labels == TAKEN_BACK.encode()).sum())


def _text(dataset: h5py.Dataset) -> str:
    return bytes(dataset[()]).decode(errors="replace")


def _value(dataset: h5py.Dataset) -> str | int | float:
    value = dataset[()]
    return value.decode() if isinstance(value, bytes) else value.item()
