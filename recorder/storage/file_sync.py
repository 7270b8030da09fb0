"""Bring a file to the disk, know how much of it is there, and where the file is; for a thread of its own."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from recorder.errors import StorageError
from recorder.storage.direct_io import name_of, open_again, sync_data, sync_folder
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import OnDisk

log = logging.getLogger(__name__)


class FileSync:
    """A handle of its own on a file that exists; every method blocks, without HDF5.

    By descriptor, wherever the file has been moved to. `frames` are durable; -1: not even the file itself.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.fd = open_again(path)
        self.frames = -1
        # The first sync that failed: the system says so once, and takes what it could not write for written.
        self.error: OSError | None = None
        self._counts: tuple[int, ...] = ()
        self._is_removed = False

    def sync(self, path: Path, places: FileAddresses, counts: Sequence[int]) -> None:
        """Return once all that was written is on the disk; raises OSError.

        `counts` are the frames, and the rows of each table, that were in the file before the call; they are
        written down as durable, unless an earlier sync has failed.
        """
        try:
            sync_data(self.fd)
            if self.frames < 0:
                sync_folder(path.parent)
                self.frames = 0
            if self.error is None and tuple(counts) != self._counts:
                places.set_durable(OnDisk(self.fd), counts)
                sync_data(self.fd)
                self._counts = tuple(counts)
                self.frames = counts[0]
        except OSError as error:
            self.error = self.error or error
            raise

    def place_of(self, path: Path) -> Path:
        """Return where the file is, which was at `path`; raises StorageError, once, where it was removed."""
        if self._is_removed or self.is_at(path):
            return path
        new = name_of(self.fd)
        if new is not None and self.is_at(new):
            log.warning("%s was moved while it was written, and is %s now", path, new)
            return new
        self._is_removed = True
        raise StorageError(
            f"{path} was removed while it was written: its frames are lost when it is closed; "
            "begin another file with: save new"
        )

    def is_at(self, path: Path) -> bool:
        """Return whether the file stands at `path`."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self.fd))
        except OSError:
            return False

    def close(self) -> None:
        """Close the handle; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
