"""HDF5's handle on the file that grows. After an error in it, it is let go of.

HDF5 keeps in memory what it could not write, tries again while it closes, and has crashed the process in
doing so. Its descriptor is therefore pointed at memory before it is closed, after a failure and always: what
it still writes goes nowhere, and `Recording.close` puts the file in order. Used from one thread.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5s
from numpy.typing import NDArray

from recorder.errors import StorageError
from recorder.frames.pool import PAGE
from recorder.storage import layout
from recorder.storage.direct_io import past_page_cache
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import FileBytes
from recorder.storage.records import ISO_TIME, ROWS, RowBlock


class HDF5Writer:
    """A file open in SWMR mode; every method blocks, and raises OSError or StorageError.

    After the first error of the library `is_alive` is False, and each call that would write raises it again.
    """

    def __init__(self, path: Path, what: layout.FileDescription) -> None:
        """Open the file that `layout.create` made."""
        self.is_alive = True
        self.rows = {row.table: 0 for row in ROWS}  # that are in the file, by table
        self.cause = ""  # what it was let go of for
        self._sink = _sink()
        try:
            self._file = layout.open_to_write(path, what)
        except BaseException:
            os.close(self._sink)
            raise
        try:
            with self._guard():
                self._fd = int(self._file.id.get_vfd_handle())
                detector, entry = self._file[layout.DETECTOR], self._file["entry"]
                # All of them stay open: an error in closing one would be seen by nobody.
                self._pixels: h5d.DatasetID = detector["data"].id
                self._columns: list[h5d.DatasetID] = [self._file[path].id for path in what.columns]
                self._tables: dict[str, h5d.DatasetID] = {row.table: entry[row.table].id for row in ROWS}
                self._start = h5a.open(detector[layout.TIME_COLUMN].id, b"start")
                self._host_zero = h5a.open(detector[layout.HOST_COLUMN].id, layout.HOST_ZERO.encode())
                self._frame_shape = self._pixels.shape[1:]
        except BaseException:
            self.let_go()
            raise

    @property
    def frames(self) -> int:
        """How many frames the library gives the dataset of frames at this moment."""
        return int(self._pixels.shape[0])

    def places(self, file: FileBytes) -> FileAddresses:
        """Return where in the file the things are that change; `file` is a second handle on it."""
        with self._guard():
            return FileAddresses.of(self._file, file)

    def extend(self, frames: int) -> None:
        """Make room for so many frames in all."""
        with self._guard():
            self._pixels.set_extent((frames, *self._frame_shape))

    def chunk_address(self, frame: int) -> int:
        """Return where in the file the chunk is that begins with `frame`."""
        with self._guard():
            return int(self._pixels.get_chunk_info_by_coord((frame, 0, 0)).byte_offset)

    def write_chunk(self, frame: int, data: memoryview, *, packed: bool, direct: bool) -> None:
        """Write the chunk that begins with `frame`, packed or as it is; room for it is made.

        `direct`: past the page cache, from page-aligned memory; what the disk does not take goes through it.
        """
        place, mask = (frame, 0, 0), 0 if packed else 1
        with self._guard():
            if direct and len(data) % PAGE == 0:
                with contextlib.suppress(OSError), past_page_cache(self._fd):
                    self._pixels.write_direct_chunk(place, data, mask)
                    return
                self._forget_chunk(frame)
            self._pixels.write_direct_chunk(place, data, mask)

    def _forget_chunk(self, frame: int) -> None:
        """Have the library forget the chunk that begins with `frame`, the last one, which it failed to write.

        It takes it for one that is there, and would write it once more without an entry in the index: nobody
        would find it. Shrinking the dataset is what clears that (H5D__chunk_prune_by_dim).
        """
        frames = self.frames
        for extent in (frame, frames):
            self._pixels.set_extent((extent, *self._frame_shape))

    def set_start(self, moment: str, host_ns: int) -> None:
        """Say from when on times and arrivals count; reaches the file with the next columns."""
        with self._guard():
            self._start.write(np.array(moment.encode(), ISO_TIME))
            self._host_zero.write(np.array(host_ns, np.int64))

    def write_columns(self, begin: int, columns: Sequence[NDArray[Any]]) -> None:
        """Write values (n,) of each stored field from row `begin` on, and have readers see them."""
        with self._guard():
            for column, values in zip(self._columns, columns, strict=True):
                _append(column, begin, np.ascontiguousarray(values))
            # Pixels and columns become visible together.
            for dataset in (self._pixels, *self._columns):
                dataset.flush()

    def append_block(self, block: RowBlock) -> None:
        """Append rows of one kind to their table, and have readers see them."""
        kind, values = block
        table = self._tables[kind.table]
        with self._guard():
            _append(table, self.rows[kind.table], values)
            table.flush()
        self.rows[kind.table] += len(values)

    def allocated(self) -> int:
        """Return how many bytes of the file the library has given to something."""
        with self._guard():
            return int(self._file.id.get_filesize())

    def flush(self) -> None:
        """Have the library write all that it keeps in memory."""
        with self._guard():
            self._file.flush()

    def let_go(self) -> None:
        """Close the handle without a further byte written to the file; a second time does nothing."""
        if self._sink < 0:
            return
        self.is_alive = False
        self.cause = self.cause or "the file is closed"
        os.dup2(self._sink, self._fd, inheritable=False)
        os.close(self._sink)
        self._sink = -1
        # What the library then says of a file that is not one means nothing.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            self._file.close()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Let nobody call the library again after an error in it."""
        if not self.is_alive:
            raise StorageError(self.cause)
        try:
            yield
        except BaseException as error:
            self.cause = str(error)
            self.is_alive = False
            raise


def _append(dataset: h5d.DatasetID, begin: int, values: NDArray[Any]) -> None:
    """Write values (n,) behind the first `begin` of a dataset."""
    dataset.set_extent((begin + len(values),))
    space = dataset.get_space()
    space.select_hyperslab((begin,), (len(values),))
    dataset.write(h5s.create_simple((len(values),)), space, values)


def _sink() -> int:
    """Open what takes writes at any place and keeps them from the disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("let go")
    if sys.platform == "win32":
        return os.open(os.devnull, os.O_RDWR)  # a file would be filled up to the place written
    fd, name = tempfile.mkstemp()
    os.unlink(name)  # noqa: PTH108 - the name is mkstemp's
    return fd
