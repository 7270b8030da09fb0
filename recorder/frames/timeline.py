"""Find the frame exposed at a given time, the first with a new exposure, or the one of a given counter.

Camera and host have clocks of their own; which moment is which follows from the quickest frames of the last
minutes (`frames.clock_fit`).
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recorder.frames.clock_fit import ClockFollower

# The rate of this moment is that of so much time.
RATE_NS = 1_000_000_000

# Spans whose metadata is kept: questions are about frames that just came, or will come soon.
REMEMBERED = 256


@dataclass(frozen=True)
class FrameRef:
    """A frame: the camera's counter `number`, and its `index` in the session's file `file_index`."""

    number: int
    file_index: int
    index: int


@dataclass(frozen=True)
class Moments:
    """Which frames were exposed at some moments (n,): files and indices (n,), of those that are `known` (n,).

    `time_s` is each moment on the axis of the times of its frame's file: s since the first frame's begin.
    """

    known: NDArray[np.bool_]
    files: NDArray[np.int64]
    indices: NDArray[np.int64]
    time_s: NDArray[np.floating[Any]]


class _Noted(NamedTuple):
    """Rows of metadata (n,), n >= 1, in file `file_index` from `first` on, after `jumps` of the clock."""

    rows: NDArray[Any]
    file_index: int
    first: int
    jumps: int

    def frame(self, i: int) -> FrameRef:
        """Return the frame of row i."""
        return FrameRef(int(self.rows["frame_number"][i]), self.file_index, self.first + i)


Answer = Callable[[_Noted], FrameRef | None]


class Timeline:
    """Follow the frames of one run, and find frames among them; `last` is the newest, None before the first.

    `clocks` is how the camera's clock goes against the host's. Every method is called on the event loop's
    thread and does not block. The futures are set by `note`, when the frame has come, or by `close`; they may
    be cancelled.
    """

    def __init__(self) -> None:
        self.clocks = ClockFollower()
        self._metadata: deque[_Noted] = deque(maxlen=REMEMBERED)
        self._questions: list[tuple[Answer, asyncio.Future[FrameRef | None], bool]] = []
        self._is_closed = False
        # When the first frame of each file began, by the camera's clock.
        self._began_ns: dict[int, int] = {}
        self.last: FrameRef | None = None

    def note(self, rows: NDArray[Any], file_index: int, index: int) -> None:
        """Add rows of metadata (n,), n >= 1; `index` is the first one's place in file `file_index`.

        The rows are copied. Sets the futures of the frames found among them.
        """
        rows = rows.copy()
        self._began_ns.setdefault(file_index, int(rows["camera_time_ns"][0]))
        # Where the clock goes back, times are in order on either side.
        falls = (np.flatnonzero(np.diff(rows["camera_time_ns"]) < 0) + 1).tolist()
        for begin, end in itertools.pairwise([0, *falls, len(rows)]):
            self._note(rows[begin:end], file_index, index + begin)

    def _note(self, rows: NDArray[Any], file_index: int, index: int) -> None:
        self.clocks.add(rows["camera_time_ns"], rows["host_time_ns"], rows["exposure_s"])
        self._metadata.append(_Noted(rows, file_index, index, self.clocks.jumps))
        self.last = self._metadata[-1].frame(len(rows) - 1)
        self._questions = [q for q in self._questions if not self._settle(q[0], q[1], self._metadata[-1])]

    @staticmethod
    def _settle(answer: Answer, future: asyncio.Future[FrameRef | None], noted: _Noted) -> bool:
        found = None if future.done() else answer(noted)
        if found is not None:
            future.set_result(found)
        return future.done()

    def _ask(self, answer: Answer, *, or_last: bool = False) -> asyncio.Future[FrameRef | None]:
        future: asyncio.Future[FrameRef | None] = asyncio.get_running_loop().create_future()
        for noted in self._metadata:
            if self._settle(answer, future, noted):
                return future
        if self._is_closed:
            future.set_result(self.last if or_last else None)
            return future
        self._questions.append((answer, future, or_last))
        return future

    def frame_at(self, host_ns: int) -> asyncio.Future[FrameRef | None]:
        """Find the last frame whose exposure began by `host_ns`, the host's monotonic clock.

        Known once a later frame has come, or the run has ended. A time before the first frame known gives
        that frame; the future gives None where the run ended without frames.
        """
        before: FrameRef | None = None

        def answer(noted: _Noted) -> FrameRef | None:
            nonlocal before
            fit = self.clocks.now()
            began_by = len(noted.rows)
            # Of frames before a jump of the clock all that is known is that they began before.
            if fit is not None and noted.jumps == fit.jumps:
                moment_ns = fit.camera_of(host_ns)
                began_by = int(np.searchsorted(noted.rows["camera_time_ns"], moment_ns, "right"))
            if began_by:
                before = noted.frame(began_by - 1)
            if began_by == len(noted.rows):
                return None
            # A moment before the first frame belongs to the first.
            return before or noted.frame(0)

        return self._ask(answer, or_last=True)

    def frames_at(self, host_ns: NDArray[np.int64], settled_ns: int) -> Moments | None:
        """Find the frames of many moments (n,) as `frame_at` does, without waiting.

        None before the first frame. A moment's frame is known once a later one has come, the run has ended,
        or it was before `settled_ns`: a later one would have come by now.
        """
        fit = self.clocks.now()
        spans = [noted for noted in self._metadata if fit is not None and noted.jumps == fit.jumps]
        if fit is None or not spans:
            return None
        begins = np.maximum.accumulate(np.concatenate([noted.rows["camera_time_ns"] for noted in spans]))
        files = np.repeat([noted.file_index for noted in spans], [len(noted.rows) for noted in spans])
        indices = np.concatenate([noted.first + np.arange(len(noted.rows)) for noted in spans])
        at_ns = fit.cameras_of(host_ns)
        place = np.maximum(np.searchsorted(begins, at_ns, "right") - 1, 0)
        known = (at_ns < begins[-1]) | (host_ns < settled_ns) | self._is_closed
        zero_ns = np.array([self._began_ns[int(file)] for file in files[place]], np.int64)
        return Moments(known, files[place], indices[place], (at_ns - zero_ns) * 1e-9)

    def apart_s(self, file_index: int, other: int) -> float:
        """Return by how much the first frame of a file began later than that of another, in s."""
        first_ns, other_ns = (self._began_ns.get(file, 0) for file in (file_index, other))
        return (first_ns - other_ns) * 1e-9

    def middle_of(self, number: int) -> int | None:
        """Return when the frame with this counter was being exposed, by the host's monotonic clock, in ns.

        None where its metadata is not kept.
        """
        fit = self.clocks.now()
        for noted in self._metadata:
            found = noted.rows[noted.rows["frame_number"] == number]
            if len(found) and fit is not None:
                half_s = float(np.nan_to_num(found["exposure_s"][0])) / 2
                return fit.host_of(int(found["camera_time_ns"][0]) + round(half_s * 1e9))
        return None

    def first_exposed_for(self, seconds: float, after_number: int) -> asyncio.Future[FrameRef | None]:
        """Find the first frame after counter `after_number` whose metadata has this exposure, to 0.1 %.

        The future gives None where the run ended before one came.
        """

        def answer(noted: _Noted) -> FrameRef | None:
            rows = noted.rows
            new = (rows["frame_number"] > after_number) & np.isclose(rows["exposure_s"], seconds, rtol=1e-3)
            return noted.frame(int(new.argmax())) if new.any() else None

        return self._ask(answer)

    def delivered(self, number: int) -> asyncio.Future[FrameRef | None]:
        """Find the first frame whose counter is `number` or later.

        The future gives None where the run ended before, and for a frame whose metadata is not kept any more.
        """
        if len(self._metadata) == REMEMBERED and number < self._metadata[0].rows["frame_number"][0]:
            forgotten: asyncio.Future[FrameRef | None] = asyncio.get_running_loop().create_future()
            forgotten.set_result(None)
            return forgotten

        def answer(noted: _Noted) -> FrameRef | None:
            i = int(np.searchsorted(noted.rows["frame_number"], number))
            return None if i == len(noted.rows) else noted.frame(i)

        return self._ask(answer)

    def rate(self, now_ns: int) -> float:
        """Return the frames/s of the last second, of those exposed as long as the newest; 0: not known.

        Before a change of the exposure another rate may have held; and none is known where at `now_ns`, the
        host's monotonic clock, no frame has come for a second.
        """
        if not self._metadata or now_ns - int(self._metadata[-1].rows["host_time_ns"][-1]) > RATE_NS:
            return 0.0
        times_ns: list[NDArray[np.int64]] = []
        newest = self._metadata[-1].rows[-1]
        for rows in (noted.rows for noted in reversed(self._metadata)):
            older = rows["camera_time_ns"] < newest["camera_time_ns"] - RATE_NS
            other = ~np.isclose(rows["exposure_s"], newest["exposure_s"], rtol=1e-3, equal_nan=True)
            left_out = np.flatnonzero(older | other)
            times_ns.append(rows["camera_time_ns"][left_out[-1] + 1 if len(left_out) else 0 :])
            if len(left_out):
                break
        count = sum(map(len, times_ns))
        if count < 2:
            return 0.0
        first_ns = next(times for times in reversed(times_ns) if len(times))[0]
        return float((count - 1) / max(1, int(times_ns[0][-1]) - int(first_ns)) * 1e9)

    def close(self) -> None:
        """End the run: set all open futures, and those asked for later at once.

        Those of `frame_at` give the last frame, the others None.
        """
        self._is_closed = True
        for _, future, or_last in self._questions:
            if not future.done():
                future.set_result(self.last if or_last else None)
        self._questions.clear()
