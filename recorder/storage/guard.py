"""A second handle on the file that grows: nobody mends it meanwhile, and whoever does after a kill can."""

import contextlib
import os
import struct
import sys
from pathlib import Path
from typing import Any, Self

from recorder.storage.superblock import Superblock

# One byte that no file reaches: HDF5 has locks of its own on all of the file, which know nothing of this one.
_FAR = 2**62

# l_type, l_whence, l_start, l_len, l_pid of Linux' struct flock.
_FLOCK = struct.Struct("hhqqi4x")


class Guard:
    """Hold the lock of the writer on an HDF5 file that exists, and keep the superblock on disk right."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and NotOurFileError for a file of another layout."""
        self._superblock = Superblock.read(path)
        self._fd = _open(path)
        self._end = 0
        self.was_cut = False
        _lock(self._fd)

    def look(self) -> bool:
        """Tell whether another program has cut the file since the last look; once."""
        end = os.fstat(self._fd).st_size
        is_news = end < self._end and not self.was_cut
        self.was_cut |= is_news
        self._end = end
        return is_news

    def seal(self) -> None:
        """Have the file on disk end where it ends now: what is in it then survives whatever mends it."""
        self._superblock.ending_at(os.fstat(self._fd).st_size).write(self._fd)

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_being_written(path: Path) -> bool:
    """Tell whether a recorder has the file open to write; False where that cannot be told."""
    fd = _open(path)
    try:
        return not _lock(fd)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))


def _lock(fd: int) -> bool:
    """Take the lock for as long as `fd` is open; False where another handle has it."""
    with contextlib.suppress(BlockingIOError, PermissionError):
        _system_lock(fd)
        return True
    return False


def _system_lock(fd: int) -> None:
    """Take the lock, or none where there are no such locks; raises OSError where another handle has it."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        return
    import fcntl  # noqa: PLC0415

    # A lock of the handle, which no other handle of this process gives up.
    command: Any = getattr(fcntl, "F_OFD_SETLK", None)
    if command is not None:
        try:
            fcntl.fcntl(fd, command, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _FAR, 1, 0))
        except (BlockingIOError, PermissionError):
            raise
        except OSError:
            return
