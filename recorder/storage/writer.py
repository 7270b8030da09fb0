"""The writer task: takes every span off its channel and has it written on the storage thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol

from recorder.errors import StorageError
from recorder.frames.channel import Channel, ChannelClosedError
from recorder.frames.ledger import Ledger, Loss
from recorder.frames.pool import Span
from recorder.frames.threads import on_thread


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


class Writer:
    """Write what `channel` brings into `file` until it is closed, and keep the ledger.

    After a StorageError nothing more is written: `failure` has it, `on_failure` is called at once, and what
    still comes is given back and counted as lost. `on_loss` hears of every gap as it is found.
    """

    def __init__(
        self,
        file: FrameFile,
        channel: Channel,
        ledger: Ledger,
        executor: Executor,
        on_failure: Callable[[], object],
        on_loss: Callable[[Loss], object],
    ) -> None:
        self.file = file
        self.failure: StorageError | None = None
        self._channel, self._ledger, self._executor = channel, ledger, executor
        self._on_failure, self._on_loss = on_failure, on_loss
        self._received = 0

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
                losses = self._account(spans)
                if self.failure is None:
                    await self._write(self.file.append, spans, losses)
            finally:
                for span in spans:
                    span.release()

    def _account(self, spans: Sequence[Span]) -> list[Loss]:
        losses = []
        for span in spans:
            losses += self._ledger.account(span.facts, self._received)
            self._received += len(span)
        for loss in losses:
            self._on_loss(loss)
        return losses

    async def _write(self, work: Callable[..., None], *args: object) -> None:
        try:
            await on_thread(self._executor, work, *args)
        except StorageError as error:
            if self.failure is None:
                self.failure = error
                self._on_failure()

    def unwritten(self) -> int:
        """Return how many frames came and have no row; after `run` has returned."""
        return self._received - self.file.frames
