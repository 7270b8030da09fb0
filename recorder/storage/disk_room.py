"""Room on the disk of a file that grows, and what the disk's errors mean."""

import contextlib
import errno
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from recorder.errors import DiskFullError, RecorderError, StorageError

# What closing a file wants of a full disk: the first chunk of each table and the index of the frames.
BALLAST_BYTES = 2_000_000


class DiskRoom:
    """The disk that holds `path`; used from one thread, `free_bytes` read from any.

    `reserve` bytes are never used for frames. Besides, some room for closing in order is taken at once and
    given back when it is needed.
    """

    def __init__(self, path: Path, reserve: int) -> None:
        self._path, self._reserve = path, reserve
        self._ballast: IO[bytes] | None = None
        self.fd = -1  # of the file, once it is open: its folder may be renamed
        self.free_bytes = 0  # as the last look found

    def take_ballast(self) -> None:
        """Take room for closing; it has no name, and is gone with this process. Raises OSError."""
        self._ballast = tempfile.TemporaryFile(dir=self._path.parent)  # noqa: SIM115 - until give_back
        self._ballast.write(bytes(BALLAST_BYTES))
        self._ballast.flush()

    def give_back(self) -> None:
        """Give back the room for closing; a second time does nothing."""
        if self._ballast is not None:
            # What the disk says of a file that goes away concerns nobody.
            with contextlib.suppress(OSError):
                self._ballast.close()
            self._ballast = None

    def look_for(self, size: int) -> None:
        """Raise DiskFullError where `size` bytes would eat up the reserve."""
        self.free_bytes = self._free()
        if self.free_bytes < size + self._reserve:
            raise DiskFullError(self._full())

    def _free(self) -> int:
        if self.fd >= 0 and hasattr(os, "fstatvfs"):
            figures = os.fstatvfs(self.fd)
            return figures.f_bavail * figures.f_frsize
        return shutil.disk_usage(self._path.parent).free

    def _full(self) -> str:
        reserve = (
            f"{self._reserve / 1e6:g} MB are kept for closing (storage.reserve); " if self._reserve else ""
        )
        return (
            f"{self._path.parent}: the disk is full; {reserve}make room, or choose another disk with --output"
        )

    @contextlib.contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Raise DiskFullError or StorageError for what the system says; HDF5 puts errno into its text."""
        try:
            yield
        except RecorderError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, struct.error) as error:
            # HDF5 has more than one way to say that it could not read or write.
            full = getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)
            if full:
                self.give_back()
                raise DiskFullError(self._full()) from error
            raise StorageError(f"cannot {doing} {self._path}: {error}") from error
