"""The FIFO of a simulated camera that exposes a frame for each software trigger."""

from collections import deque

from recorder.camera.simulated.fifo import Exposed

# When a frame is complete that nobody has triggered.
NEVER_NS = 2**62


class TriggeredFifo:
    """A FIFO of `depth` frames with the face of `Fifo`; every method on the camera thread, none blocks.

    A trigger while a frame is exposed begins the next one as that ends.
    """

    def __init__(self, exposure_s: float, depth: int) -> None:
        self._exposure_s, self._depth = exposure_s, depth
        self._number = 0
        self._free_ns = 0  # when the exposure ends that was triggered last
        self._coming: deque[Exposed] = deque()
        self._waiting: deque[Exposed] = deque()
        self._overflowed = False

    def trigger(self, now_ns: int) -> None:
        """Expose a frame, now or after those that were triggered before."""
        self._number += 1
        start_ns = max(now_ns, self._free_ns)
        self._free_ns = start_ns + round(self._exposure_s * 1e9)
        self._coming.append(Exposed(self._number, start_ns, self._exposure_s, overflowed=False))

    def advance(self, now_ns: int) -> int:
        """Put frames exposed by `now_ns` into the FIFO; return how many frames wait to be read."""
        while self._coming and _end_of(self._coming[0]) <= now_ns:
            exposed = self._coming.popleft()
            if len(self._waiting) >= self._depth:
                self._overflowed = True
                continue
            self._waiting.append(exposed._replace(overflowed=self._overflowed))
            self._overflowed = False
        return len(self._waiting)

    def pop(self) -> Exposed:
        """Return and remove the oldest frame; raises IndexError where `advance` returned 0."""
        return self._waiting.popleft()

    def next_complete_ns(self) -> int:
        """Return when the exposure of the next frame ends, as of the last `advance`."""
        return _end_of(self._coming[0]) if self._coming else NEVER_NS

    def oldest_complete_ns(self) -> tuple[int, int]:
        """Return counter and end of the exposure of what `pop` would return; there must be a frame."""
        return self._waiting[0].number, _end_of(self._waiting[0])

    def set_exposure(self, seconds: float, now_ns: int, first: int | None = None) -> None:
        """Expose frames that are triggered from now on for `seconds`."""
        del now_ns, first
        self._exposure_s = seconds

    def halt(self, now_ns: int) -> int:
        """Stop exposing at `now_ns`; return the counter of the last frame exposed by then."""
        self.advance(now_ns)
        last = self._coming[0].number - 1 if self._coming else self._number
        self._coming.clear()
        return last


def _end_of(exposed: Exposed) -> int:
    return exposed.start_ns + round(exposed.exposure_s * 1e9)
