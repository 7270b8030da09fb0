"""Mend a file whose recorder was killed, or a copy that was cut short, so that every program opens it."""

import errno
import os
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import h5py

from recorder.errors import RecorderError, StorageError, UsageError
from recorder.files.reader import columns, open_recording, present_frames
from recorder.storage import layout
from recorder.storage.direct_io import open_again, sync
from recorder.storage.records import ROWS, Verdict, fitted
from recorder.storage.superblock import Superblock
from recorder.storage.writer_lock import is_being_written

KILLED = "the recorder was killed while it wrote; what came after the last frame is not known"
CUT_SHORT = "this file was cut short: the last {} frames are gone"

# Where locks are not to be had, a file that is written changes within so long.
STILL_S = 0.5

# What HDF5 may need besides, to write down what it takes away.
SPARE_BYTES = 16_000_000


@dataclass(frozen=True)
class Recovered:
    """What became of a file: `frames` are whole, `removed` were not; None: it needed nothing."""

    path: Path
    frames: int
    removed: int | None


def recover(path: Path) -> Recovered:
    """Close the file as its recorder would have, with the frames that have pixels and rows.

    Changes the file in place; a second time does nothing, and one that was interrupted is taken up again.
    Raises UsageError for a file that is being written, NotOurFileError for what is no file of ours,
    StorageError where the disk or the damage does not let it.
    """
    if not path.is_file():
        raise UsageError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    try:
        before = Superblock.read(path)
        begun = path.with_name(f"{path.name}.recovering")
        size = path.stat().st_size
        is_resumed = begun.exists()
        if not before.is_open and size >= before.end and not is_resumed:
            with open_recording(path) as file:
                if file["entry/verdict"][()] != Verdict.RECORDING.encode() and _needed(file) <= size:
                    return Recovered(path, present_frames(file), None)
        if is_being_written(path) or _changes(path):
            raise UsageError(f"{path}: a recorder writes to it; stop that first")
        # How much of the file there was stands beside it for as long as it is stretched.
        if is_resumed:
            size = int(begun.read_text(encoding="ascii"))
        else:
            begun.write_text(str(size), encoding="ascii")
            sync(begun)
        try:
            done = _mend(path, before, size)
        except BaseException:
            os.truncate(path, size)
            _put(path, before)
            begun.unlink()
            raise
        begun.unlink()
        return done
    except RecorderError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise StorageError(f"{path}: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Say why a file cannot be recovered, and what to do."""
    text = str(error)
    if f"errno = {errno.EAGAIN}" in text:
        return "other programs have it open: close them, then recover it"
    if isinstance(error, PermissionError):
        return f"it must be changed to be recovered: {error.strerror}"
    return f"cannot be recovered: {text}; keep a copy of it"


def _mend(path: Path, before: Superblock, size: int) -> Recovered:
    """Have HDF5 see all of the file, then take away what of it is not there."""
    _put(path, before.ending_at(path.stat().st_size).closed())
    with open_recording(path) as file:
        frames = present_frames(file, size)
        end = max(before.end, _needed(file))
    if path.stat().st_size < end:
        # What is gone is given its room back, so that HDF5 can take it away in order.
        if shutil.disk_usage(path.parent).free < end - size + SPARE_BYTES:
            raise StorageError(
                f"{path}: {(end - size + SPARE_BYTES) / 1e6:.0f} MB of room are needed to recover it"
            )
        os.truncate(path, end)
        _put(path, before.ending_at(end).closed())
    return _close_in_order(path, frames, size)


def _put(path: Path, superblock: Superblock) -> None:
    fd = open_again(path)
    try:
        superblock.write(fd)
        os.fsync(fd)
    finally:
        os.close(fd)


def _changes(path: Path) -> bool:
    """Tell whether somebody writes to the file."""
    before = path.stat()
    time.sleep(STILL_S)
    after = path.stat()
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _end_of_row(dataset: h5py.Dataset, row: int) -> int:
    """Return where the chunk ends that holds a row, 0 where there is none."""
    first = row // dataset.chunks[0] * dataset.chunks[0]
    chunk = dataset.id.get_chunk_info_by_coord((first, *[0] * (dataset.ndim - 1)))
    return 0 if chunk.byte_offset is None else int(chunk.byte_offset + chunk.size)


def _growing(file: h5py.File) -> tuple[h5py.Dataset, list[h5py.Dataset], list[h5py.Dataset]]:
    """Return the datasets that grow: frames, their columns, the tables."""
    detector = file[layout.DETECTOR]
    tables = [file["entry"][row.table] for row in ROWS if row.table in file["entry"]]
    return detector["data"], columns(detector), tables


def _needed(file: h5py.File) -> int:
    """Return how many bytes the file must have for every chunk to be read, the half full ones too."""
    pixels, per_frame, tables = _growing(file)
    ends = (_end_of_row(data, len(data) - 1) for data in (pixels, *per_frame, *tables) if len(data))
    return max(ends, default=0)


def _close_in_order(path: Path, frames: int, size: int) -> Recovered:
    """Leave the first `frames` frames and the rows within `size` bytes, and say how the file ended."""
    with h5py.File(path, "r+") as file:
        entry, detector = file["entry"], file[layout.DETECTOR]
        pixels, per_frame, tables = _growing(file)
        told = max(len(column) for column in per_frame)
        for dataset in (pixels, *per_frame):
            dataset.resize(frames, axis=0)
        for table in tables:
            rows = len(table)
            while rows and _end_of_row(table, rows - 1) > size:
                rows = (rows - 1) // table.chunks[0] * table.chunks[0]
            table.resize(rows, axis=0)
        was_open = entry["verdict"][()] == Verdict.RECORDING.encode()
        if was_open or told > frames:
            cause = KILLED if was_open else CUT_SHORT.format(told - frames)
            entry["cause"][()] = fitted(cause, entry["cause"].dtype.itemsize)
            entry["verdict"][()] = Verdict.FAILED.encode()
        start = entry["start_time"][()].decode()
        if was_open and frames and start:
            end = datetime.fromisoformat(start) + timedelta(seconds=float(detector["host_time"][frames - 1]))
            entry["end_time"][()] = end.isoformat(timespec="milliseconds").encode()
    sync(path)
    return Recovered(path, frames, told - frames)
