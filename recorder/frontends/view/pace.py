"""How much of a computer a viewer takes: less than it could, where a recording is under way."""

import time
from collections.abc import Callable

# At most so many pictures a second, and this share of one core for them.
RATE = 30.0
CORE_SHARE = 0.5

# While the recording grows, its writer comes first: this share of a core, and so many bytes a second read,
# of which as many as come in `BURST_S` may be read at once. Reads of a disk take their bytes from its writes.
GROWING_CORE_SHARE = 0.2
GROWING_BYTES_S = 24e6
BURST_S = 1.5


class Pace:
    """Says how long to rest after a picture; `grows`: the recording does, or may. `clock` is in s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.grows = False
        # When all that was read has been paid for.
        self._paid_s = 0.0

    def rest_s(self, cpu_s: float, read_bytes: int) -> float:
        """Return how long to do nothing after work that took so much of a core, and read so much."""
        share = GROWING_CORE_SHARE if self.grows else CORE_SHARE
        rest_s = max(1 / RATE - cpu_s, cpu_s * (1 / share - 1))
        if not self.grows:
            return rest_s
        now = self._clock()
        self._paid_s = max(self._paid_s, now - BURST_S) + read_bytes / GROWING_BYTES_S
        return max(rest_s, self._paid_s - now)
