"""A block on its way to full, handed on in spans so that no frame waits for the ones after it."""

from typing import Protocol

from recorder.frames.pool import Block, Span

# A frame is handed on at most this long after it came, however slowly its block fills. With as much again
# for the writer's commit it is on disk within the 0.25 s that the house promises.
HAND_ON_NS = 80_000_000


class SpanOutlet(Protocol):
    """Whatever takes the spans."""

    def put(self, span: Span) -> None:
        """Take the span and its lease."""


class Filling:
    """Count the frames of `block` that are `filled`, and hand them on to `outlet` as part of `segment`."""

    __slots__ = ("_block", "_handed_on", "_oldest_ns", "_outlet", "_segment", "filled")

    def __init__(self, block: Block, outlet: SpanOutlet, segment: int) -> None:
        self._block, self._outlet, self._segment = block, outlet, segment
        self.filled = self._handed_on = self._oldest_ns = 0

    def add(self, now_ns: int) -> None:
        """Count the frame that was just read."""
        if self.filled == self._handed_on:
            self._oldest_ns = now_ns
        self.filled += 1

    def hand_on_if_due(self, now_ns: int) -> None:
        """Hand on what has waited long enough."""
        if self.filled > self._handed_on and now_ns - self._oldest_ns >= HAND_ON_NS:
            self.hand_on()

    def hand_on(self) -> None:
        """Hand on what has not been."""
        if self.filled > self._handed_on:
            self._outlet.put(Span(self._block, self._handed_on, self.filled, "outlet", self._segment))
            self._handed_on = self.filled
