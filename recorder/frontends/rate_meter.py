"""Figures as a person reads them: the rate of the last second, a time in one rough unit."""

import time

from recorder.session.status import Statistics

# No frame for so long, and for the time of so many frames: none comes any more.
SILENT_S = 2.0
SILENT_FRAMES = 3


class RateMeter:
    """Measure the frames/s of the last second or longer, instead of the average since the run began."""

    def __init__(self) -> None:
        self._seen: tuple[float, int] | None = None
        self._rate = 0.0
        self._latest = (time.monotonic(), 0)  # when the last frame was seen, and how many there were

    def update(self, figures: Statistics) -> float:
        """Return the frames/s of the last second or longer; at first, and of a slow camera, the average.

        0 once no frame has come for much longer than one takes on average.
        """
        now, frames = time.monotonic(), figures.acquisition.frames if figures.acquisition else 0
        if frames != self._latest[1]:
            self._latest = (now, frames)
        if figures.rate and now - self._latest[0] > max(SILENT_S, SILENT_FRAMES / figures.rate):
            return 0.0
        if self._seen is None or frames < self._seen[1]:
            self._seen = (now, frames)
        elif now - self._seen[0] >= 1:
            self._rate = (frames - self._seen[1]) / (now - self._seen[0])
            self._seen = (now, frames)
        return self._rate or figures.rate
