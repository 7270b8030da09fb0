"""One file being written: pixels first, then the frames' rows, then the flush. Used from one thread."""

import contextlib
import errno
import itertools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from h5py import h5a, h5d, h5s
from numpy.typing import NDArray

from recorder.errors import DiskFullError, RecorderError, StorageError
from recorder.frames.ledger import Loss
from recorder.frames.metadata import STORED, stored_columns
from recorder.frames.pool import FrameSpan
from recorder.storage import layout
from recorder.storage.direct_io import DirectFile, open_again, sync_data, sync_folder
from recorder.storage.records import ISO_TIME, LossRow, Row, Verdict, fitted
from recorder.storage.writer_lock import WriterLock

log = logging.getLogger(__name__)

# Rows wait at most this long for their commit while frames keep coming: ten commits a second cost nothing,
# and with the camera thread's own 0.08 s a frame is on disk well within 0.25 s.
COMMIT_NS = 80_000_000

# What is told where another program laid hands on the file.
CUT = (
    "another program changed this file while it was written (h5clear?): frames of that moment may be empty; "
    "leave a file alone until its recorder has closed it"
)

# What closing a file wants of a full disk: the first chunk of each table and the index of the frames.
BALLAST_BYTES = 2_000_000


class Recording:
    """A file that is valid at every moment: what has a row is there, what has none does not exist."""

    def __init__(
        self,
        path: Path,
        what: layout.FileDescription,
        mode: Literal["auto", "direct", "buffered"] = "auto",
        reserve: int = 0,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Create the file.

        Raises UsageError where it exists, DiskFullError where there is no room for a first chunk,
        StorageError where it cannot be made. `reserve` bytes of the disk are left free, for closing in order.
        """
        self.path = path
        self._reserve = reserve
        self._format = what.format
        self.free_bytes = 0  # as the last look found
        with self._errors("make"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._look_for_room(what.format.nbytes * what.frames_per_chunk)
        self.frames = 0  # committed
        self._clock = clock
        self._per_chunk = what.frames_per_chunk
        self._chunk_bytes = what.format.nbytes * what.frames_per_chunk
        with self._errors("make"), contextlib.ExitStack() as undo:
            self._file = layout.create(path, what)
            undo.callback(path.unlink)
            undo.callback(self._file.close)
            # Room for closing in order, given back when the disk turns out to be full; it has no name, and is
            # gone with this process whatever happens to it.
            self._ballast = undo.enter_context(tempfile.TemporaryFile(dir=path.parent))
            self._ballast.write(bytes(BALLAST_BYTES))
            self._ballast.flush()
            self._direct = None if mode == "buffered" else DirectFile.open(path)
            if self._direct is not None:
                undo.callback(self._direct.close)
            self._lock = undo.enter_context(WriterLock(path))
            self._sync_fd = open_again(path)
            undo.callback(os.close, self._sync_fd)
            if mode == "direct" and self._direct is None:
                raise StorageError(f'{path}: no direct I/O on this disk; set storage.mode = "auto"')
            sync_folder(path.parent)
            undo.pop_all()
        detector = self._file[layout.DETECTOR]
        self._pixels: h5d.DatasetID = detector["data"].id
        self._columns: list[h5d.DatasetID] = [detector[field.column].id for field in STORED]
        self._written = 0  # frames whose pixels are in place, rows or not
        self._rows: list[NDArray[Any]] = []
        self._committed_ns = clock()
        self._is_closed = False
        self._first: NDArray[Any] | None = None  # the first frame's metadata
        try:
            with self._errors("make"):
                self._set("storage_mode", self.mode)
        except StorageError:
            self.discard()
            raise

    @property
    def mode(self) -> str:
        """How pixels are written: "direct" past the page cache, or "buffered" through HDF5."""
        return "buffered" if self._direct is None else "direct"

    @property
    def commit_due_s(self) -> float | None:
        """Seconds until what is written wants its commit, None where nothing waits for one."""
        if not self._rows:
            return None
        return max(0.0, (self._committed_ns + COMMIT_NS - self._clock()) * 1e-9)

    def append(self, spans: Sequence[FrameSpan], losses: Sequence[Loss] = ()) -> None:
        """Write frames behind those there are; raises DiskFullError or StorageError.

        Every block but a file's last one must come whole, in one span or in several.
        """
        with self._errors("write frames to"):
            self._look_for_cuts()
            for span in spans:
                size = self._format.nbytes * len(span)
                self._look_for_room(size)
                total = self._written + len(span)
                self._pixels.set_extent((total, self._format.height, self._format.width))
                self._write_pixels(span)
                # A copy: the block is filled anew long before its rows are committed.
                self._rows.append(span.metadata.copy())
                self._written = total
            self._lock.note()
            # A loss is told after the frames around it exist; if they do not come to, it is told at the end.
            if losses or self._clock() - self._committed_ns >= COMMIT_NS:
                self.commit()
            if losses:
                self._append_rows([LossRow.of(loss) for loss in losses])

    def _write_pixels(self, span: FrameSpan) -> None:
        chunk, offset = divmod(self._written, self._per_chunk)
        if offset != span.start:
            raise AssertionError(f"{span!r} does not follow frame {self._written} of {self.path}")
        coordinates = (chunk * self._per_chunk, 0, 0)
        memory = span.block.memory[: self._chunk_bytes]
        if self._direct is not None:
            address = self._pixels.get_chunk_info_by_coord(coordinates).byte_offset
            size = self._format.nbytes
            try:
                self._direct.write(memory, span.start * size, span.stop * size, address)
                return
            except OSError as error:
                # Some file systems open for direct I/O and refuse the first write.
                if error.errno != errno.EINVAL or self._written:
                    raise
                self._direct.close()
                self._direct = None
                self._set("storage_mode", self.mode)
        self._pixels.write_direct_chunk(coordinates, memory)

    def commit(self) -> None:
        """Give the frames written their rows, and flush: from now on they exist."""
        self._committed_ns = self._clock()
        if not self._rows:
            return
        with self._errors("commit frames to"):
            self._look_for_cuts()
            metadata = np.concatenate(self._rows)
            if self._first is None:
                self._first = metadata[0]
                # The wall clock is looked at once, and brought back to the first frame.
                age_s = (self._clock() - int(self._first["host_time_ns"])) * 1e-9
                self._set_start(_utc(time.time() - age_s))
            for column, values in zip(self._columns, stored_columns(metadata, self._first), strict=True):
                column.set_extent((self._written,))
                space = column.get_space()
                space.select_hyperslab((self.frames,), (len(metadata),))
                column.write(h5s.create_simple((len(metadata),)), space, np.ascontiguousarray(values))
            # Pixels and columns become visible together.
            for dataset in (self._pixels, *self._columns):
                dataset.flush()
            self._lock.seal(self._file.id.get_filesize())
            self.frames = self._written
            self._rows.clear()

    def drop_uncommitted(self) -> None:
        """Give up frames that have no rows: `finish` takes back their room."""
        self._rows.clear()

    def _set_start(self, moment: str) -> None:
        """Say when the first frame was exposed, and from when on its column of times counts."""
        self._set("start_time", moment)
        column = self._file[layout.DETECTOR][layout.TIME_COLUMN]
        h5a.open(column.id, b"start").write(np.array(moment.encode(), ISO_TIME))

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Append rows to their tables, and flush them; the frames written so far get theirs before."""
        self.commit()
        with self._errors("write rows to"):
            self._append_rows(rows)

    def _append_rows(self, rows: Sequence[Row]) -> None:
        for _, group in itertools.groupby(rows, type):
            same = list(group)
            kind = type(same[0])
            new = np.array([row.packed() for row in same], kind.dtype())
            dataset = self._file["entry"][kind.table]
            count = len(dataset)
            dataset.resize((count + len(new),))
            dataset[count:] = new
            dataset.flush()
        self._look_for_cuts()
        self._lock.seal(self._file.id.get_filesize())

    def finish(self, losses: Sequence[Loss] = ()) -> None:
        """Commit what is written, and take back room for frames that never came; rows may still be added.

        Raises DiskFullError or StorageError; as much of it is done as can be.
        """
        self._ballast.close()
        problem = self._first_problem(
            self._look_for_cuts,
            self.commit,
            self._trim,
            *([partial(self._append_rows, [LossRow.of(loss) for loss in losses])] if losses else []),
            self._file.flush,
        )
        if problem is not None:
            raise problem

    def sync(self) -> None:
        """Return once all that was written is on the disk; no h5py in it, for a thread of its own.

        By descriptor, wherever the file has been moved to. After `close` it is the last. Raises StorageError.
        """
        if self._sync_fd < 0:
            return
        with self._errors("bring to the disk"):
            try:
                sync_data(self._sync_fd)
            finally:
                if self._is_closed:
                    os.close(self._sync_fd)
                    self._sync_fd = -1

    def close(self, verdict: Verdict, cause: str) -> None:
        """Say how it ended, and close the file; `sync` then makes that durable.

        Raises DiskFullError or StorageError; as much of it is done as can be.
        """
        if self._lock.was_cut:
            verdict, cause = Verdict.FAILED, f"{self.path}: {CUT}"
        problem = self._first_problem(
            partial(self._set, "cause", cause),
            partial(self._set, "verdict", verdict),
            partial(self._set, "end_time", _utc(time.time())),
            self._close_handles,
        )
        self._is_closed = True
        if problem is not None or self._lock.was_cut:
            raise problem or StorageError(cause)

    def _first_problem(self, *steps: Callable[[], object]) -> StorageError | None:
        """Carry out every step, whether or not the one before succeeded; return what went wrong first."""
        first: StorageError | None = None
        for step in steps:
            try:
                with self._errors("close"):
                    step()
            except StorageError as error:
                first = first or error
        return first

    def _close_handles(self) -> None:
        try:
            if self._direct is not None:
                self._direct.close()
            # While HDF5 closes the file it is still ours.
            self._file.close()
        finally:
            self._lock.close()

    def discard(self) -> None:
        """Close and remove a file that holds no frame."""
        if self.frames:
            raise AssertionError(f"{self.path} holds {self.frames} frames")
        with self._errors("remove"):
            self._ballast.close()
            os.close(self._sync_fd)
            self._sync_fd = -1
            self._close_handles()
            self.path.unlink()

    def _look_for_cuts(self) -> None:
        if self._lock.look():
            log.error("%s: %s", self.path, CUT)

    def _trim(self) -> None:
        """Take back room for frames that never came or have no row."""
        if self.frames != self._pixels.shape[0]:
            self._pixels.set_extent((self.frames, self._format.height, self._format.width))
        for column in self._columns:
            if column.shape[0] != self.frames:
                column.set_extent((self.frames,))

    def _set(self, name: str, text: str) -> None:
        dataset = self._file["entry"][name]
        dataset[()] = fitted(text, dataset.dtype.itemsize)

    def _look_for_room(self, size: int) -> None:
        """Raise DiskFullError before anything is touched where `size` bytes would eat up the reserve."""
        self.free_bytes = shutil.disk_usage(self.path.parent).free
        if self.free_bytes < size + self._reserve:
            raise DiskFullError(self._disk_full())

    def _disk_full(self) -> str:
        reserve = (
            f"{self._reserve / 1e6:g} MB are kept for closing (storage.reserve); " if self._reserve else ""
        )
        return (
            f"{self.path.parent}: the disk is full; {reserve}make room, or choose another disk with --output"
        )

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Translate what the system says; HDF5 puts errno into its text."""
        try:
            yield
        except RecorderError:
            raise
        except OSError as error:
            if error.errno == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
                self._ballast.close()
                raise DiskFullError(self._disk_full()) from error
            raise StorageError(f"cannot {doing} {self.path}: {error}") from error
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            # HDF5 has more than one way to say that it could not read or write.
            raise StorageError(f"cannot {doing} {self.path}: {error}") from error


def _utc(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
