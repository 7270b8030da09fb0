"""How near triggers come to the highest rate of a PCO camera, which ignores those that come while it is busy.

No counter of the camera's shows a trigger that it ignored. Above the highest rate it takes every second one,
and within 0.1 % of it whether it takes one is random (manual of the pco.edge, External Trigger Rate).
"""

from collections.abc import Callable

from recorder.camera.pco.decades import is_told

# Frames as near to each other as this come at the camera's limit.
NEAR = 1.02


def too_near(frames: int, shortest_s: float) -> str:
    """Return the warning about `frames` frames that came at the highest rate, one each `shortest_s`."""
    return (
        f"triggers come as fast as the camera takes them, {1 / shortest_s:.6g} a second ({frames} frames so "
        "far, within 2 %): it ignores those that come while it is busy, and no counter shows them; trigger "
        "more slowly, and give recording.triggers to compare"
    )


class TriggerWatch:
    """Watch the times of triggered frames; used on the camera thread.

    `shortest_s` is the time from frame to frame at the highest rate; `tell` gets a warning with the first
    frame that is so near to the one before it, and then with the tenth, the hundredth and so on.
    """

    def __init__(self, shortest_s: float, tell: Callable[[str], None]) -> None:
        self.shortest_s = shortest_s
        self._tell = tell
        self._last = (0, 0)
        self._near = 0

    def note(self, number: int, time_ns: int) -> None:
        """Take the counter of a frame, and the start of its exposure by the camera's clock."""
        before, before_ns = self._last
        self._last = (number, time_ns)
        if number == before + 1 and before and time_ns - before_ns < NEAR * self.shortest_s * 1e9:
            self._near += 1
            if is_told(self._near):
                self._tell(too_near(self._near, self.shortest_s))
