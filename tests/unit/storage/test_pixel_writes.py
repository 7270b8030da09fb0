"""Pixels are written on a thread of their own: the next are prepared meanwhile, rows come after pixels."""

import threading
from pathlib import Path

import h5py
import pytest

from recorder.errors import StorageError
from recorder.frames.pool import FrameFormat, Pool
from recorder.storage.pixel_writes import AHEAD
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import fill, take
from tests.unit.storage.test_recording import EVEN, describe, end


class SlowDisk:
    """Direct writes that wait until they are let through, and fail from the `fails`-th on."""

    def __init__(self, fails: int = 1000) -> None:
        self.let = threading.Semaphore(0)
        self.begun = 0
        self._fails = fails

    def write(self, memory: memoryview, start: int, stop: int, address: int) -> None:
        self.begun += 1
        assert self.let.acquire(timeout=10)
        if self.begun >= self._fails:
            raise OSError(5, "Input/output error")

    def close(self) -> None:
        """Nothing is open."""


def slow(path: Path, form: FrameFormat = EVEN, **given: int) -> tuple[Recording, Pool, SlowDisk]:
    # No time passes: a commit that is due waits for all that is under way.
    recording = Recording(path, describe(form), clock=lambda: 0)
    pool = Pool(form, 4, 8 * 4 * form.nbytes)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    recording.commit()
    if recording._chunks.direct is not None:
        recording._chunks.direct.close()
    disk = SlowDisk(**given)
    recording._chunks.direct = disk  # type: ignore[assignment]
    return recording, pool, disk


def test_while_one_span_is_written_the_next_is_prepared_and_no_further(tmp_path: Path) -> None:
    recording, pool, disk = slow(tmp_path / "x.h5")
    for number in range(AHEAD):
        with fill(take(pool), 0, 4, 5 + 4 * number) as span:
            recording.append([span])
    # Nobody waited; the blocks are not the camera's yet, and the frames have no rows.
    assert pool.leases() == AHEAD
    assert recording.frames == 4
    third = threading.Event()

    def append() -> None:
        with fill(take(pool), 0, 4, 13) as span:
            recording.append([span])
        third.set()

    storage = threading.Thread(target=append)
    storage.start()
    assert not third.wait(0.05)
    disk.let.release()
    assert third.wait(10)
    storage.join()
    assert recording.commit_due_s is not None
    for _ in range(AHEAD):
        disk.let.release()
    recording.commit()
    assert (recording.frames, pool.leases()) == (16, 0)
    end(recording, Verdict.COMPLETE, "")


def test_what_follows_a_write_that_failed_has_no_rows(tmp_path: Path) -> None:
    recording, pool, disk = slow(tmp_path / "x.h5", fails=2)
    for number in range(AHEAD):
        with fill(take(pool), 0, 4, 5 + 4 * number) as span:
            recording.append([span])
        disk.let.release()
    with pytest.raises(StorageError, match=r"cannot write frames to .*Input/output error"):
        recording.commit()
    # The one before it is there; once the trouble is told, what is in place gets its rows.
    recording.commit()
    assert (recording.frames, pool.leases()) == (8, 0)
    end(recording, Verdict.FAILED, "the disk")
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["data"].shape[0] == len(file["entry/instrument/detector/sequence_number"]) == 8


def test_a_file_is_closed_once_nothing_is_under_way(tmp_path: Path) -> None:
    recording, pool, disk = slow(tmp_path / "x.h5")
    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span])
    threading.Timer(0.05, disk.let.release).start()
    recording.close(Verdict.FAILED, "given up")
    assert (recording.frames, pool.leases(), disk.begun) == (4, 0, 1)
    recording.sync()
