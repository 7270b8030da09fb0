"""One file being written: pixels first, then the frames' rows, then the flush."""

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from recorder.errors import DamagedFileError, StorageError
from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Loss
from recorder.frames.pool import FrameSpan
from recorder.storage import layout
from recorder.storage.chunk_writer import ChunkWriter
from recorder.storage.clock_values import values_of
from recorder.storage.direct_io import open_again
from recorder.storage.disk_room import DiskRoom
from recorder.storage.file_bytes import OnDisk
from recorder.storage.file_sync import FileSync
from recorder.storage.first_frame import utc_now, utc_of_first
from recorder.storage.hdf5_writer import HDF5Writer
from recorder.storage.packed_span import PackedSpan, PackingFigures
from recorder.storage.pixel_writes import AHEAD, PixelWrites
from recorder.storage.records import LossRow, Row, RowBlock, Verdict, blocks_of
from recorder.storage.uncommitted_rows import UncommittedRows
from recorder.storage.writer_lock import WriterLock

log = logging.getLogger(__name__)

# Rows wait at most this long for their commit while frames keep coming: ten commits a second cost nothing,
# and with the camera thread's own 0.08 s a frame is on disk well within 0.25 s.
COMMIT_NS = 80_000_000

# What is reported where another program changed the file.
CHANGED = (
    "another program changed this file while it was written (h5clear?): frames of that moment may be empty; "
    "leave a file alone until its recorder has closed it"
)


