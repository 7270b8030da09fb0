"""The bytes of a file at their addresses: those on the disk, or those it would have after a change."""

import bisect
import io
import os
from pathlib import Path
from typing import Protocol, Self

from recorder.storage.direct_io import open_to_read, read_at, write_at


class FileBytes(Protocol):
    """What can be read and written at an address; both methods block, and raise OSError."""

    def read(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes, less where the file ends before."""

    def write(self, address: int, data: bytes) -> None:
        """Write all of `data`."""


class OnDisk:
    """The bytes of an open file."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes, less where the file ends before."""
        return read_at(self.fd, address, size)

    def write(self, address: int, data: bytes) -> None:
        """Write all of `data`."""
        write_at(self.fd, address, data)


class Changed:
    """A file as it would be: what is written is kept in memory until `apply`."""

    def __init__(self, file: OnDisk) -> None:
        self._file = file
        self.size = os.fstat(file.fd).st_size
        self._addresses: list[int] = []
        self._changes: dict[int, bytes] = {}
        self._first: list[int] = []

    def read(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes with the changes made so far."""
        size = max(0, min(size, self.size - address))
        data = bytearray(self._file.read(address, size).ljust(size, b"\0"))
        # Changes do not overlap, but a later one may take an earlier one's place.
        at = max(0, bisect.bisect_left(self._addresses, address) - 1)
        for change in self._addresses[at:]:
            if change >= address + size:
                break
            content = self._changes[change]
            start, stop = max(change, address), min(change + len(content), address + size)
            if start < stop:
                data[start - address : stop - address] = content[start - change : stop - change]
        return bytes(data)

    def write(self, address: int, data: bytes) -> None:
        """Keep a change; it begins where an earlier one of the same place did."""
        if address not in self._changes:
            bisect.insort(self._addresses, address)
        self._changes[address] = bytes(data)
        self.size = max(self.size, address + len(data))

    def sync_before_the_rest(self) -> None:
        """Have `apply` bring the changes made so far to the disk before those that follow."""
        self._first = list(self._changes)

    def apply(self) -> None:
        """Write all changes in the order in which they were made; that at the beginning last.

        It is the one that says the file is in order. Raises OSError: then a part of them is made.
        """
        first = [address for address in self._first if address]
        rest = [address for address in self._changes if address and address not in set(first)]
        for group in (first, rest):
            for address in group:
                self._file.write(address, self._changes[address])
            os.fsync(self._file.fd)
        if os.fstat(self._file.fd).st_size < self.size:
            os.ftruncate(self._file.fd, self.size)
        if 0 in self._changes:
            self._file.write(0, self._changes[0])
        os.fsync(self._file.fd)


class Readable(io.RawIOBase):
    """The bytes of a file for programs that read files; raises OSError."""

    def __init__(self, content: Changed) -> None:
        self.content = content
        self._at = 0
        self._own_fd = -1

    @classmethod
    def of(cls, path: Path) -> Self:
        """Open the file at `path`; `close` closes it."""
        fd = open_to_read(path)
        readable = cls(Changed(OnDisk(fd)))
        readable._own_fd = fd
        return readable

    def close(self) -> None:
        """Close the file that `of` opened; a second time does nothing."""
        if self._own_fd >= 0:
            os.close(self._own_fd)
            self._own_fd = -1
        super().close()

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the address of the next byte to be read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read on from another address; return it."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.content.size}[whence]
        self._at = begin + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with what comes next; return how many bytes that were, 0 at the end."""
        data = self.content.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
