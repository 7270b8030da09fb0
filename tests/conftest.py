"""What every test may use, and what none may leave behind."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytest_asyncio import is_async_test

from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.pco.camera import PcoCamera
from recorder.camera.pco.clock import set_clock
from recorder.camera.pco.fifo_reader import FifoReader
from recorder.camera.pco.memory_reader import MemoryReader
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.playback import PlaybackCamera
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.frames.pool import Block, BlockLease, FrameFormat, FrameSpan, Pool
from recorder.storage.recording import Recording
from tests import leaks
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_time import VirtualClock, VirtualLoop, use

# Hundreds of processes import the recorder: where no bytecode is written, each compiles all of it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

SMALL = FrameFormat(32, 64, np.dtype(np.uint16))  # 4096 bytes: one page


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns

    def wait(self, seconds: float) -> None:
        self.now_ns += max(0, round(seconds * 1e9))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True, scope="module")
def what_stays_is_out_of_sight() -> None:
    """Spare the garbage collector what is there before a module's tests: a search then takes 0.3 ms."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a lease, a descriptor or a child process behind; name what it is.

    A lease that was dropped and not given back warns, and warnings are errors.
    """
    before = leaks.Snapshot.take()
    yield
    while _taken:
        _taken.popitem()[1].release()
    gc.collect()
    problems = leaks.left_since(before)
    if problems:
        pytest.fail("left behind:\n" + "\n".join(problems), pytrace=False)


@pytest.fixture
async def no_task_pending() -> AsyncIterator[None]:
    """Fail a test on whose loop a task is pending when the test and its fixtures are over."""
    yield
    problems = await leaks.pending_tasks()
    if problems:
        pytest.fail("left behind:\n" + "\n".join(problems), pytrace=False)


@pytest.fixture(autouse=True)
def no_task_left_behind(request: pytest.FixtureRequest, nothing_left_behind: None) -> None:
    """Ask for `no_task_pending` first of all, so that it looks last; tests without a loop get none."""
    if is_async_test(request.node):
        request.getfixturevalue(no_task_pending.__name__)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run whole folders in two processes, and files in this one, where a debugger can be had."""
    return 0 if all(Path(name.partition("::")[0]).is_file() for name in config.args) else 2


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give those who ask for `virtual_time` its loop, all others the usual one."""
    names = getattr(item, "fixturenames", ())
    return {"virtual": VirtualLoop} if virtual_time.__name__ in names else {"usual": asyncio.new_event_loop}


@pytest.fixture
async def virtual_time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VirtualClock]:
    """Run the test, its sessions and its cameras on a clock that jumps over every wait."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    cameras = (PlaybackCamera, SimulatedCamera, PcoCamera, FifoReader, MemoryReader, set_clock, VirtualCamera)
    use(loop.clock, monkeypatch, AcquisitionThread, Recording, *cameras)
    yield loop.clock
    loop.clock.run_on()


@pytest.fixture
def seconds_begin_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait for the second at which a PCO camera's clock is set: the wait moves UTC on instead."""
    real_ns, moved_ns = time.time_ns, 0

    def utc_ns() -> int:
        return real_ns() + moved_ns

    def wait(seconds: float) -> None:
        nonlocal moved_ns
        moved_ns += round(seconds * 1e9)

    def set_at_once(camera: OpenCamera, _: object) -> None:
        set_clock(camera, wait, utc_ns)

    monkeypatch.setattr("recorder.camera.pco.camera.set_clock", set_at_once)
    monkeypatch.setattr(time, "time_ns", utc_ns)


def need(present: object, what: str) -> None:
    """Skip where `what` is missing on this machine; in CI its absence is a failure."""
    if not present:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing, and CI must have it")
        pytest.skip(f"{what} is missing")


def fill(block: Block, start: int, stop: int, first_number: int, owner: str = "test") -> FrameSpan:
    """Put recognisable frames into slots [start, stop) of the block, counted from `first_number`.

    The first span of a block takes the place of the lease that `take` has on it.
    """
    for i in range(start, stop):
        number = first_number + i - start
        block.pixels[i] = number % 65536
        block.metadata[i] = (number, number * 10**7, 5 * 10**9 + number * 10**7, 0.005, 7.0, 0, 0)
    span = FrameSpan(block, start, stop, owner)
    if (lease := _taken.pop(id(block), None)) is not None:
        lease.release()
    return span


_taken: dict[int, BlockLease] = {}


def take(pool: Pool) -> Block:
    """Return a free block, for `fill` or `let_go`."""
    lease = pool.take("test", 0)
    assert lease is not None
    _taken[id(lease.block)] = lease
    return lease.block


def let_go(block: Block) -> None:
    """Give back a block that was taken, where no span has taken its lease's place."""
    if (lease := _taken.pop(id(block), None)) is not None:
        lease.release()
