"""A capture: the frames around a trigger, and where each of them is in its file."""

import asyncio
import bisect
from dataclasses import dataclass, field
from pathlib import Path

from recorder.errors import RecorderError
from recorder.frames.pool import FrameSpan
from recorder.session.capture_window import Moment, Window


@dataclass
class Capture:
    """Frames around a trigger, in the session's file `file_index`, which is made at `path` (None: in none).

    `frames` were handed on so far, `before` of them came before the trigger's, `last` is the newest.
    `failure` is why its file could not be made, `lacks` what was not exposed any more when the run ended.
    """

    window: Window
    label: str
    file_index: int
    path: Path | None = None
    frames: int = 0
    before: int = 0
    last: Moment | None = None
    failure: RecorderError | None = None
    lacks: str = ""
    made: asyncio.Event = field(default_factory=asyncio.Event)
    is_booked: bool = False  # told, or counted as lost
    # Where counters are without a gap: the first of them, and its index.
    _begins: list[tuple[int, int]] = field(default_factory=list)

    @property
    def trigger(self) -> int:
        """The counter of the trigger's frame."""
        return self.window.trigger.number

    def add(self, span: FrameSpan) -> None:
        """Count the frames of a span, which come next."""
        for i, number in enumerate(span.metadata["frame_number"].tolist(), self.frames):
            if not self._begins or number != self._begins[-1][0] + i - self._begins[-1][1]:
                self._begins.append((number, i))
            self.before += number < self.trigger
        self.frames += len(span)
        self.last = Moment.of(span.metadata[-1])

    def index_of(self, number: int) -> int | None:
        """Return which frame of the file has this counter, None where none has."""
        i = bisect.bisect_right(self._begins, (number, self.frames)) - 1
        if i < 0:
            return None
        first, begin = self._begins[i]
        end = self._begins[i + 1][1] if i + 1 < len(self._begins) else self.frames
        index = begin + number - first
        return index if index < end else None
