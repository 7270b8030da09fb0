"""Where in a recording the displays are: one frame, and how it moves on while it plays. Plain functions."""

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LOWEST_SPEED, HIGHEST_SPEED = 1e-4, 1e4

# A pause in the recording that would be looked at for longer is passed over, where it is a pause: so many
# times the usual interval of frames.
STILL_S = 1.0
PAUSE_INTERVALS = 5

# The usual interval is that of so many frames, the last ones.
USUAL_FRAMES = 1000


class Position:
    """A frame of a recording whose frames came at `times` (N,), in s; N may be 0 and grow.

        stands ──play──► plays, `speed` times as fast as it was ──its end──► stands, or is at the edge
          ▲  ◄──step, end──┘                                                     │
          └────────────────── back, or another frame ──────── at the edge ◄──────┘

    At the `edge` of a recording that grows it is the newest frame. `clock` is in s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: NDArray[np.float64] = np.zeros(0)
        self._usual_s = 0.0
        self._grows = False
        self._index = 0
        self.speed = 1.0
        self.plays = self.at_edge = False
        # What was looked at when, since when it plays at this speed.
        self._from_s = self._since_s = 0.0

    def have(self, times: NDArray[np.float64], *, grows: bool) -> None:
        """Take over the times of the frames that there are now; those of a damaged file may be anything."""
        there = np.nan_to_num(times, nan=0.0, posinf=0.0, neginf=0.0)
        self._times = np.maximum.accumulate(there) if len(there) else there
        last = self._times[-USUAL_FRAMES:]
        self._usual_s = float(np.median(np.diff(last))) if len(last) > 1 else 0.0
        self._grows = grows
        self.at_edge = self.at_edge and grows
        if self.at_edge:
            self._index = max(0, len(times) - 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """The times of the frames in s, which never go back."""
        return self._times

    def now(self) -> int:
        """Return the index of the frame that is to be seen now."""
        if self.plays and len(self._times):
            self._move_on()
        return self._index

    def _move_on(self) -> None:
        last = len(self._times) - 1
        at_s = self._at_s()
        index = max(self._index, int(np.searchsorted(self._times, at_s, "right")) - 1)
        if index < last:
            pause_s = float(self._times[index + 1] - self._times[index])
            is_pause = pause_s > max(PAUSE_INTERVALS * self._usual_s, STILL_S * self.speed)
            if is_pause and at_s - self._times[index] >= STILL_S * self.speed:
                index += 1
                self._begin(index)
        self._index = min(index, last)
        if self._index == last:
            self.plays, self.at_edge = False, self._grows

    def _at_s(self) -> float:
        """Return the moment of the recording that is looked at while it plays."""
        return self._from_s + (self._clock() - self._since_s) * self.speed

    def _begin(self, index: int) -> None:
        self._from_s, self._since_s = float(self._times[index]), self._clock()

    def wait_s(self) -> float:
        """Return the time until another frame is to be seen, inf where it stands."""
        if not self.plays or self._index + 1 >= len(self._times):
            return math.inf
        due_s = (float(self._times[self._index + 1]) - self._at_s()) / self.speed
        # A pause that is passed over ends before.
        return min(max(due_s, 0.0), STILL_S)

    def play(self) -> None:
        """Play on from here, from the beginning where this is the end."""
        if not len(self._times):
            return
        if self._index == len(self._times) - 1:
            if self._grows:
                self.at_edge = True
                return
            self._index = 0
        self.plays, self.at_edge = True, False
        self._begin(self._index)

    def stand(self) -> None:
        """Stay at this frame."""
        self.now()
        self.plays = self.at_edge = False

    def set_speed(self, speed: float) -> None:
        """Play so many times as fast as it was; raises ValueError for what is none."""
        if not LOWEST_SPEED <= speed <= HIGHEST_SPEED:
            raise ValueError(f"a speed is from {LOWEST_SPEED:g} to {HIGHEST_SPEED:g}")
        if self.plays:
            self._from_s, self._since_s = self._at_s(), self._clock()
        self.speed = speed

    def go(self, index: int) -> None:
        """Be at this frame, or at the nearest that there is; what plays plays on from there."""
        self._index = max(0, min(index, len(self._times) - 1))
        self.at_edge = False
        if self.plays and len(self._times):
            self._begin(self._index)

    def go_to_time(self, at_s: float) -> None:
        """Be at the frame nearest to a moment."""
        if len(self._times):
            after = int(np.searchsorted(self._times, at_s))
            before = max(0, after - 1)
            after = min(after, len(self._times) - 1)
            nearer = after if self._times[after] - at_s < at_s - self._times[before] else before
            self.go(nearer)

    def step(self, frames: int) -> None:
        """Stand so many frames further on, or back."""
        self.stand()
        self.go(self._index + frames)

    def skip(self, seconds: float) -> None:
        """Be so much later or earlier, and at least one frame."""
        if not len(self._times):
            return
        before = self.now()
        self.go_to_time(float(self._times[before]) + seconds)
        if self._index == before:
            self.go(before + (1 if seconds > 0 else -1))

    def go_to_edge(self) -> None:
        """Follow the newest frame; of a recording that does not grow, be at the last one."""
        self.stand()
        self.go(len(self._times) - 1)
        self.at_edge = self._grows


def other(frames: NDArray[np.int64], index: int, direction: int) -> int | None:
    """Return the nearest of the sorted `frames` (n,) after `index`, or before it; None where none is."""
    if direction > 0:
        place = int(np.searchsorted(frames, index, "right"))
        return int(frames[place]) if place < len(frames) else None
    place = int(np.searchsorted(frames, index, "left")) - 1
    return int(frames[place]) if place >= 0 else None
