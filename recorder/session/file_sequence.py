"""The files of a session: which frames are in which, the change to the next, every row's place.

    prepare ──► PREPARED ──switch_to──► CURRENT ──switch_to the next, or finish──► RETIRING ──► CLOSED
                    └── withdraw, or no frame came ──► gone

A file that retires still takes rows of its own frames until those who were about to write them have; only
then it is closed, while the next file is being written. HDF5 is called on one storage thread, the disk is
waited for on another, so that neither holds up frames.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from recorder.camera.base import CameraDescription
from recorder.errors import StorageError
from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Loss
from recorder.frames.pool import FrameSpan
from recorder.session.background_sync import BackgroundSync
from recorder.session.disk_thread import DiskThread
from recorder.session.pending_writes import PendingWrites
from recorder.session.session_file import FileState, FrameCounts, SessionFile
from recorder.settings.model import Settings
from recorder.storage.dry_run import DryRun
from recorder.storage.frame_file import FrameFile
from recorder.storage.packed_span import PackedSpan, PackingFigures
from recorder.storage.records import Row, RowBlock, Verdict, blocks_of

log = logging.getLogger(__name__)

# Makes a file at a path (None: counts frames only) for a camera, with so many frames a chunk.
MakeFile = Callable[[Settings, Path | None, CameraDescription, int], FrameFile]

# How long a file whose frames are complete waits for rows under way, and those of a moment just before.
HOLD_S = 2.0
LINGER_S = 0.25


class FileSequence:
    """The files of a session, each with a `file_index`; every method from the event loop's thread.

    `on_problem` is called with what goes wrong in a file whose frames are complete: the others go on.
    """

    def __init__(self, make_file: MakeFile, durable_every_s: float) -> None:
        self._make_file = make_file
        self._files: list[SessionFile] = []
        self._current = -1
        self._retiring: set[asyncio.Task[None]] = set()
        # Rows of what was done while no file was there, for the next one.
        self._kept: list[Row] = []
        self.pending = PendingWrites()
        self.on_problem: Callable[[StorageError], object] = lambda error: log.error("%s", error)
        self._storage_thread = DiskThread("storage")
        self.sync = BackgroundSync(durable_every_s)
        self.sync.on_problem = self._note_sync_problem

    def _note_sync_problem(self, file: FrameFile, error: StorageError) -> None:
        # A file that is closed by now has been synced, or its trouble has been reported.
        if not any(entry.file is file and entry.is_over for entry in self._files):
            self.on_problem(error)

    def __getitem__(self, file_index: int) -> SessionFile:
        return self._files[file_index]

    @property
    def unanswered(self) -> str:
        """What the disk has not answered for too long, "" where it answers."""
        return self._storage_thread.unanswered or self.sync.thread.unanswered

    @property
    def has_made_one(self) -> bool:
        """Whether there is a file with frames, or was."""
        states = {FileState.PREPARED, FileState.WITHDRAWN}
        return any(entry.file.path is not None and entry.state not in states for entry in self._files)

    @property
    def has_next(self) -> bool:
        """Whether a file is made to which no frames go yet."""
        return any(entry.state is FileState.PREPARED for entry in self._files)

    @property
    def current_index(self) -> int:
        """Index of the file that frames go to, -1 before the first."""
        return self._current

    @property
    def current(self) -> SessionFile:
        """The file that frames go to."""
        return self._files[self._current]

    def counts(self, indices: Sequence[int]) -> FrameCounts:
        """Return how many frames these files have, those without a path being none."""
        files = [self._files[index].file for index in indices]
        saved = [file for file in files if file.path is not None]
        return FrameCounts(
            saved=sum(file.frames for file in saved),
            durable=sum(max(0, file.durable_frames) for file in saved),
            unsaved=sum(file.frames for file in files if file.path is None),
            packing=PackingFigures.of_all(file.packing for file in saved),
        )

    # From one file to the next.

    def expect(self) -> int:
        """Add a file that `prepare` makes later; return its index. Until then its frames are in none."""
        self._files.append(SessionFile(DryRun()))
        return len(self._files) - 1

    async def prepare(
        self,
        settings: Settings,
        path: Path | None,
        camera: CameraDescription,
        frames_per_block: int,
        expected: int | None = None,
    ) -> int:
        """Make a file for frames to come, the one that is `expected`, or another (None); return its index.

        Without a path it is one for frames that are not saved.

        Raises UsageError or StorageError: then nothing has changed.
        """
        call = self._storage_thread.call
        making = asyncio.ensure_future(
            call("making a file", self._make_file, settings, path, camera, frames_per_block)
        )
        try:
            file = await asyncio.shield(making)
        except asyncio.CancelledError:
            # Whoever asked is gone; what was made for them goes too.
            await asyncio.wait([making])
            if making.exception() is None:
                await call("removing a file", making.result().discard)
            raise
        try:
            # From the first frame on the file itself, and its name, survive a power cut.
            await self.sync.now(file)
        except BaseException:
            await call("removing a file", file.discard)
            raise
        index = self.expect() if expected is None else expected
        self._files[index].file = file
        return index

    async def withdraw(self, file_index: int) -> None:
        """Remove a file that no frame will go to; a second time does nothing."""
        entry = self._files[file_index]
        if entry.is_over:
            return
        entry.state = FileState.WITHDRAWN
        await self.sync.pause()
        await self._storage_thread.call("removing a file", entry.file.discard)

    async def switch_to(self, file_index: int) -> None:
        """Have frames go to a prepared file; the one before retires on its own.

        Raises StorageError where rows that waited for this file cannot be written.
        """
        before = self._files[self._current] if self._current >= 0 else None
        self._current = file_index
        self.current.state = FileState.CURRENT
        if before is not None and before.state is FileState.CURRENT:
            before.state = FileState.RETIRING
            path = self.current.file.path
            cause = "saving was switched off" if path is None else f"saving went on in {path.name}"
            task = asyncio.ensure_future(self._retire(before, before.ends or cause))
            self._retiring.add(task)
            task.add_done_callback(self._has_retired)
        if self._kept and self.current.takes_rows:
            rows = list(self._kept)
            await self._storage_thread.call("writing rows", self.current.file.add_rows, rows)
            del self._kept[: len(rows)]
            self.sync.soon(self.current.file)

    def _has_retired(self, task: "asyncio.Task[None]") -> None:
        self._retiring.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_problem(StorageError(f"a file could not be closed: {error!r}"))

    async def _retire(self, entry: SessionFile, cause: str) -> None:
        """Close a file whose frames are complete, in its own time; `cause`: why no more come."""
        verdict = Verdict.FRAMES_LOST if entry.lost else Verdict.COMPLETE
        try:
            await self._storage_thread.call("committing frames", entry.file.finish)
            await self.sync.now(entry.file)
            # A mark of just now may still be about one of its frames.
            await asyncio.sleep(LINGER_S)
            await self.pending.settled(HOLD_S)
        except StorageError as error:
            self.on_problem(error)
            verdict, cause = Verdict.FAILED, str(error)
        try:
            await self._close(entry, verdict, cause)
        except StorageError as error:
            self.on_problem(error)

    async def _close(self, entry: SessionFile, verdict: Verdict, cause: str) -> None:
        """Close a finished file, durably; one that cannot be made durable says so."""
        problem: StorageError | None = None
        try:
            await self.sync.now(entry.file)
        except StorageError as error:
            problem = error
            verdict, cause = Verdict.FAILED, str(error)
        entry.state = FileState.CLOSED
        try:
            await self._storage_thread.call("closing a file", entry.file.close, verdict, cause)
        finally:
            await self.sync.now(entry.file)
        if problem is not None:
            raise problem

    # Frames and rows.

    async def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss]) -> None:
        """Write frames of the current file, and losses; raises StorageError."""
        entry = self.current
        await self._storage_thread.call("writing frames", entry.file.append, spans, entry.counted(losses))
        self.sync.soon(self.current.file)

    async def commit(self, clocks: ClockFit | None = None) -> None:
        """Give the current file's frames their rows, and write how the clocks go; raises StorageError."""
        await self._storage_thread.call("committing frames", self.current.file.commit, clocks)
        self.sync.soon(self.current.file)

    async def add_row(self, file_index: int, row: Row, frame: int = -1) -> bool:
        """Append a row about `frame` (its index; -1: about none) to the file that holds it.

        The time of a row that has one is given since the run's first frame. Returns False where there is no
        such file, or it is closed: then only the journal has it. Raises StorageError where it cannot be
        written, or its frame never was.
        """
        entry = self._files[file_index]
        if not entry.takes_rows:
            return False
        await self.add_blocks(file_index, blocks_of([row.counted_from(entry.began_s)]), frame)
        return True

    async def add_blocks(self, file_index: int, blocks: Sequence[RowBlock], frame: int) -> None:
        """Append rows about frames up to `frame` to a file that takes some; raises as `add_row` does."""
        file = self._files[file_index].file
        await self._storage_thread.call("writing rows", _add_blocks, file, blocks, frame)
        if file_index == self._current:
            self.sync.soon(file)

    def keep(self, row: Row) -> None:
        """Keep a row of what was done while no file was there for the next file."""
        self._kept.append(row.counted_from(None))

    # The end of a run.

    async def settle(self) -> None:
        """Wait for rows under way and for files that retire, then give the current one its last rows.

        Frames that cannot get their rows are given up.
        """
        await self.pending.settled(HOLD_S)
        if self._retiring:
            await asyncio.wait(set(self._retiring))
        try:
            await self.commit()
        except StorageError:
            # Once more, now that room kept for closing is free; what then has no row never gets one.
            await self._storage_thread.call("committing frames", _commit_or_drop, self.current.file)

    async def finish(self, verdict: Verdict, cause: str, losses: Sequence[Loss]) -> None:
        """Close the current file with how its run ended; also where that raises StorageError."""
        await self.sync.pause()
        entry = self.current
        problem: StorageError | None = None
        try:
            await self._storage_thread.call("committing frames", entry.file.finish, entry.counted(losses))
        except StorageError as error:
            problem = error
            verdict, cause = Verdict.FAILED, str(error)
        entry.state = FileState.RETIRING
        await self._close(entry, verdict, cause)
        if problem is not None:
            raise problem

    async def discard_unused(self) -> None:
        """Remove the files that no frame came for."""
        for i, entry in enumerate(self._files):
            if entry.state is FileState.PREPARED:
                try:
                    await self.withdraw(i)
                except StorageError as error:
                    log.warning("%s", error)

    async def close(self) -> None:
        """Let go of the threads; one that hangs is left behind."""
        for thread in (self._storage_thread, self.sync.thread):
            await thread.close(HOLD_S)


def _commit_or_drop(file: FrameFile) -> None:
    try:
        file.commit()
    except StorageError:
        file.drop_uncommitted()


def _add_blocks(file: FrameFile, blocks: Sequence[RowBlock], frame: int) -> None:
    file.commit()
    if frame >= file.frames:
        raise StorageError(f"frame {frame} never reached the disk")
    file.add_blocks(blocks)
