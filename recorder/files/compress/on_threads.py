"""Work on one chunk after the other on threads, with bounded memory, the results in order."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from recorder.frames.threads import processors

S = TypeVar("S")
T = TypeVar("T")

# Beside those that keep the processors busy, threads that wait for the disk.
WAITING = 2

# What the memory of all threads may take together, as long as that allows two of them.
MAX_BYTES = 2**30


def threads_for(bytes_each: int) -> int:
    """Return on how many threads to work where each has `bytes_each` of memory."""
    return max(2, min(len(processors()) + WAITING, MAX_BYTES // max(1, bytes_each)))


def in_order(count: int, places: Sequence[S], work: Callable[[int, S], T]) -> Generator[T, None, None]:
    """Yield `work(i, place)` for i = 0, 1, ..., carried out on a thread for each of `places`.

    A result may use its place until the next one is asked for. What `work` raises is raised here, in its
    turn; whoever stops asking waits for the work that was begun.
    """
    waiting: deque[Future[T]] = deque()
    threads = ThreadPoolExecutor(len(places), "compress")
    try:
        for turn in range(count + len(places)):
            if waiting and turn >= len(places):
                yield waiting.popleft().result()
            if turn < count:
                waiting.append(threads.submit(work, turn, places[turn % len(places)]))
    finally:
        threads.shutdown(cancel_futures=True)
