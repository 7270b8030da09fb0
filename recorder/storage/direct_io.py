"""Put bytes at an address of a file past the page cache, from page-aligned memory."""

import contextlib
import errno
import os
import threading
from pathlib import Path
from typing import Self

from recorder.frames.pool import PAGE

# Greater ones are no places in a file: a damaged one may name them.
_MAX_OFFSET = 2**62


# Where there is no call that names the place, threads that share a descriptor take turns.
_ONE_PLACE = threading.Lock()


class DirectFile:
    """An existing file, opened a second time for direct writes.

    What does not end on a page boundary is finished through the page cache: the bytes behind it in that
    page may belong to somebody else.
    """

    def __init__(self, direct_fd: int, buffered_fd: int) -> None:
        self._direct, self._buffered = direct_fd, buffered_fd

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Return None where this system or this file system has no direct I/O."""
        if not hasattr(os, "O_DIRECT") or not hasattr(os, "pwrite"):
            return None
        try:
            direct = os.open(path, os.O_WRONLY | os.O_DIRECT)
        except OSError:
            return None
        return cls(direct, os.open(path, os.O_WRONLY))

    def write(self, memory: memoryview, start: int, stop: int, address: int) -> None:
        """Put memory[start:stop], the bytes of a chunk that begins at file `address`, into their place.

        `memory` and `address` are page-aligned, and `memory` ends where the chunk ends. Whole pages are
        written, so that up to a page before `start` is written again and up to a page after `stop` too early.
        Raises OSError; EINVAL where the file system takes no direct writes after all.
        """
        first = start // PAGE * PAGE
        whole = min(-(-stop // PAGE), len(memory) // PAGE) * PAGE
        _write_all(self._direct, memory[first:whole], address + first)
        if stop > whole:
            tail = max(first, whole)
            _write_all(self._buffered, memory[tail:stop], address + tail)

    def close(self) -> None:
        """Close both descriptors; a second time does nothing."""
        for fd in {self._direct, self._buffered} - {-1}:
            os.close(fd)
        self._direct = self._buffered = -1


def _write_all(fd: int, data: memoryview, offset: int) -> None:
    """Write all of `data`; a disk may take a part only."""
    while data:
        if hasattr(os, "pwrite"):
            written = os.pwrite(fd, data, offset)
        else:
            with _ONE_PLACE:
                os.lseek(fd, offset, os.SEEK_SET)
                written = os.write(fd, data)
        if written == 0:
            raise OSError(errno.EIO, "the disk took no bytes")
        data, offset = data[written:], offset + written


def open_again(path: Path) -> int:
    """Open an existing file a further time, for its bytes; raises OSError."""
    return os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))


def name_of(fd: int) -> Path | None:
    """Return where an open file stands now, None where this system does not say."""
    try:
        return Path(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115 - one of a file that is gone is no path
    except OSError:
        return None


def read_at(fd: int, address: int, size: int) -> bytes:
    """Return up to `size` bytes of a file, less where it ends before; raises OSError."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, address) if address < _MAX_OFFSET else b""
    with _ONE_PLACE:
        os.lseek(fd, min(address, _MAX_OFFSET), os.SEEK_SET)
        return os.read(fd, size)


def read_into(fd: int, address: int, buffer: memoryview) -> int:
    """Fill `buffer`, of bytes, as far as the file goes; return how many were read. Raises OSError.

    One buffer again and again costs a fraction of new memory for each piece.
    """
    if not hasattr(os, "preadv"):
        data = read_at(fd, address, len(buffer))
        buffer[: len(data)] = data
        return len(data)
    return os.preadv(fd, [buffer], address) if address < _MAX_OFFSET else 0


def write_at(fd: int, address: int, data: bytes | memoryview) -> None:
    """Write all of `data` at `address` of a file; raises OSError."""
    _write_all(fd, memoryview(data), address)


def open_to_read(path: Path, *, past_cache: bool = False) -> int:
    """Open an existing file for its bytes, to read only; raises OSError.

    `past_cache`: where the system can; then whole pages are read into page-aligned memory, or reading raises
    OSError with EINVAL.
    """
    direct = getattr(os, "O_DIRECT", 0) if past_cache else 0
    return os.open(path, os.O_RDONLY | direct | getattr(os, "O_BINARY", 0))


def sync_data(fd: int) -> None:
    """Return once the bytes written to a file, and its length, are on the disk; raises OSError."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk; where a folder cannot be synced, that is its own."""
    with contextlib.suppress(OSError):  # Windows opens no folder
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
