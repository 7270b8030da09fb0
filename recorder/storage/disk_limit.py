"""A disk that takes less than it could, to try what a slower one does."""

import contextlib
import time
from collections.abc import Callable, Iterator

# What a disk keeps in memory of its own, so that it goes on while nothing comes for a moment.
CACHE_BYTES = 16_000_000


class DiskLimit:
    """Has writes take as long as on a disk of `bytes_per_s` (inf: no limit); used from one thread."""

    def __init__(
        self,
        bytes_per_s: float,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock, self._wait = clock, wait
        # Until when the disk is busy, in s of the clock.
        self._busy_s = 0.0

    @contextlib.contextmanager
    def writing(self, size: int) -> Iterator[None]:
        """Write `size` bytes during `with`, which blocks for the rest of the time they take."""
        began_s = self._clock()
        yield
        idle_s = began_s - CACHE_BYTES / self._bytes_per_s
        self._busy_s = max(self._busy_s, idle_s) + size / self._bytes_per_s
        rest_s = self._busy_s - self._clock()
        if rest_s > 0:
            self._wait(rest_s)
