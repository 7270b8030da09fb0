"""A block that fills, published in spans so that no frame waits for those after it."""

from typing import Protocol

from recorder.frames.pool import Block, FrameSpan

# A frame is published at most this long after it came, however slowly its block fills. With as much again
# for the writer's commit it is on disk within the 0.25 s that the house promises.
FLUSH_NS = 80_000_000

# Those who wait for the latest frame see one at least so often, also out of a block that fills.
SHOW_NS = 4_000_000


class SpanReceiver(Protocol):
    """Whatever takes the spans: a `Broadcaster`, or a test's list. Called on the camera thread."""

    @property
    def has_eager(self) -> bool:
        """Whether anyone wants to see frames before they are published."""

    def publish(self, span: FrameSpan) -> None:
        """Take the span and its lease."""

    def show_early(self, span: FrameSpan) -> None:
        """Take the lease of a span that is published later."""


class BlockFiller:
    """Count the frames of `block` that are `filled`, and publish them as part of file `file_index`.

    Used on the camera thread only; nothing here blocks.
    """

    __slots__ = ("_block", "_broadcaster", "_file_index", "_flushed", "_oldest_ns", "_shown_ns", "filled")

    def __init__(self, block: Block, broadcaster: SpanReceiver, file_index: int) -> None:
        self._block, self._broadcaster, self._file_index = block, broadcaster, file_index
        self.filled = self._flushed = self._oldest_ns = self._shown_ns = 0

    def add(self, now_ns: int) -> None:
        """Count the frame that was just read."""
        if self.filled == self._flushed:
            self._oldest_ns = now_ns
        self.filled += 1

    def flush_if_due(self, now_ns: int) -> None:
        """Publish what has waited long enough."""
        if self.filled == self._flushed:
            return
        if now_ns - self._oldest_ns >= FLUSH_NS:
            self.flush()
        elif self.filled < len(self._block.slots) and self._broadcaster.has_eager:
            self._show(now_ns)

    def _show(self, now_ns: int) -> None:
        if now_ns - self._shown_ns >= SHOW_NS:
            self._shown_ns = now_ns
            self._broadcaster.show_early(self._span(self.filled - 1))

    def flush(self) -> None:
        """Publish what has not been."""
        if self.filled > self._flushed:
            self._broadcaster.publish(self._span(self._flushed))
            self._flushed = self.filled

    def _span(self, start: int) -> FrameSpan:
        return FrameSpan(self._block, start, self.filled, "broadcaster", self._file_index)
