"""The writer task: takes every span off its channel and has it written on the storage thread."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from recorder.errors import StorageError
from recorder.frames.channel import Channel, ChannelClosedError
from recorder.frames.ledger import Ledger, Loss
from recorder.frames.pool import Span
from recorder.frames.threads import on_thread
from recorder.frames.timeline import Timeline


class FrameFile(Protocol):
    """Where frames go: a `Recording`, or a `DryRun`."""

    @property
    def path(self) -> Path | None:
        """The file, None where there is none."""

    @property
    def mode(self) -> str:
        """How pixels are written."""

    @property
    def frames(self) -> int:
        """Frames committed."""

    @property
    def commit_due_s(self) -> float | None:
        """Seconds until what is written wants its commit."""

    @property
    def free_bytes(self) -> int:
        """Room on the disk, as the last look found."""

    def append(self, spans: Sequence[Span], losses: Sequence[Loss] = ()) -> None:
        """Write frames and losses."""

    def commit(self) -> None:
        """Give what is written its rows."""

    def add_rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Append rows to a table."""

    def close(self, verdict: str, cause: str, losses: Sequence[Loss] = ()) -> None:
        """Finish the file, durably."""

    def discard(self) -> None:
        """Close and remove a file without frames."""


@dataclass(frozen=True)
class WriterStatistics:
    """Spans `waiting` to be written and the most that ever did; how long the longest write took."""

    waiting: int
    most_waiting: int
    longest_write_s: float


class Writer:
    """Write what `channel` brings into the file of its segment until it is closed, and keep the ledger.

    After a StorageError nothing more is written: `failure` has it, `on_failure` is called at once, and what
    still comes is given back and counted as lost. `on_loss` hears of every gap as it is found.
    """

    def __init__(
        self,
        file: FrameFile,
        channel: Channel,
        ledger: Ledger,
        timeline: Timeline,
        executor: Executor,
        on_failure: Callable[[], object],
        on_loss: Callable[[Loss], object],
    ) -> None:
        self.file = file
        self.failure: StorageError | None = None
        self.closed: list[FrameFile] = []
        self._channel, self._ledger, self._timeline = channel, ledger, timeline
        self._executor = executor
        self._on_failure, self._on_loss = on_failure, on_loss
        self.segment = 0
        self._files = {0: file}
        self._received = 0  # by the file of this segment
        self._lost = 0
        self._last_written = 0  # the camera's counter
        self._unsaved: list[Loss] = []
        self._longest_write_s = 0.0

    @property
    def frames(self) -> int:
        """Frames committed in all files of the run."""
        return self.file.frames + sum(file.frames for file in self.closed)

    def expect(self, file: FrameFile) -> int:
        """Take `file` for the next segment; return that segment's number."""
        segment = max(self._files) + 1
        self._files[segment] = file
        return segment

    def forget(self, segment: int) -> FrameFile:
        """Take back the file of a segment that will not come."""
        return self._files.pop(segment)

    def unused(self) -> list[FrameFile]:
        """Return the files of segments that never came, or that the next one followed before a frame did."""
        return [file for segment, file in self._files.items() if segment != self.segment]

    async def run(self) -> None:
        """Return once the channel is closed and all it brought is written, or given back after a failure."""
        while True:
            try:
                async with asyncio.timeout(None if self.failure else self.file.commit_due_s):
                    spans = await self._channel.receive()
            except TimeoutError:
                await self._write(self.file.commit)
                continue
            except ChannelClosedError:
                # Also after a failure: what is in place may still get its rows.
                await self._write(self.file.commit)
                return
            try:
                for segment, group in itertools.groupby(spans, lambda span: span.segment):
                    if segment != self.segment:
                        await self._go_on_with(segment)
                    batch = list(group)
                    self._unsaved += self._account(batch)
                    if self.failure is None and await self._write(self.file.append, batch, self._unsaved):
                        self._unsaved = []
                        self._last_written = int(batch[-1].facts["frame_number"][-1])
            finally:
                for span in spans:
                    span.release()

    async def _go_on_with(self, segment: int) -> None:
        """Close the file of the segment that has ended, and write into the next one."""
        verdict = "frames lost" if self._lost else "complete"
        if self.failure is None:
            await self._write(self.file.close, verdict, "the recording went on without it")
        self.closed.append(self._files.pop(self.segment))
        self.segment = segment
        self.file = self._files[segment]
        self._received = self._lost = 0

    def _account(self, spans: Sequence[Span]) -> list[Loss]:
        losses = []
        for span in spans:
            losses += self._ledger.account(span.facts, self._received)
            self._timeline.note(span.facts, span.segment, self._received)
            self._received += len(span)
        for loss in losses:
            self._lost += loss.count
            self._on_loss(loss)
        return losses

    async def add_row(self, table: str, row: tuple[Any, ...]) -> None:
        """Append a row to a table of the file of this moment; a failure is that of the run."""
        await self._write(self.file.add_rows, table, [row])

    async def _write(self, work: Callable[..., None], *args: object) -> bool:
        """Do work on the storage thread; False where it failed, which is remembered."""
        began_s = time.perf_counter()
        try:
            await on_thread(self._executor, work, *args)
        except StorageError as error:
            if self.failure is None:
                self.failure = error
                self._on_failure()
            return False
        self._longest_write_s = max(self._longest_write_s, time.perf_counter() - began_s)
        return True

    async def settle(self, now_ns: int) -> list[Loss]:
        """Give what is in place its rows, and book what came and has none; after `run` has returned.

        Returns the losses that the file does not have yet, none placed behind its last frame.
        """
        with contextlib.suppress(StorageError):
            await on_thread(self._executor, self.file.commit)
        last = self.file.frames - 1
        losses = [replace(loss, after_frame=min(loss.after_frame, last)) for loss in self._unsaved]
        missing = self._received - self.file.frames
        abandoned = self._ledger.abandon(missing, self.file.frames, self._last_written + 1, now_ns)
        for loss in abandoned:
            self._on_loss(loss)
        return losses + abandoned

    def statistics(self) -> WriterStatistics:
        """Return the figures of this moment."""
        waiting = self._channel.statistics()
        return WriterStatistics(waiting.waiting, waiting.most_waiting, self._longest_write_s)
