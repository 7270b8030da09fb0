"""What every test may use, and what none may leave behind."""

import gc
import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from recorder.frames.pool import Block, FrameFormat, Pool, Span

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


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, or a lease that nobody gave back (its warning is an error)."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
        assert not thread.is_alive(), f"{thread} was left behind"


def need(present: object, what: str) -> None:
    """Skip where `what` is missing on this machine; in CI its absence is a failure."""
    if not present:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing, and CI must have it")
        pytest.skip(f"{what} is missing")


def fill(block: Block, start: int, stop: int, first_number: int, owner: str = "test") -> Span:
    """Put recognisable frames into slots [start, stop) of the block, counted from `first_number`."""
    for i in range(start, stop):
        number = first_number + i - start
        block.pixels[i] = number % 65536
        block.facts[i] = (number, number * 10**7, 5 * 10**9 + number * 10**7, 0.005, 7.0, 0)
    return Span(block, start, stop, owner)


def take(pool: Pool) -> Block:
    block = pool.take(0)
    assert block is not None
    return block
