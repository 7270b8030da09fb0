import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recorder.camera.base import CameraDescription
from recorder.errors import StorageError
from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Ledger, Loss
from recorder.frames.pool import FrameSpan, Pool
from recorder.frames.threads import on_thread
from recorder.frames.timeline import Timeline
from recorder.session.file_sequence import FileSequence
from recorder.session.writer import Writer
from recorder.settings.model import validate
from recorder.storage.dry_run import DryRun
from recorder.storage.packed_span import PackedSpan
from tests.conftest import SMALL, fill, take


class FakeFile(DryRun):
    """Counts what is written and committed; fails at the frame told."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.fail_at = fail_at
        self.written = 0
        self._numbers: list[int] = []
        self.losses: list[Loss] = []
        self.threads: set[str] = set()

    @property
    def commit_due_s(self) -> float | None:  # type: ignore[override]
        return 0.0 if self.written > self.frames else None

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        self.threads.add(threading.current_thread().name)
        for span in spans:
            if self.fail_at is not None and self.written + len(span) > self.fail_at:
                raise StorageError("the disk broke")
            self.written += len(span)
            self._numbers.append(int(span.metadata["frame_number"][-1]))
        self.losses += losses

    def commit(self, clocks: ClockFit | None = None) -> None:
        self.frames = self.written
        self.last_number = self._numbers[-1] if self._numbers else 0


@contextlib.asynccontextmanager
async def writer(file: FakeFile, told: list[Any]) -> AsyncIterator[Writer]:
    """Write into one file of a session."""
    files = FileSequence(lambda *_: file, 1.0)
    camera = CameraDescription("test", "0", SMALL, 100.0)
    await files.switch_to(await files.prepare(validate({}), None, camera, 4))
    yield Writer(files, Ledger(), Timeline(), lambda: told.append("failed"), told.append)
    await files.close()


async def test_all_that_comes_is_written_committed_and_given_back() -> None:
    pool, file = Pool(SMALL, 4, 1), FakeFile()
    told: list[Any] = []
    async with writer(file, told) as subject:
        running = asyncio.ensure_future(subject.run())
        for first in (1, 5, 12):
            with fill(take(pool), 0, 4, first) as span:
                subject.channel.offer(span)
        while file.frames < 12:  # committed without waiting for more
            await asyncio.sleep(0.001)
        subject.channel.close()
        await running
    assert pool.leases() == 0
    assert file.threads == {"storage_0"}
    assert [(loss.after_frame, loss.count) for loss in file.losses] == [(7, 3)]
    assert told == file.losses


async def test_after_a_failure_leases_come_back_and_what_is_missing_is_counted() -> None:
    pool, file = Pool(SMALL, 4, 1), FakeFile(fail_at=6)
    told: list[Any] = []
    async with writer(file, told) as subject:
        running = asyncio.ensure_future(subject.run())
        for first in (1, 5, 9):
            with fill(take(pool), 0, 4, first) as span:
                subject.channel.offer(span)
            await asyncio.sleep(0.01)
        subject.channel.close()
        await running
        assert told == ["failed"]
        assert str(subject.failure) == "the disk broke"
        (loss,) = await subject.settle(0)
    assert (file.frames, loss.count, loss.first_missing) == (4, 8, 5)
    assert pool.leases() == 0


async def test_a_cancelled_wait_for_a_thread_still_waits_for_it() -> None:
    started, go = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        started.set()
        ended.append(go.wait(10))

    with ThreadPoolExecutor(1) as executor:
        waiting = asyncio.ensure_future(on_thread(executor, work))
        while not started.is_set():
            await asyncio.sleep(0.001)
        waiting.cancel()
        threading.Timer(0.05, go.set).start()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ended == [True]
