"""The clock of a program that sends rows, against this computer's monotonic clock.

A row never arrives before it was sent, and sometimes much later. So of each second only the quickest row
tells of the clocks: the line through these has the drift as its slope (Theil's and Sen's, the median of the
slopes between each two), and the quickest of all, seen along that line, lies on it.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

# The quickest row of each of so many stretches, of so many s, is remembered: drift is followed over a minute.
STRETCHES, STRETCH_S = 60, 1.0

# Fewer stretches tell of no drift: what delays differ by would be taken for it.
LEAST_STRETCHES = 10

# No two clocks differ by more; what looks like it is the network.
MOST_DRIFT = 1e-3

# Rows that seem to come so late are from a clock that was set, or from another one.
ANEW_S = 10.0


class SenderClock:
    """Say when rows were sent, by the host's clock; one for each sender, on the event loop's thread."""

    def __init__(self) -> None:
        # Sender's time, and how much later by the host's clock the row arrived, of the quickest of a stretch.
        self._quickest: deque[tuple[float, float]] = deque(maxlen=STRETCHES)
        self._stretch = 0
        self._drift = 0.0

    def host_ns(self, sender_s: NDArray[np.float64], arrived_ns: int) -> NDArray[np.int64]:
        """Return when rows (n,) were sent, by the host's clock, that arrived together; never after that."""
        delays_s = arrived_ns * 1e-9 - sender_s
        if self._quickest and float(delays_s.min()) - self._delay_at(float(sender_s[-1])) > ANEW_S:
            self._quickest.clear()
            self._drift = 0.0
        self._see(float(sender_s[delays_s.argmin()]), float(delays_s.min()), arrived_ns)
        late_s = delays_s - self._delay_at(float(sender_s[0])) - self._drift * (sender_s - sender_s[0])
        late_ns: NDArray[np.int64] = np.round(np.maximum(late_s, 0.0) * 1e9).astype(np.int64)
        return arrived_ns - late_ns

    def _see(self, sender_s: float, delay_s: float, arrived_ns: int) -> None:
        stretch = int(arrived_ns * 1e-9 / STRETCH_S)
        if not self._quickest or stretch != self._stretch:
            self._stretch = stretch
            self._fit()
            self._quickest.append((sender_s, delay_s))
        elif delay_s < self._quickest[-1][1]:
            self._quickest[-1] = (sender_s, delay_s)

    def _fit(self) -> None:
        """Find the drift anew, in s of delay for each s of the sender's clock."""
        if len(self._quickest) < LEAST_STRETCHES:
            return
        at, delay = np.array(self._quickest).T
        first, second = np.triu_indices(len(at), 1)
        apart = at[second] - at[first]
        slopes = (delay[second] - delay[first])[apart > 0] / apart[apart > 0]
        if len(slopes):
            self._drift = float(np.clip(np.median(slopes), -MOST_DRIFT, MOST_DRIFT))

    def _delay_at(self, sender_s: float) -> float:
        """Return by how much the host's clock is ahead of the sender's, with the least delay there is."""
        return min(delay + self._drift * (sender_s - at) for at, delay in self._quickest)
