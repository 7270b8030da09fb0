"""Mend a file whose recorder was killed, or a copy that was cut short, so that every program opens it.

HDF5 cannot: after a power cut its own structures can be half old and half new. What they say is compared with
what is in the file (`files.presence`), and written in a form that fits. All changes are made in memory first;
only when HDF5 reads the result do they go to the disk. A recovery that is interrupted is simply begun again.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from recorder.errors import (
    DamagedFileError,
    NotOurFileError,
    RecorderError,
    StorageError,
    UnreadableFileError,
    UsageError,
)
from recorder.files.opening import DAMAGE, check_layout, require_file, show_closed
from recorder.files.presence import Presence
from recorder.files.probe import Probe
from recorder.files.reader import columns, present_frames
from recorder.files.signal_tables import parts_of
from recorder.storage import layout
from recorder.storage.direct_io import open_again
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import Changed, OnDisk, Readable
from recorder.storage.records import ROWS, Verdict
from recorder.storage.superblock import Superblock
from recorder.storage.writer_lock import is_being_written

KILLED = "the recorder was killed while it wrote; what came after the last frame is not known"
CUT_SHORT = "this file was cut short: the last {} frames are gone"
POWER_CUT = "the computer went down while it was recorded; what came after the last frame is not known"

HOLDS_NOTHING = "holds nothing: its recorder ended while it made the file"

# Files of less than this hold no frame: the columns of the first ones alone take more.
EMPTY_BYTES = 4 * layout.COLUMN_ROWS * 8

# Where locks are not to be had, a file that is written changes within so long.
STILL_S = 0.5


@dataclass(frozen=True)
class Recovered:
    """What became of a file: `frames` are whole, `removed` were not; None: it needed nothing.

    `removed_rows` are those of tables (marks, commands, losses, analysis) that were not whole.
    """

    path: Path
    frames: int
    removed: int | None
    removed_rows: int = 0


def recover(path: Path, probe: Probe | None = None) -> Recovered:
    """Close the file as its recorder would have, with the frames that have pixels and rows.

    `probe` looks at the file first, so that one on which HDF5 crashes is refused. Changes the file in place;
    a second time does nothing. Blocks. Raises UsageError for a file that is being written, NotOurFileError
    for what is no file of ours, StorageError where the disk or the damage does not let it: then the file is
    as it was.
    """
    require_file(path)
    if probe is not None:
        try:
            probe.ask(look_at, path)
        except UnreadableFileError:
            raise
        except RecorderError:
            pass  # what is wrong with it is found again below, and may be mended
    try:
        fd = open_again(path)
    except OSError as error:
        raise StorageError(f"{path}: it must be changed to be recovered: {error.strerror}") from error
    try:
        return _recover(path, OnDisk(fd))
    except NotOurFileError as error:
        raise NotOurFileError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    except (UsageError, StorageError):
        raise
    except OSError as error:
        if error.errno in {errno.EIO, errno.ENOSPC}:
            raise StorageError(f"{path}: cannot be recovered: {error.strerror}") from error
        raise StorageError(f"{path}: cannot be recovered: {error}; keep a copy of it") from error
    except DAMAGE as error:
        raise StorageError(f"{path}: cannot be recovered: {error}; keep a copy of it") from error
    finally:
        os.close(fd)


def look_at(path: Path) -> None:
    """Do all that recovery does with HDF5, and change nothing; in a process that can be given up."""
    readable = Readable.of(path)
    try:
        content = readable.content
        show_closed(content, path)
        with _opened(content, path) as file:
            FileAddresses.of(file, content)
            for row in ROWS:
                if row.table not in file["entry"]:
                    continue  # of a later layout
                table = file["entry"][row.table]
                _ = [table[i] for i in {0, len(table) - 1} if 0 <= i < len(table)]
    except RecorderError:
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path}: {error}") from None
    finally:
        readable.close()


def _recover(path: Path, disk: OnDisk) -> Recovered:
    if not disk.read(0, 8).strip(b"\0"):
        raise NotOurFileError(f"{path}: {HOLDS_NOTHING}")
    if Superblock.read(disk, path).is_open:
        _refuse_a_growing_file(path)
    content = Changed(disk)
    before, size = show_closed(content, path), content.size
    try:
        with _opened(content, path) as file:
            presence = Presence.look(
                file, content, size, is_cut_short=size < before.end, is_open=before.is_open
            )
    except DAMAGE as error:
        is_damaged = isinstance(error, DamagedFileError) or not isinstance(error, NotOurFileError)
        if is_damaged and max(size, before.end) < EMPTY_BYTES:
            raise NotOurFileError(f"{path}: {HOLDS_NOTHING}") from None
        raise
    is_sound = presence.was_closed and presence.is_whole and size >= before.end
    if is_sound and _is_readable(content, path, presence):
        return Recovered(path, presence.frames, None)
    if not before.is_open:
        _refuse_a_growing_file(path)
    # First what it will say of itself: begun again after this, recovery says the same.
    _say_how_it_ended(content, presence)
    content.sync_before_the_rest()
    content.size = max(size, presence.keep(content))
    before.closed().ending_at(content.size).write(content)
    if not _is_readable(content, path, presence):
        raise StorageError(f"{path}: cannot be recovered: HDF5 does not read the result; keep a copy of it")
    content.apply()
    removed = max(0, presence.claimed - presence.frames)
    return Recovered(path, presence.frames, removed, presence.missing_rows)


def _refuse_a_growing_file(path: Path) -> None:
    before = path.stat()
    time.sleep(STILL_S)
    after = path.stat()
    changes = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if changes or is_being_written(path):
        raise UsageError(f"{path}: a recorder writes to it; stop that first")


@contextmanager
def _opened(content: Changed, path: Path) -> Iterator[h5py.File]:
    """Open a file as it would be."""
    with h5py.File(Readable(content), "r") as file:
        check_layout(file, path)
        yield file


def _is_readable(content: Changed, path: Path, presence: Presence) -> bool:
    """Return whether HDF5 reads all that grew in a file, as it would be."""
    try:
        with _opened(content, path) as file:
            for name in presence.tables:
                for _ in parts_of(file["entry"][name]):
                    pass
            lengths = {len(column[:]) for column in columns(file)}
            pixels = file[layout.DETECTOR]["data"]
            return {present_frames(file, content.size), len(pixels)} | lengths == {presence.frames}
    except (OSError, RuntimeError, KeyError, ValueError):
        return False


def _say_how_it_ended(content: Changed, presence: Presence) -> None:
    places, frames = presence.places, presence.frames
    is_less = presence.claimed > frames or presence.missing_rows > 0
    if not presence.was_closed:
        places.set_text(content, "cause", POWER_CUT if presence.is_in_doubt and is_less else KILLED)
    elif presence.claimed > frames:
        places.set_text(content, "cause", CUT_SHORT.format(presence.claimed - frames))
    if not presence.was_closed or presence.claimed > frames:
        places.set_text(content, "verdict", Verdict.FAILED)
    if not presence.was_closed and frames:
        seconds = np.frombuffer(presence.columns["host_time"].read_rows(content, frames - 1, frames))
        with contextlib.suppress(ValueError, OverflowError):  # a start that is damaged has no end either
            end = datetime.fromisoformat(places.text(content, "start_time")) + timedelta(
                seconds=float(seconds[0])
            )
            places.set_text(content, "end_time", end.isoformat(timespec="milliseconds"))
