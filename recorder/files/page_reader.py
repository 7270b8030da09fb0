"""Read any bytes of a file past the page cache, where the disk can."""

import errno
import mmap
import os
from pathlib import Path
from typing import Self

from recorder.errors import DamagedFileError, StorageError
from recorder.frames.pool import PAGE
from recorder.storage.direct_io import open_to_read, read_into


def memory_for(size: int) -> memoryview:
    """Return page-aligned memory into which a `PageReader` reads up to `size` bytes."""
    # What does not begin on a page begins within the first one.
    return memoryview(mmap.mmap(-1, -(-size // PAGE) * PAGE + 2 * PAGE))


class PageReader:
    """A file, opened to read from several threads.

    What was recorded is not in the page cache, and what is read back after it was written should come from
    the disk.
    """

    def __init__(self, path: Path) -> None:
        """Raises StorageError where the file cannot be opened."""
        self._path = path
        try:
            self._fd = open_to_read(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot be opened: {error.strerror or error}") from None
        try:
            self._direct = open_to_read(path, past_cache=True)
        except OSError:
            self._direct = self._fd

    def read(self, address: int, size: int, memory: memoryview) -> memoryview:
        """Return the `size` bytes at `address`, in `memory` (`memory_for`).

        Raises DamagedFileError where the file ends before them, StorageError where the disk fails.
        """
        offset, done = address % PAGE, 0
        wanted = offset + size
        pages = -(-wanted // PAGE) * PAGE
        while done < wanted:
            try:
                count = self._read(address - offset + done, memory[done:pages])
            except OSError as error:
                raise StorageError(f"{self._path}: cannot be read: {error.strerror or error}") from None
            done += count
            if not count:
                raise DamagedFileError(f"{self._path}: cut short; recorder recover keeps what can be read")
        return memory[offset:wanted]

    def _read(self, address: int, memory: memoryview) -> int:
        if self._direct != self._fd and address % PAGE == 0:
            try:
                return read_into(self._direct, address, memory)
            except OSError as error:
                # Some file systems open for direct I/O and refuse to read.
                if error.errno != errno.EINVAL:
                    raise
        return read_into(self._fd, address, memory)

    def close(self) -> None:
        """Let go of the file."""
        for fd in {self._fd, self._direct}:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
