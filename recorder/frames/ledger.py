"""The ledger: which frames are missing, where, and why, found from the camera's own counter."""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cause(IntEnum):
    """Why frames are missing; the number stands in a frame's facts, the name in the file."""

    CAMERA = 1  # the camera skipped them: its counter has a gap, its FIFO never overflowed
    FIFO = 2  # the FIFO overflowed though blocks were free: this process got no processor time
    POOL = 3  # the FIFO overflowed for want of a block, and not the disk held them
    STORAGE = 4  # the disk was too slow, or failed
    OPERATOR = 5  # left in the camera by an abort


@dataclass(frozen=True)
class Loss:
    """`count` frames missing after the file's frame with index `after_frame` (-1: before its first).

    `first_missing` is the camera's counter of the first of them; `elapsed_s` counts from the first frame.
    """

    after_frame: int
    count: int
    cause: Cause
    elapsed_s: float
    first_missing: int


class Ledger:
    """Follow the camera's counter through one run, whatever files its frames go to.

    The counter starts at 1 with every arming, so that frames missing before the first are found too.
    """

    def __init__(self) -> None:
        self.last_number = 0
        self.first_time_ns: int | None = None
        self.restarts = 0
        self._lost: Counter[Cause] = Counter()

    @property
    def lost(self) -> int:
        """Frames missing so far."""
        return self._lost.total()

    def by_cause(self) -> dict[str, int]:
        """Return the frames missing so far by the name of their cause."""
        return {cause.name.lower(): count for cause, count in self._lost.items()}

    def elapsed_s(self, host_time_ns: int) -> float:
        """Return the seconds since the run's first frame by the host's clock, 0 before it."""
        return 0.0 if self.first_time_ns is None else (host_time_ns - self.first_time_ns) * 1e-9

    def account(self, facts: NDArray[Any], position: int) -> list[Loss]:
        """Book rows of facts (n,), in the camera's order; `position` is the first one's index in its file.

        Returns the losses found between them and before them.
        """
        if self.first_time_ns is None:
            self.first_time_ns = int(facts["host_time_ns"][0])
        numbers = facts["frame_number"].astype(np.int64)
        steps = np.diff(numbers, prepend=self.last_number)
        self.last_number = int(numbers[-1])
        losses = []
        for i in np.flatnonzero(steps != 1):
            if steps[i] < 1:
                self.restarts += 1
                continue
            loss = Loss(
                after_frame=position + int(i) - 1,
                count=int(steps[i]) - 1,
                cause=Cause(int(facts["gap_cause"][i]) or Cause.CAMERA),
                elapsed_s=self.elapsed_s(int(facts["host_time_ns"][i])),
                first_missing=int(numbers[i] - steps[i]) + 1,
            )
            self._lost[loss.cause] += loss.count
            losses.append(loss)
        return losses

    def close(self, last_exposed: int | None, cause: Cause, position: int, host_time_ns: int) -> list[Loss]:
        """Book the frames that the camera says it exposed after the last one delivered."""
        if last_exposed is None or last_exposed <= self.last_number:
            return []
        missing = last_exposed - self.last_number
        loss = Loss(position - 1, missing, cause, self.elapsed_s(host_time_ns), self.last_number + 1)
        self.last_number = last_exposed
        self._lost[cause] += missing
        return [loss]

    def abandon(self, count: int, position: int, first_missing: int, host_time_ns: int) -> list[Loss]:
        """Book `count` delivered frames, counted from `first_missing` on, that never reached the disk."""
        if count == 0:
            return []
        self._lost[Cause.STORAGE] += count
        return [Loss(position - 1, count, Cause.STORAGE, self.elapsed_s(host_time_ns), first_missing)]