class Recording:
    """A file that is valid at every moment: what has a row is there, what has none does not exist.

    Every method but `sync` and `look_where_it_is` is called on one thread, and blocks. Where the library
    fails it is let go of, the frames committed before stay, and closing puts the file in order without it.
    """

    def __init__(
        self,
        path: Path,
        what: layout.FileDescription,
        mode: Literal["auto", "direct", "buffered"] = "auto",
        reserve: int = 0,
        clock: Callable[[], int] = time.perf_counter_ns,
        limit: float = math.inf,
    ) -> None:
        """Create the file.

        Raises UsageError where it exists, DiskFullError where there is no room for a first chunk,
        StorageError where it cannot be made. `reserve` bytes of the disk are left free, for closing in order.
        Frames are written as slowly as on a disk of `limit` bytes/s.
        """
        self.path = path
        self._room = DiskRoom(path, reserve)
        with self._room.errors("make"), contextlib.ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._room.look_for(what.format.nbytes * what.frames_per_chunk)
            layout.create(path, what)
            undo.callback(path.unlink)
            self._room.take_ballast()
            undo.callback(self._room.give_back)
            self._hdf5 = HDF5Writer(path, what)
            undo.callback(self._hdf5.let_go)
            self._lock = undo.enter_context(WriterLock(path))
            self._fd = self._room.fd = open_again(path)
            undo.callback(os.close, self._fd)
            self._chunks = ChunkWriter(path, self._fd, self._hdf5, what, mode, limit)
            undo.callback(self._chunks.close)
            self._sync = FileSync(path)
            undo.callback(self._sync.close)
            self._file = OnDisk(self._fd)
            self._places = self._hdf5.places(self._file)
            self._note_mode()
            undo.pop_all()
        self.ladder = what.ladder  # whose levels pixels are moved to before they are packed
        self.frames = self.last_number = 0  # committed; the camera's counter of the last one
        self._clock = clock
        self._rows = UncommittedRows(
            checksums=what.checksums,
            regions=what.regions.values(),
            trigger=what.trigger,
            channels=len(what.channels),
        )
        self._pixels = PixelWrites(self._chunks, self._rows, self._note_mode)
        self._committed_ns = clock()
        self._is_closed = False
        self._tells_clocks = not what.clock_unknown
        self._missing: set[int] = set()  # first numbers of the losses in the file

    @property
    def mode(self) -> str:
        """How pixels are written: "direct" past the page cache, or "buffered" through it."""
        return self._chunks.mode

    @property
    def durable_frames(self) -> int:
        """Frames that survive a power cut, -1 where the file itself would not; from any thread."""
        return self._sync.frames

    @property
    def free_bytes(self) -> int:
        """Room on the disk, as the last look found; from any thread."""
        return self._room.free_bytes

    @property
    def commit_due_s(self) -> float | None:
        """Seconds until what is written wants its commit, None where nothing waits for one."""
        if not self._rows and not self._pixels:
            return None
        return max(0.0, (self._committed_ns + COMMIT_NS - self._clock()) * 1e-9)

    @property
    def packs(self) -> bool:
        """Whether whole blocks may come packed; from any thread."""
        return self._chunks.is_packed

    @property
    def packing(self) -> PackingFigures | None:
        """What packing has done so far, None where nothing is packed; from any thread."""
        return self._chunks.packing

    def compute(self, span: FrameSpan, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Return what is stored of frames besides their metadata, for a span to be packed; on any thread.

        `pixels` (n, H, W) are those that are stored.
        """
        return self._rows.compute(span, pixels)

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        """Write frames behind those there are; raises DiskFullError or StorageError.

        Every block but a file's last one must come whole, in one span or in several. The last ones may still
        be under way afterwards, and are leased until they are written; what becomes of them is said later.
        """
        with self._room.errors("write frames to"):
            self._look_for_changes()
            for span in spans:
                self._pixels.note(leaving=AHEAD - 1)
                self._room.look_for(self._chunks.room_for(span))
                self._hdf5.extend(self._pixels.frames + len(span))
                self._pixels.add(span)
            self._lock.note()
            # A loss is reported after the frames around it exist; if they never do, at the end.
            if losses or self._clock() - self._committed_ns >= COMMIT_NS:
                self.commit()
            self._append_losses(losses)

    def _note_mode(self) -> None:
        self._places.set_text(self._file, "storage_mode", self.mode)

    def commit(self, clocks: ClockFit | None = None) -> None:
        """Give the frames written their rows, and flush: from now on they exist.

        `clocks` is how camera and computer go, where it is told anew.
        """
        self._committed_ns = self._clock()
        with self._room.errors("write frames to"):
            self._pixels.note()
        if self._rows:
            self._commit_rows()
        if clocks is not None and self._tells_clocks and self._rows.first is not None:
            zeros = (int(self._rows.first[name]) for name in ("camera_time_ns", "host_time_ns"))
            with self._room.errors("write to"):
                self._places.set_clock(self._file, values_of(clocks, *zeros))

    def _commit_rows(self) -> None:
        with self._room.errors("commit frames to"):
            self._look_for_changes()
            metadata = self._rows.metadata()
            if self._rows.first is None:
                # The wall clock is looked at once, and brought back to the first frame.
                moment = utc_of_first(metadata, self._clock)
                self._places.set_text(self._file, "start_time", moment)
                self._hdf5.set_start(moment, int(metadata["host_time_ns"][0]))
                self._rows.first = metadata[0]
            self._hdf5.write_columns(self.frames, self._rows.columns(metadata))
            # From here on readers see them, whatever becomes of the superblock.
            self.frames += len(metadata)
            self.last_number = int(metadata["frame_number"][-1])
            self._rows.clear()
            self._lock.seal(self._hdf5.allocated())

    def drop_uncommitted(self) -> None:
        """Give up frames that have no rows: closing takes back their room."""
        self._pixels.give_up()
        self._rows.clear()

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Append rows to their tables, and flush them; the frames written so far get theirs before."""
        self.add_blocks(blocks_of(rows))

    def add_blocks(self, blocks: Sequence[RowBlock]) -> None:
        """Append rows as `add_rows` does, many at once."""
        self.commit()
        with self._room.errors("write rows to"):
            self._append_blocks(blocks)

    def _append_blocks(self, blocks: Sequence[RowBlock]) -> None:
        for block in blocks:
            self._hdf5.append_block(block)
        self._look_for_changes()
        self._lock.seal(self._hdf5.allocated())

    def finish(self, losses: Sequence[Loss] = ()) -> None:
        """Commit what is written; rows may still be added.

        Raises DiskFullError or StorageError; as much of it is done as can be.
        """
        self._room.give_back()
        try:
            self.commit()
        finally:
            with self._room.errors("write rows to"):
                self._append_losses(losses)

    def _append_losses(self, losses: Sequence[Loss]) -> None:
        """Append those that are not there yet: who gives them again cannot know what an error left."""
        new = [loss for loss in losses if loss.first_missing not in self._missing]
        if new:
            # Where the library fails in it nobody calls it again; where what follows does, they are there.
            self._missing.update(loss.first_missing for loss in new)
            self._append_blocks(blocks_of([LossRow.of(loss) for loss in new]))

    def sync(self) -> None:
        """Return once all that was written is on the disk; no HDF5 in it, for a thread of its own.

        By descriptor, wherever the file has been moved to. After `close` it is the last. Raises StorageError.
        """
        if self._sync.fd < 0:
            return
        # A sync that was under way when the file was closed is not the last one.
        is_last = self._is_closed
        counts = (self.frames, *self._hdf5.rows.values())
        with self._room.errors("bring to the disk"):
            try:
                self._sync.sync(self.path, self._places, counts)
            finally:
                if is_last:
                    self._sync.close()

    def close(self, verdict: Verdict, cause: str) -> None:
        """Say how it ended, and close the file; `sync` then makes that durable.

        Raises DiskFullError or StorageError for what nobody knows of yet; as much of it is done as can be.
        """
        problem: StorageError | None = None
        try:
            self._pixels.give_up()
            if self._hdf5.is_alive:
                problem = self._first_problem(self._look_for_changes, self._hdf5.flush)
            elif verdict is not Verdict.FAILED:
                problem = StorageError(self._hdf5.cause)
            if problem is None and self._lock.was_changed:
                problem = StorageError(f"{self.path}: {CHANGED}")
            if problem is None and self._sync.error is not None:
                # Also where the next one succeeded: what the first could not write may be gone.
                problem = StorageError(f"cannot bring to the disk {self.path}: {self._sync.error}")
            is_in_order = self._hdf5.is_alive and self._hdf5.frames == self.frames
            self._hdf5.let_go()
            # A write that fails once may well succeed the next time; what failed is then the cause.
            for _ in range(2):
                if problem is not None:
                    verdict, cause = Verdict.FAILED, str(problem)
                again = self._first_problem(
                    *([] if is_in_order else [self._trim]),
                    partial(self._describe_end, verdict, cause),
                    self._lock.seal_closed,
                )
                if again is None:
                    break
                problem = problem or again
        finally:
            self._is_closed = True
            self._close_handles()
        if problem is not None:
            raise problem

    def _trim(self) -> None:
        """Have the file hold what was committed and nothing else, without the library."""
        try:
            self._places.keep(self._file, self.frames, self._hdf5.rows)
        except DamagedFileError as error:
            raise StorageError(f"cannot put {self.path} in order: {error}; recorder recover may") from error

    def _describe_end(self, verdict: Verdict, cause: str) -> None:
        for name, text in (("cause", cause), ("verdict", verdict), ("end_time", utc_now())):
            self._places.set_text(self._file, name, text)

    def _first_problem(self, *steps: Callable[[], object]) -> StorageError | None:
        """Carry out steps up to the first that fails; return what went wrong."""
        try:
            with self._room.errors("close"):
                for step in steps:
                    step()
        except StorageError as error:
            return error
        return None

    def _close_handles(self) -> None:
        self._pixels.close()
        self._rows.close()
        if self._rows.without_means:
            log.warning("%s: region means of %d frames were left out", self.path, self._rows.without_means)
        self._hdf5.let_go()
        self._room.give_back()
        for close in (self._lock.close, partial(os.close, self._fd), self._chunks.close):
            # Everything is written and checked: what a disk that is gone says now changes nothing.
            with contextlib.suppress(OSError):
                close()

    def discard(self) -> None:
        """Close and remove a file that holds no frame; one that was moved or replaced stays where it is."""
        if self.frames:
            raise AssertionError(f"{self.path} holds {self.frames} frames")
        is_ours = self._sync.is_at(self.path)
        self._close_handles()
        with contextlib.suppress(OSError):
            self._sync.close()
        if is_ours:
            with self._room.errors("remove"):
                self.path.unlink(missing_ok=True)

    def look_where_it_is(self) -> None:
        """Take the file's new name for its `path` where it was moved; on the thread of `sync`.

        Raises StorageError, once, where it was removed.
        """
        if self._sync.fd >= 0:
            self.path = self._sync.place_of(self.path)

    def _look_for_changes(self) -> None:
        if self._lock.look():
            log.error("%s: %s", self.path, CHANGED)
