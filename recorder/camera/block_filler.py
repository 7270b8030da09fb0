"""A block on its way to full, handed on in spans so that no frame waits for the ones after it."""

from typing import Protocol

from recorder.frames.pool import Block, Span

# A frame is handed on at most this long after it came, however slowly its block fills. With as much again
# for the writer's commit it is on disk within the 0.25 s that the house promises.
HAND_ON_NS = 80_000_000

# Those who wait for the latest frame see one at least so often, also out of a block that fills.
SHOW_NS = 4_000_000


class SpanOutlet(Protocol):
    """Whatever takes the spans."""

    @property
    def has_eager(self) -> bool:
        """Whether anyone wants to see frames before they are put."""

    def put(self, span: Span) -> None:
        """Take the span and its lease."""

    def show(self, span: Span) -> None:
        """Take the lease of a span that is put later."""


class Filling:
    """Count the frames of `block` that are `filled`, and hand them on to `outlet` as part of `segment`."""

    __slots__ = ("_block", "_handed_on", "_oldest_ns", "_outlet", "_segment", "_shown_ns", "filled")

    def __init__(self, block: Block, outlet: SpanOutlet, segment: int) -> None:
        self._block, self._outlet, self._segment = block, outlet, segment
        self.filled = self._handed_on = self._oldest_ns = self._shown_ns = 0

    def add(self, now_ns: int) -> None:
        """Count the frame that was just read."""
        if self.filled == self._handed_on:
            self._oldest_ns = now_ns
        self.filled += 1

    def hand_on_if_due(self, now_ns: int) -> None:
        """Hand on what has waited long enough."""
        if self.filled == self._handed_on:
            return
        if now_ns - self._oldest_ns >= HAND_ON_NS:
            self.hand_on()
        elif self.filled < len(self._block.slots) and self._outlet.has_eager:
            self._show(now_ns)

    def _show(self, now_ns: int) -> None:
        if now_ns - self._shown_ns >= SHOW_NS:
            self._shown_ns = now_ns
            self._outlet.show(Span(self._block, self.filled - 1, self.filled, "outlet", self._segment))

    def hand_on(self) -> None:
        """Hand on what has not been."""
        if self.filled > self._handed_on:
            self._outlet.put(Span(self._block, self._handed_on, self.filled, "outlet", self._segment))
            self._handed_on = self.filled
