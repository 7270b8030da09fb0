"""A new file that HDF5 writes through us: it crashes the process where the disk fails while it closes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py

from recorder.frames.pool import PAGE
from recorder.storage.direct_io import past_page_cache


class HDF5Target(io.RawIOBase):
    """The file that HDF5 has in place of one of its own.

    After the first error of the disk, which is kept as `error`, what is written goes nowhere, so that HDF5
    closes in order what will be removed. Whoever brings the data asks `check` between two pieces.
    """

    def __init__(self, path: Path, *, exists: bool = False, past_cache: bool = False) -> None:
        """Make the file, or open an empty one that `exists`; raises OSError.

        `past_cache`: whole pages, from and to where pages begin, go past the page cache where the disk can.
        """
        self._file = path.open("r+b" if exists else "x+b", buffering=0)
        self._past_cache = past_cache
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the error of the disk, if there was one."""
        if self.error is not None:
            raise self.error

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """Write all of it where `seek` has gone to, or nowhere after an error."""
        left = data
        try:
            while left and self.error is None:
                left = left[self._write_some(left) :]
        except OSError as error:
            self.error = error
        return len(data)

    def _write_some(self, data: memoryview) -> int:
        if self._past_cache and len(data) % PAGE == 0 and self._file.tell() % PAGE == 0:
            # What is refused there, as from memory that does not begin on a page, the page cache takes.
            with suppress(OSError), past_page_cache(self._file.fileno()):
                return self._file.write(data)
        return self._file.write(data)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read from where `seek` has gone to."""
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where it stands."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Have the file end there, or nothing after an error."""
        try:
            return self._file.truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._file.close()
        super().close()


@contextmanager
def hdf5_target(
    path: Path,
    *,
    exists: bool = False,
    past_cache: bool = False,
    **options: Any,  # noqa: ANN401 - those of h5py
) -> Iterator[tuple[HDF5Target, h5py.File]]:
    """Yield a new file at `path`, ours and as HDF5 has it, with `options` of h5py.File.

    See `HDF5Target`; raises OSError where the disk fails.
    """
    with HDF5Target(path, exists=exists, past_cache=past_cache) as target:
        try:
            with h5py.File(target, "w", **options) as file:
                yield target, file
        except Exception:
            # Whatever the library says then, it is this.
            target.check()
            raise
        target.check()
