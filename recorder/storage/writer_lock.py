"""A second handle on the file that grows: it holds the writer's lock and keeps the superblock right."""

import os
import struct
import sys
import time
from pathlib import Path
from typing import Any, Self

from recorder.storage.direct_io import open_again
from recorder.storage.file_bytes import OnDisk
from recorder.storage.superblock import FLAGS_AT, Superblock

# How long to wait for the lock of a file that was just made.
LOCK_S = 0.5

# One byte that no file reaches: HDF5 has locks of its own on all of the file, which know nothing of this one.
_FAR = 2**62

# l_type, l_whence, l_start, l_len, l_pid of Linux' struct flock.
_FLOCK = struct.Struct("hhqqi4x")


class WriterLock:
    """Hold the lock of the writer on an HDF5 file that exists, and keep the superblock on disk right."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and NotOurFileError for a file of another layout."""
        self._fd = open_again(path)
        self._file = OnDisk(self._fd)
        try:
            self._superblock = Superblock.read(self._file, path)
        except BaseException:
            os.close(self._fd)
            raise
        self._end = 0
        self.was_changed = self._is_shortened = False
        # Somebody who asks whether the file is being written has the lock for a moment.
        deadline_s = time.monotonic() + LOCK_S
        while not take_lock(self._fd) and time.monotonic() < deadline_s:
            time.sleep(0.005)

    def look(self) -> bool:
        """Return True, once, if another program has shortened the file since `note`, or marked it closed."""
        is_marked = self._file.read(FLAGS_AT, 1) != bytes([self._superblock.flags])
        self._is_shortened |= os.fstat(self._fd).st_size < self._end
        is_news = not self.was_changed and (is_marked or self._is_shortened)
        self.was_changed |= is_news
        return is_news

    def note(self) -> None:
        """Take the file's size for what we have written."""
        size = os.fstat(self._fd).st_size
        # We only ever make it longer.
        self._is_shortened |= size < self._end
        self._end = size

    def seal(self, allocated: int) -> None:
        """Have the file on disk end behind all that is `allocated`: it then survives whatever mends the file.

        A chunk that is half full ends behind the last byte written; without its end nobody can read it.
        """
        self.note()
        if self._end < allocated:
            os.ftruncate(self._fd, allocated)
            self._end = allocated
        self._superblock.ending_at(self._end).write(self._file)

    def seal_closed(self) -> None:
        """Have the file on disk be one that no writer has open, whatever the library still keeps of it."""
        self._superblock.ending_at(os.fstat(self._fd).st_size).closed().write(self._file)

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_being_written(path: Path, *, may_write: bool = True) -> bool:
    """Return whether a recorder has the file open to write; False where that cannot be known.

    `may_write` False: also where the file may not be written by us. Raises OSError.
    """
    try:
        fd = open_again(path)
    except OSError:
        if may_write:
            raise
        return False
    try:
        return not take_lock(fd)
    finally:
        os.close(fd)


def take_lock(fd: int) -> bool:
    """Take the lock for as long as `fd` is open; False where another handle has it.

    Where there are no such locks, none is taken.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415

    # A lock of the handle, which no other handle of this process gives up.
    command: Any = getattr(fcntl, "F_OFD_SETLK", None)
    if command is not None:
        try:
            fcntl.fcntl(fd, command, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _FAR, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            pass
    return True
