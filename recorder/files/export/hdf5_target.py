"""A new file that HDF5 writes through us: it crashes the process where the disk fails while it closes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

# The library's own buffer is 1 MB: chunks that were compressed are written as they are.
_BUFFER = 32 * 2**20


class HDF5Target(io.RawIOBase):
    """The file that HDF5 has in place of one of its own.

    After the first error of the disk, which is kept as `error`, what is written goes nowhere, so that HDF5
    closes in order what will be removed. Whoever brings the data asks `check` between two pieces.
    """

    def __init__(self, path: Path) -> None:
        """Make the file; raises OSError."""
        self._file = path.open("x+b", buffering=0)
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
                left = left[self._file.write(left) :]
        except OSError as error:
            self.error = error
        return len(data)

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
def hdf5_target(path: Path) -> Iterator[tuple[HDF5Target, h5py.File]]:
    """Yield a new file at `path`, ours and as HDF5 has it; raises OSError where the disk fails."""
    with HDF5Target(path) as target:
        try:
            with h5py.File(target, "w", rdcc_nbytes=_BUFFER) as file:
                yield target, file
        except Exception:
            # Whatever the library says then, it is this.
            target.check()
            raise
        target.check()
