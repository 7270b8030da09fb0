"""The FIFO of a simulated camera, computed from the time instead of filled by a thread.

Frames are exposed at fixed times whether anyone reads or not. Those not yet read are in the FIFO; frames
exposed while it is full are lost, and the counter shows the gap afterwards.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple


class Exposed(NamedTuple):
    """One frame out of the FIFO."""

    number: int
    start_ns: int  # host monotonic clock at the start of the exposure
    exposure_s: float
    overflowed: bool  # the FIFO was full just before it


@dataclass(frozen=True)
class _Regime:
    """From frame `number` on, which starts at `start_ns`, one frame every `period_ns`."""

    number: int
    start_ns: int
    period_ns: int
    exposure_s: float

    def start_of(self, number: int) -> int:
        return self.start_ns + (number - self.number) * self.period_ns

    def complete_by(self, now_ns: int) -> int:
        """Return the last counter complete by now, as if this regime had no end."""
        done = (now_ns - self.start_ns - round(self.exposure_s * 1e9)) // self.period_ns
        return self.number + max(done, -1)


class Fifo:
    """Frames of a camera at `rate` frames/s, exposed from `start_ns` on, in a FIFO of `depth` frames.

    Every method is called on the camera thread and does not block; times are host monotonic ns. An exposure
    longer than 1 / `rate` lowers the rate.
    """

    def __init__(self, rate: float, exposure_s: float, depth: int, start_ns: int) -> None:
        self._shortest_ns = round(1e9 / rate)
        self._depth = depth
        self._regimes = [self._regime(1, start_ns, exposure_s)]
        self._exposed = 0
        self._halted_at: int | None = None
        # Runs of consecutive counters that wait to be read, as [first, last, overflowed before the first].
        self._runs: deque[list[int]] = deque()
        self._waiting = 0
        self._full = False

    def _regime(self, number: int, start_ns: int, exposure_s: float) -> _Regime:
        # Readout overlaps the next exposure: the period is the longer of the two.
        period = max(self._shortest_ns, round(exposure_s * 1e9))
        return _Regime(number, start_ns, period, exposure_s)

    def advance(self, now_ns: int) -> int:
        """Put frames exposed by `now_ns` into the FIFO; return how many frames wait to be read."""
        last = self._complete_by(now_ns)
        if self._halted_at is not None:
            last = min(last, self._halted_at)
        new = last - self._exposed
        if new > 0:
            kept = min(new, self._depth - self._waiting)
            if kept:
                first = self._exposed + 1
                if self._full or not self._runs:
                    self._runs.append([first, first + kept - 1, self._full])
                else:
                    self._runs[-1][1] += kept
                self._waiting += kept
                self._full = False
            if kept < new:
                self._full = True
            self._exposed = last
        return self._waiting

    def _complete_by(self, now_ns: int) -> int:
        """Return the counter of the last frame whose exposure has ended by now."""
        for regime, following in zip(self._regimes, self._regimes[1:], strict=False):
            last = regime.complete_by(now_ns)
            if last < following.number - 1:
                return last
        return self._regimes[-1].complete_by(now_ns)

    def pop(self) -> Exposed:
        """Return and remove the oldest frame; raises IndexError where `advance` returned 0."""
        run = self._runs[0]
        number, overflowed = run[0], bool(run[2])
        run[0] += 1
        run[2] = False
        if run[0] > run[1]:
            self._runs.popleft()
        self._waiting -= 1
        while len(self._regimes) > 1 and self._regimes[1].number <= number:
            del self._regimes[0]
        regime = self._regimes[0]
        return Exposed(number, regime.start_of(number), regime.exposure_s, overflowed)

    def next_complete_ns(self) -> int:
        """Return when the exposure of the next frame ends, as of the last `advance`."""
        return self._end_of(self._exposed + 1)

    def oldest_complete_ns(self) -> tuple[int, int]:
        """Return counter and end of the exposure of what `pop` would return; there must be a frame."""
        number = self._runs[0][0]
        return number, self._end_of(number)

    def _end_of(self, number: int) -> int:
        regime = next(r for r in reversed(self._regimes) if r.number <= number)
        return regime.start_of(number) + round(regime.exposure_s * 1e9)

    def set_exposure(self, seconds: float, now_ns: int, first: int | None = None) -> None:
        """Expose frames for `seconds`: those that begin after `now_ns`, and not before counter `first`.

        What was set for a later frame begins there all the same.
        """
        self.advance(now_ns)
        current = next((r for r in reversed(self._regimes) if r.start_ns <= now_ns), self._regimes[0])
        number = current.number + (now_ns - current.start_ns) // current.period_ns + 1
        number = max(number, current.number, first or 0)
        later = [r for r in self._regimes if r.number > number]
        # The first frame of all may not have begun.
        before = [r for r in self._regimes if r.number < number]
        start_ns = before[-1].start_of(number) if before else current.start_ns
        self._regimes = [*before, self._regime(number, start_ns, seconds)]
        for r in later:
            self._regimes.append(self._regime(r.number, self._regimes[-1].start_of(r.number), r.exposure_s))

    def halt(self, now_ns: int) -> int:
        """Stop exposing at `now_ns`; return the counter of the last frame exposed by then."""
        self.advance(now_ns)
        self._halted_at = self._exposed
        return self._exposed
