"""The new file until it has its name: hidden, locked, and gone with whoever makes it."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from recorder.storage.atomic_file import give_name
from recorder.storage.direct_io import sync_data, sync_folder
from recorder.storage.writer_lock import is_being_written, take_lock

# No file of ours ends so, and nothing that looks for recordings finds it.
ENDING = ".compressing"


class Unfinished:
    """A hidden file at `path` that becomes `final`, or nothing; raises OSError."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self.path = final.with_name(f".{final.name}.{secrets.token_hex(4)}{ENDING}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags, 0o666)
        take_lock(self._fd)

    def sync(self) -> None:
        """Return once what was written is on the disk, from where it is read from now on."""
        sync_data(self._fd)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def become(self, *, in_place: bool) -> None:
        """Take the name: one that is not there, or `in_place` that of the file which then is gone.

        Raises FileExistsError where a new name is taken.
        """
        os.fsync(self._fd)
        # Windows renames nothing that is open.
        self._close()
        if in_place:
            self.path.replace(self._final)
        else:
            give_name(self.path, self._final)
        sync_folder(self._final.parent)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def remove_leftovers(final: Path) -> Iterator[Path]:
    """Remove what was to become `final` when its program was killed; yield each. Raises OSError."""
    is_ours = re.compile(re.escape(f".{final.name}.") + "[0-9a-f]{8}" + re.escape(ENDING)).fullmatch
    for path in list(final.parent.iterdir()) if final.parent.is_dir() else []:
        if is_ours(path.name) and path.is_file() and not is_being_written(path):
            path.unlink()
            yield path
