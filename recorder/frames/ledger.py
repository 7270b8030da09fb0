"""The ledger: which frames are missing, where, and why, found from the camera's own counter.

All of it is used on the event loop's thread; nothing blocks.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cause(Enum):
    """Why frames are missing: `code` stands in a frame's metadata, `words` in the file, `plain` says it."""

    # Its FIFO never overflowed.
    COUNTER_GAP = 1, "counter gap", "the camera skipped them"
    # Its FIFO overflowed, blocks were free: no processor time.
    CAMERA_OVERFLOW = 2, "camera overflow", "this computer read the camera too late"
    # No free block, and it was not the writer that held them.
    BUFFER_EXHAUSTED = 3, "buffer exhausted", "no memory was free for them"
    STORAGE = 4, "storage", "the disk was too slow, full or broken"
    ABORTED = 5, "aborted", "left in the camera by an abort"

    def __init__(self, code: int, words: str, plain: str) -> None:
        self.code, self.words, self.plain = code, words, plain

    @classmethod
    def of_code(cls, code: int) -> "Cause":
        """Return the cause with this number; COUNTER_GAP for 0 and for an unknown one."""
        return next((cause for cause in cls if cause.code == code), cls.COUNTER_GAP)


def causes_text(by_cause: Mapping[str, int]) -> str:
    """Return causes, by their words, for people: one with what it means, of several how many each."""
    if len(by_cause) > 1:
        return ", ".join(f"{count} {words}" for words, count in by_cause.items())
    plain = {cause.words: cause.plain for cause in Cause}
    return "".join(f"{words}: {plain[words]}" if words in plain else words for words in by_cause)


@dataclass(frozen=True)
class Loss:
    """`count` frames missing after the file's frame with index `after_frame` (-1: before its first).

    `first_missing` is the camera's counter of the first of them. `elapsed_s` is the time in s from the run's
    first frame to the frame after the gap, or to the end of the run, by the host's clock. `unread_s` is the
    longest time in s before it in which no frame was read from the camera, 0 where that is not known: long
    where the camera thread got no processor or no block, or the camera's library held it up; short where the
    camera or its cable skipped frames.
    """

    after_frame: int
    count: int
    cause: Cause
    elapsed_s: float
    first_missing: int
    unread_s: float = 0.0


class Ledger:
    """Follow the camera's counter through one run, across all its files.

    The counter starts at 1 with every arming, so that frames missing before the first are found too.
    `last_number` is the last counter seen, `first_time_ns` when the first frame arrived by the host's clock,
    `restarts` how often the counter went back.
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
        """Return how many frames are missing so far, by the words of their cause."""
        return {cause.words: count for cause, count in self._lost.items()}

    def elapsed_s(self, host_time_ns: int) -> float:
        """Return the time in s from the arrival of the run's first frame to `host_time_ns`, 0 before it came.

        Negative for a moment before that arrival. Both times are of the host's monotonic clock.
        """
        return 0.0 if self.first_time_ns is None else (host_time_ns - self.first_time_ns) * 1e-9

    def see(self, metadata: NDArray[Any]) -> None:
        """Note when the first frame of the run came, where frames are accounted for later, or never."""
        if self.first_time_ns is None:
            self.first_time_ns = int(metadata["host_time_ns"][0])

    def begin_at(self, number: int) -> None:
        """Count from counter `number` on: of the frames since the last one nothing was asked."""
        self.last_number = number - 1

    def account(self, metadata: NDArray[Any], position: int) -> list[Loss]:
        """Count the frames of rows of metadata (n,), n >= 1, in the camera's order.

        `position` is the first one's index in its file. Returns the losses found between and before them.
        """
        self.see(metadata)
        numbers = metadata["frame_number"].astype(np.int64)
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
                cause=Cause.of_code(int(metadata["gap_cause"][i])),
                elapsed_s=self.elapsed_s(int(metadata["host_time_ns"][i])),
                first_missing=int(numbers[i] - steps[i]) + 1,
                unread_s=int(metadata["unread_ns"][i]) * 1e-9,
            )
            self._lost[loss.cause] += loss.count
            losses.append(loss)
        return losses

    def close(self, last_exposed: int | None, cause: Cause, position: int, host_time_ns: int) -> list[Loss]:
        """Count the frames exposed after the last one delivered as lost to `cause`; return one loss, or [].

        `last_exposed` is the counter of the last frame exposed (None: not known), `position` the number of
        frames in the file, `host_time_ns` the time of the loss.
        """
        if last_exposed is None or last_exposed <= self.last_number:
            return []
        missing = last_exposed - self.last_number
        loss = Loss(position - 1, missing, cause, self.elapsed_s(host_time_ns), self.last_number + 1)
        self.last_number = last_exposed
        self._lost[cause] += missing
        return [loss]

    def abandon(self, count: int, position: int, first_missing: int, host_time_ns: int) -> list[Loss]:
        """Count `count` delivered frames that never reached the disk as lost; return one loss, or [].

        `first_missing` is the counter of the first of them, `position` the number of frames in the file.
        """
        if count == 0:
            return []
        self._lost[Cause.STORAGE] += count
        return [Loss(position - 1, count, Cause.STORAGE, self.elapsed_s(host_time_ns), first_missing)]
