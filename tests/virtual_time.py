"""Time that costs none: an event loop, and threads, whose clock jumps to the next moment somebody waits for.

The clock stands still while anybody works: the loop has something to do, or a job is under way on a
ThreadPoolExecutor. Once all of them wait, it jumps to the earliest timer of the loop or the earliest end of
a `wait` on a thread. So work takes no time, and waiting takes none of ours; what happens is in the order of
the moments, however busy the machine is.

Threads that belong to no executor are not known here: a test of those keeps the usual loop.
"""

import asyncio
import heapq
import itertools
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pytest

# A thread that works for so long without a sign of life is taken for one that hangs: others' time goes on.
HANGS_S = 1.0

_real_sleep = time.sleep
_real_ns = time.perf_counter_ns


@dataclass
class _Jobs:
    """Those of one executor: queued, running, and of these the ones that wait for a moment."""

    workers: int
    queued: int = 0
    running: int = 0
    waiting: int = 0

    @property
    def work(self) -> bool:
        """Whether one works, or is about to; one that is queued behind those that wait waits too."""
        return self.running > self.waiting or (self.queued > 0 and self.running < self.workers)


class VirtualClock:
    """The moment it is; `clock_ns`, `clock_s` and `wait` stand for time, from any thread."""

    def __init__(self) -> None:
        self.jumps = 0
        self._now_ns = 10**15
        # What UTC is when this clock stands at zero.
        self._utc_zero_ns = time.time_ns() - self._now_ns
        self._lock = threading.Lock()
        self._jobs: WeakKeyDictionary[ThreadPoolExecutor, _Jobs] = WeakKeyDictionary()
        # Until when, in which order they came, what wakes them, and whose job it is.
        self._sleepers: list[tuple[int, int, threading.Event, _Jobs | None]] = []
        self._order = itertools.count()
        self._own = threading.local()
        self._real_since_ns: int | None = None
        # Called, from a thread, when nobody works any more.
        self.on_idle: Callable[[], object] = lambda: None

    def clock_ns(self) -> int:
        """Return the time in nanoseconds, as time.perf_counter_ns does."""
        passed_ns = 0 if self._real_since_ns is None else _real_ns() - self._real_since_ns
        return self._now_ns + passed_ns

    def clock_s(self) -> float:
        """Return the time in seconds."""
        return self.clock_ns() * 1e-9

    def utc_ns(self) -> int:
        """Return UTC, as time.time_ns does."""
        return self._utc_zero_ns + self.clock_ns()

    def wait(self, seconds: float) -> None:
        """Let that much time pass, as time.sleep does; on a thread that is not the loop's."""
        if seconds <= 0:
            return
        assert threading.current_thread() is not threading.main_thread(), "the loop itself cannot wait"
        with self._lock:
            is_real = self._real_since_ns is not None
            if not is_real:
                jobs: _Jobs | None = getattr(self._own, "jobs", None)
                woken = threading.Event()
                until_ns = self._now_ns + max(1, round(seconds * 1e9))
                heapq.heappush(self._sleepers, (until_ns, next(self._order), woken, jobs))
                if jobs is not None:
                    jobs.waiting += 1
                idle = not self.somebody_works
        if is_real:
            _real_sleep(seconds)
            return
        if idle:
            self.on_idle()
        woken.wait()

    @property
    def somebody_works(self) -> bool:
        """Whether a job of an executor is under way and does not wait for a moment."""
        return any(jobs.work for jobs in list(self._jobs.values()))

    def jump(self, timeout_s: float | None) -> bool:
        """Go to the next moment, `timeout_s` from now at most; False where there is none to go to."""
        with self._lock:
            until_ns = None if timeout_s is None else self._now_ns + max(1, round(timeout_s * 1e9))
            if self._sleepers and (until_ns is None or self._sleepers[0][0] <= until_ns):
                until_ns = self._sleepers[0][0]
            if until_ns is None:
                return False
            self.jumps += 1
            self._now_ns = max(self._now_ns, until_ns)
            self._wake(self._now_ns)
            return True

    def _wake(self, until_ns: float) -> None:
        while self._sleepers and self._sleepers[0][0] <= until_ns:
            _, _, woken, jobs = heapq.heappop(self._sleepers)
            if jobs is not None:
                # From now on it works, though it does not know it yet.
                jobs.waiting -= 1
            woken.set()

    def run_on(self) -> None:
        """From now on go as real time does; who waits is woken."""
        with self._lock:
            self._real_since_ns = _real_ns()
            self._wake(float("inf"))

    def submit(
        self, executor: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **keywords: Any
    ) -> Future[Any]:
        """Submit as the executor does, and count the job until those who wait for it have been told."""
        told: Future[Any] = Future()
        with self._lock:
            jobs = self._jobs.setdefault(executor, _Jobs(executor._max_workers))
            jobs.queued += 1

        def job() -> None:
            with self._lock:
                jobs.queued -= 1
                jobs.running += 1
            self._own.jobs = jobs
            try:
                if told.set_running_or_notify_cancel():
                    try:
                        result = work(*args, **keywords)
                    except BaseException as error:
                        told.set_exception(error)
                    else:
                        told.set_result(result)
            finally:
                with self._lock:
                    jobs.running -= 1
                    idle = not self.somebody_works
                if idle:
                    self.on_idle()

        try:
            real_submit(executor, job)
        except BaseException:
            with self._lock:
                jobs.queued -= 1
            raise
        return told


real_submit = ThreadPoolExecutor.submit


class _JumpingSelector(selectors.DefaultSelector):
    """Waits by letting the clock jump."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        # Called at the end of each turn of the loop, before it waits; whether that made work for the loop.
        self.on_turn: Callable[[], bool] = lambda: False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.on_turn():
            return super().select(0)
        if self._clock._real_since_ns is not None or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        patience_ns = _real_ns() + HANGS_S * 1e9
        while True:
            # Looked at first: who has stopped working by now has left a sign before.
            works = self._clock.somebody_works and _real_ns() < patience_ns
            if events := super().select(0.02 if works else 0):
                return events
            if not works:
                if self._clock.jump(timeout):
                    return []
                # Nobody waits for a time: only the world outside can do something.
                return super().select(0.02)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.selector = _JumpingSelector(self.clock)
        super().__init__(self.selector)
        self.clock.on_idle = self._look_again

    def time(self) -> float:
        return self.clock.clock_s()

    def _look_again(self) -> None:
        if not self.is_closed():
            self.call_soon_threadsafe(int)


def use(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, *timed: Callable[..., Any]) -> None:
    """Have the clocks of the program and time.sleep be this one, and executors' jobs counted.

    `timed` are classes and functions that have a function of `time` as a default argument.
    """
    stand_ins: Mapping[object, object] = {
        _real_ns: clock.clock_ns,
        _real_sleep: clock.wait,
        time.time_ns: clock.utc_ns,
    }
    for one in timed:
        initialise: Any = one.__init__ if isinstance(one, type) else one  # type: ignore[misc]
        defaults = tuple(stand_ins.get(value, value) for value in initialise.__defaults__)
        assert defaults != initialise.__defaults__, f"{one} has no clock among its defaults"
        monkeypatch.setattr(initialise, "__defaults__", defaults)
    monkeypatch.setattr(time, "perf_counter_ns", clock.clock_ns)
    monkeypatch.setattr(time, "perf_counter", clock.clock_s)
    monkeypatch.setattr(time, "sleep", clock.wait)

    def submit(
        executor: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **keywords: Any
    ) -> Future[Any]:
        return clock.submit(executor, work, *args, **keywords)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
