"""The rate of the last second, and a time in words, as a person reads them."""

import math
import time

from recorder.session.status import Statistics


class RateMeter:
    """Frames/s over the time since the last look instead of since the start."""

    def __init__(self) -> None:
        self._seen: tuple[float, int] | None = None
        self._rate = 0.0

    def look(self, figures: Statistics) -> float:
        """Return the rate between this look and the one before, at least a second ago."""
        now, frames = time.monotonic(), figures.acquisition.frames if figures.acquisition else 0
        if self._seen is None or frames < self._seen[1]:
            self._seen = (now, frames)
        elif now - self._seen[0] >= 1:
            self._rate = (frames - self._seen[1]) / (now - self._seen[0])
            self._seen = (now, frames)
        return self._rate or figures.rate


def format_duration(seconds: float) -> str:
    """Write a time so that its size is seen at once."""
    if math.isinf(seconds):
        return "-"
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
