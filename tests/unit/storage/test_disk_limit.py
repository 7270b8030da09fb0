"""A disk that is slowed down takes so much a second, its own time included."""

import math

import pytest

from recorder.storage.disk_limit import DiskLimit


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_writes_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.storage.disk_limit.CACHE_BYTES", 0)
    clock = Clock()
    limit = DiskLimit(100, clock, clock.wait)
    for _ in range(3):
        with limit.writing(50):
            clock.now += 0.2  # the disk itself
    assert clock.now == pytest.approx(6.5)
    # A pause is not saved up, and a disk that is slower still is left alone.
    clock.now = 10.0
    with limit.writing(50):
        pass
    assert clock.now == pytest.approx(10.5)
    with limit.writing(50):
        clock.now += 2.0
    assert clock.now == pytest.approx(12.5)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    with DiskLimit(math.inf, clock, clock.wait).writing(10**9):
        pass
    assert clock.now == 5.0


def test_what_the_cache_holds_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.storage.disk_limit.CACHE_BYTES", 100)
    clock = Clock()
    limit = DiskLimit(100, clock, clock.wait)
    for _ in range(4):
        with limit.writing(50):
            pass
    # Two of them; the others wait for their room in it.
    assert clock.now == pytest.approx(6.0)
