"""Decide which frames belong to a run of a given duration, by the camera's own clock."""

import math

from recorder.camera.base import FrameInfo


class DurationLimit:
    """The frames that begin less than `duration_s` after the first one (None: no limit).

    Every method is called on the camera thread and does not block; host times are monotonic ns.
    """

    def __init__(self, duration_s: float | None) -> None:
        self._duration_ns = None if duration_s is None else round(duration_s * 1e9)
        self._first: FrameInfo | None = None
        self._first_return_ns = 0
        self._last: FrameInfo | None = None

    def holds(self, info: FrameInfo, return_ns: int) -> bool:
        """Return whether the frame, read at host time `return_ns`, belongs to the run.

        To be called once for each frame, in their order.
        """
        if self._duration_ns is None:
            return True
        if self._first is None:
            self._first, self._first_return_ns = info, return_ns
        if info.camera_time_ns - self._first.camera_time_ns >= self._duration_ns:
            return False
        self._last = info
        return True

    def is_past(self, now_ns: int) -> bool:
        """Return whether every frame of the run should have come by host time `now_ns`.

        All are expected as late after the start of their exposure as the first one. False without a limit.
        """
        if self._duration_ns is None or self._first is None:
            return False
        return now_ns > self._first_return_ns + self._duration_ns

    def last_number(self, beyond: FrameInfo | None = None) -> int | None:
        """Return the counter of the last frame that belongs to the run, whether it was read or lost.

        Computed from the frames read, and from the one `beyond` the limit if there is one; None where those
        are too few, or there is no limit.
        """
        first, last, other = self._first, self._last, beyond or self._first
        if self._duration_ns is None or first is None or last is None or other is None:
            return None
        if other.number == last.number or other.camera_time_ns == last.camera_time_ns:
            return None
        period_ns = (other.camera_time_ns - last.camera_time_ns) / (other.number - last.number)
        left_ns = self._duration_ns - (last.camera_time_ns - first.camera_time_ns)
        number = last.number + math.ceil(left_ns / period_ns - 1e-6) - 1
        return max(last.number, number if beyond is None else min(number, beyond.number - 1))
