"""The writer task: takes every span off its channel, books it, and has it written into its file."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from recorder.errors import StorageError
from recorder.frames.channel import Channel, ChannelClosedError
from recorder.frames.ledger import Ledger, Loss
from recorder.frames.pool import WRITER, FrameSpan
from recorder.frames.timeline import Timeline
from recorder.session.compressors import PackingChannel
from recorder.session.file_sequence import FileSequence
from recorder.session.session_file import SessionFile
from recorder.storage.packed_span import PackedSpan

# How often the file is told how the clocks go: 1 ms of work each time.
CLOCKS_EVERY_S = 5.0

# Spans that are written in one call: of more, the first would be held until the last is written, and a slow
# disk be taken for one that does not answer.
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class WriterStatistics:
    """Spans `waiting` to be written and the most that ever did; how long the longest write and sync took."""

    waiting: int
    most_waiting: int
    longest_write_s: float
    longest_sync_s: float


class Writer:
    """Write what `channel` brings into `files` until it is closed, and keep the ledger; on the loop's thread.

    After a StorageError nothing more is written: `failure` has it, `on_failure` is called at once, and what
    still comes is given back and counted as lost. `on_loss` hears of every gap as it is found. `channel` is a
    plain one where none is given. Without `notes_frames` somebody else notes them in `timeline`. A span
    without frames ends the file before, and begins the one that it names.
    """

    def __init__(
        self,
        files: FileSequence,
        ledger: Ledger,
        timeline: Timeline,
        on_failure: Callable[[], object],
        on_loss: Callable[[Loss], object],
        channel: Channel | PackingChannel | None = None,
        *,
        notes_frames: bool = True,
    ) -> None:
        self.failure: StorageError | None = None
        self.channel: Channel | PackingChannel = channel or Channel(WRITER)
        self.files, self._ledger, self._timeline = files, ledger, timeline
        self._on_failure, self._on_loss = on_failure, on_loss
        self._notes_frames = notes_frames
        self._unsaved: list[Loss] = []
        # The files of the run that frames went to before the current one.
        self._before: list[SessionFile] = []
        self._longest_write_s = 0.0
        # When the file was last told how the clocks go, by the loop's clock.
        self._told_s = -CLOCKS_EVERY_S

    async def run(self) -> None:
        """Return once the channel is closed and all it brought is written, or given back after a failure."""
        while True:
            try:
                due_s = None if self.failure else self.files.current.file.commit_due_s
                async with asyncio.timeout(due_s):
                    spans = await self.channel.receive()
            except TimeoutError:
                await self._attempt(self.files.commit())
                continue
            except ChannelClosedError:
                # Also after a failure: what is in place may still get its rows.
                await self._attempt(self.files.commit(self._timeline.clocks.fit()))
                return
            try:
                for file_index, group in itertools.groupby(spans, attrgetter("file_index")):
                    if file_index != self.files.current_index and self.failure is None:
                        await self._book_end()
                        self._before.append(self.files.current)
                        await self._attempt(self.files.commit(self._timeline.clocks.fit()))
                        await self._attempt(self.files.switch_to(file_index))
                    batch = [span for span in group if len(span)]
                    for begin in range(0, len(batch), MOST_AT_ONCE):
                        await self._write(batch[begin : begin + MOST_AT_ONCE])
                await self._tell_clocks()
            finally:
                for span in spans:
                    span.release()

    async def _write(self, spans: Sequence[FrameSpan | PackedSpan]) -> None:
        """Book spans of one file, and have them written, or count them; then they are given back."""
        self._unsaved += self._account(spans)
        if self.failure is None and await self._attempt(self.files.append(spans, self._unsaved)):
            self._unsaved = []
        for span in spans:
            span.release()

    async def _tell_clocks(self) -> None:
        """Have the file say now and then how the clocks go, also for when the program is killed."""
        now_s = asyncio.get_running_loop().time()
        if self.failure is None and now_s - self._told_s >= CLOCKS_EVERY_S:
            self._told_s = now_s
            await self._attempt(self.files.commit(self._timeline.clocks.fit()))

    def _account(self, spans: Sequence[FrameSpan | PackedSpan]) -> list[Loss]:
        """Book spans of one file in ledger and timeline; return the losses found."""
        entry = self.files.current
        losses = []
        if entry.asked is not None and not entry.received:
            self._ledger.begin_at(entry.asked.first)
        for span in spans:
            losses += self._ledger.account(span.metadata, entry.received)
            if not entry.received:
                entry.began_s = self._ledger.elapsed_s(int(span.metadata["host_time_ns"][0]))
            if self._notes_frames:
                self._timeline.note(span.metadata, self.files.current_index, entry.received)
            entry.received += len(span)
        self._tell(entry, losses)
        return losses

    def _tell(self, entry: SessionFile, losses: Sequence[Loss]) -> None:
        for loss in losses:
            entry.lost += loss.count
            self._on_loss(loss)

    async def _book_end(self) -> None:
        """Book what is missing behind the last frame of the current file, as far as it was asked for."""
        entry = self.files.current
        if entry.asked is None or entry.asked.last is None:
            return
        now_ns = time.perf_counter_ns()
        losses = self._ledger.close(entry.asked.last, entry.asked.cause, entry.received, now_ns)
        self._tell(entry, losses)
        self._unsaved += losses
        if self._unsaved and await self._attempt(self.files.append([], self._unsaved)):
            self._unsaved = []

    def fail(self, error: StorageError) -> None:
        """End the run for trouble with the disk; the first counts."""
        if self.failure is None:
            self.failure = error
            self._on_failure()

    async def _attempt(self, work: Awaitable[None]) -> bool:
        """Wait for work on the storage thread; False where it failed, which ends the run."""
        began_s = time.perf_counter()
        try:
            await work
        except StorageError as error:
            self.fail(error)
            return False
        self._longest_write_s = max(self._longest_write_s, time.perf_counter() - began_s)
        return True

    async def settle(self, now_ns: int) -> list[Loss]:
        """Give what is in place its rows, and book what came and has none; after `run` has returned.

        Returns the losses that the file does not have yet, none placed behind its last frame.
        """
        await self.files.settle()
        losses: list[Loss] = []
        for before in self._before:
            # A file that failed as it was closed may lack its last frames; it cannot tell of them itself.
            gone = before.received - before.file.frames
            first = before.file.last_number + 1
            for loss in self._ledger.abandon(gone, before.file.frames, first, now_ns):
                self._on_loss(loss)
                # It is closed: the next file tells of them, as of frames before its first.
                losses.append(replace(loss, after_frame=-1))
        entry = self.files.current
        written = entry.file.frames
        losses += [replace(loss, after_frame=min(loss.after_frame, written - 1)) for loss in self._unsaved]
        # A batch may have been written in part: the files know their last frame.
        last = max(file.last_number for file in (entry.file, *(before.file for before in self._before)))
        abandoned = self._ledger.abandon(entry.received - written, written, last + 1, now_ns)
        for loss in abandoned:
            self._on_loss(loss)
        return losses + abandoned

    def statistics(self) -> WriterStatistics:
        """Return the figures of this moment."""
        waiting = self.channel.statistics()
        return WriterStatistics(
            waiting.waiting, waiting.max_waiting, self._longest_write_s, self.files.sync.longest_s
        )
