"""Mend a file whose recorder was killed, or a copy that was cut short, so that every program opens it."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import h5py

from recorder.errors import RecorderError, StorageError, UsageError
from recorder.storage import layout
from recorder.storage.direct_io import sync
from recorder.storage.guard import is_being_written
from recorder.storage.reader import open_recording, present_frames
from recorder.storage.recording import fitted
from recorder.storage.superblock import Superblock

KILLED = "the recorder was killed while it wrote; what came after the last frame is not known"
CUT_SHORT = "this file was cut short: the last {} frames are gone"


@dataclass(frozen=True)
class Recovered:
    """What became of a file: `frames` are whole, `removed` were not; None: it needed nothing."""

    path: Path
    frames: int
    removed: int | None


def recover(path: Path) -> Recovered:
    """Close the file as its recorder would have, with the frames that have pixels and rows.

    Changes the file in place; a second time does nothing. Raises UsageError for a file that is being written,
    NotOurFileError for what is no file of ours, StorageError where the disk or the damage does not let it.
    """
    if not path.is_file():
        raise UsageError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    try:
        before = Superblock.read(path)
        if is_being_written(path):
            raise UsageError(f"{path}: a recorder writes to it; stop that first")
        size = path.stat().st_size
        if not before.is_open and size >= before.end:
            with open_recording(path) as file:
                return Recovered(path, present_frames(file), None)
        _put(path, before.ending_at(size).closed())
        try:
            with open_recording(path) as file:
                frames = present_frames(file)
            if size < before.end:
                # Frames that are gone are given back their room, so that HDF5 can take it away in order.
                os.truncate(path, before.end)
                _put(path, before.closed())
            return _close_in_order(path, frames)
        except BaseException:
            os.truncate(path, size)
            _put(path, before)
            raise
    except RecorderError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise StorageError(f"{path}: cannot be recovered: {error}; keep a copy of it") from error


def _put(path: Path, superblock: Superblock) -> None:
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        superblock.write(fd)
        os.fsync(fd)
    finally:
        os.close(fd)


def _close_in_order(path: Path, frames: int) -> Recovered:
    """Leave the first `frames` frames, and say how the file ended."""
    with h5py.File(path, "r+") as file:
        entry, detector = file["entry"], file[layout.DETECTOR]
        columns = [detector[name] for name, *_ in layout.COLUMNS]
        told = max(len(column) for column in columns)
        for dataset in (detector["data"], *columns):
            dataset.resize(frames, axis=0)
        was_open = entry["verdict"][()] == b"recording"
        if was_open or told > frames:
            cause = KILLED if was_open else CUT_SHORT.format(told - frames)
            entry["cause"][()] = fitted(cause, entry["cause"].dtype.itemsize)
            entry["verdict"][()] = b"failed"
        start = entry["start_time"][()].decode()
        if was_open and frames and start:
            end = datetime.fromisoformat(start) + timedelta(seconds=float(detector["host_time"][frames - 1]))
            entry["end_time"][()] = end.isoformat(timespec="milliseconds").encode()
    sync(path)
    return Recovered(path, frames, told - frames)
