"""Which frames a capture holds: those of the time before its trigger's frame, and of the time from it on."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recorder.settings.file_types import split_extent
from recorder.settings.model import RecordingSettings


class Moment(NamedTuple):
    """A frame: the camera's counter, and the start of its exposure by the camera's clock."""

    number: int
    time_ns: int

    @classmethod
    def of(cls, row: Any) -> Self:  # noqa: ANN401 - a row of metadata
        """Return that of a frame's row of metadata."""
        return cls(int(row["frame_number"]), int(row["camera_time_ns"]))


@dataclass(frozen=True)
class CapturePlan:
    """How much a capture holds `before` its trigger's frame and from it on (`after`): frames, or s (`unit`).

    `period_s` is the shortest time from frame to frame, 0 where it is not known: times of frames waver by
    less than half of it.
    """

    before: tuple[float, str]
    after: tuple[float, str]
    period_s: float

    @classmethod
    def of(cls, recording: RecordingSettings, rate: float) -> Self:
        """Return that of settings with `pretrigger`, for a camera of `rate` frames/s."""
        before, after = recording.pretrigger, recording.posttrigger
        if before is None:
            raise AssertionError("every frame is written")
        after = before if after is None else after
        return cls(split_extent(before), split_extent(after), 1 / rate)

    def frames(self, extent: tuple[float, str]) -> float:
        """Return how many frames an extent is, inf where the rate is not known."""
        amount, unit = extent
        if unit == "frames":
            return amount
        return round(amount / self.period_s) if self.period_s else math.inf

    def window(self, trigger: Moment) -> "Window":
        """Return what a capture of this trigger holds."""
        return Window(self, trigger)


class Window:
    """The frames around `trigger`; `extend` moves its end. Rows are metadata (n,), n >= 1, in order."""

    def __init__(self, plan: CapturePlan, trigger: Moment) -> None:
        self.plan, self.trigger = plan, trigger
        self._slack_ns = round(plan.period_s * 0.5e9)
        self._begin = self._edge(trigger, -1, plan.before)
        self._end = self._edge(trigger, 1, plan.after)

    def _edge(self, trigger: Moment, sign: int, extent: tuple[float, str]) -> Moment:
        """Return the edge of the window: of the two, a counter or a time, the one that counts is not -1."""
        amount, unit = extent
        if unit == "frames":
            return Moment(trigger.number + sign * int(amount), -1)
        return Moment(-1, trigger.time_ns + sign * round(amount * 1e9) - self._slack_ns)

    @property
    def asked_before(self) -> int:
        """How many frames before the trigger's are asked for, 0 where the rate is not known."""
        wanted = self.plan.frames(self.plan.before)
        return 0 if math.isinf(wanted) else int(wanted)

    def extend(self, trigger: Moment) -> None:
        """Go on for as long after another trigger, where that is longer."""
        self._end = max(self._end, self._edge(trigger, 1, self.plan.after))

    @staticmethod
    def _before(edge: Moment, rows: NDArray[Any]) -> int:
        """Return how many of the rows are before the edge."""
        if edge.time_ns == -1:
            return int(np.searchsorted(rows["frame_number"].astype(np.int64), edge.number))
        return int(np.searchsorted(rows["camera_time_ns"], edge.time_ns))

    def part_of(self, rows: NDArray[Any]) -> slice:
        """Return which of the rows are in the window."""
        return slice(self._before(self._begin, rows), self._before(self._end, rows))

    def is_complete_with(self, last: Moment) -> bool:
        """Return whether the window ends with this frame, as far as counters tell."""
        return self._end.time_ns == -1 and last.number >= self._end.number - 1

    def first_asked(self, gone: Moment | None, first: Moment) -> int:
        """Return the counter that the window begins with, where `first` is the first frame of it there is.

        `gone` is the frame before that, None where the run began with `first`: what is missing between them
        belongs to the window as far as it is in it.
        """
        if self._begin.time_ns == -1:
            return max(self._begin.number, gone.number + 1 if gone else 1)
        return first.number - self._missing_between(gone or Moment(0, -1), first, self._begin.time_ns, 1)

    def last_asked(self, last: Moment, beyond: Moment | None) -> int | None:
        """Return the counter that the window ends with; `beyond` is the first frame after it, None: not yet.

        None where it is not known: the frames of a time that has not come have no counters.
        """
        if self._end.time_ns == -1:
            return self._end.number - 1
        if beyond is None:
            return None
        return last.number + self._missing_between(last, beyond, self._end.time_ns, -1)

    @staticmethod
    def _missing_between(before: Moment, after: Moment, edge_ns: int, side: int) -> int:
        """Return how many counters between two frames are after a time (`side` 1) or before it (-1)."""
        steps = after.number - before.number
        if steps < 2 or before.time_ns == -1:
            return max(0, steps - 1)
        # In a gap frames are taken to have come as evenly as ever.
        times = np.linspace(before.time_ns, after.time_ns, steps + 1)[1:-1]
        return int(((times >= edge_ns) if side == 1 else (times < edge_ns)).sum())

    def missing_after(self, last: Moment) -> str:
        """Return what the window still lacks after its `last` frame, for people."""
        if self._end.time_ns == -1:
            left = self._end.number - 1 - last.number
            return f"{left} frames" if left > 0 else ""
        left_ns = self._end.time_ns + self._slack_ns - last.time_ns - round(self.plan.period_s * 1e9)
        return f"{left_ns * 1e-9:.3g} s" if left_ns > 2 * self._slack_ns else ""
