"""Publish the frames of a block in spans while the block fills, so that no frame waits for later ones."""

from typing import Protocol

from recorder.frames.pool import Block, FrameSpan

# A frame is published at most this long after it came, however slowly its block fills. With as much again
# for the writer's commit it is in the file within the 0.25 s that this program promises.
FLUSH_NS = 80_000_000

# Eager channels are offered a frame at least so often, also out of a block that is not full.
SHOW_NS = 4_000_000


class SpanReceiver(Protocol):
    """The receiver of spans, such as a `Broadcaster`. Called on the camera thread; must not block."""

    @property
    def has_eager(self) -> bool:
        """Whether frames are wanted before they are published; only then `show_early` is called."""

    def publish(self, span: FrameSpan) -> None:
        """Accept the span, and release its lease when it is done with."""

    def show_early(self, span: FrameSpan) -> None:
        """Accept a span whose frames are published later, and release its lease when it is done with."""


class BlockFiller:
    """Count the frames of `block` that are `filled`, and publish them as part of file `file_index`.

    Every method is called on the camera thread and does not block; times are host monotonic ns.
    """

    __slots__ = ("_block", "_broadcaster", "_file_index", "_flushed", "_oldest_ns", "_shown_ns", "filled")

    def __init__(self, block: Block, broadcaster: SpanReceiver, file_index: int) -> None:
        self._block, self._broadcaster, self._file_index = block, broadcaster, file_index
        self.filled = self._flushed = self._oldest_ns = self._shown_ns = 0

    def add(self, now_ns: int) -> None:
        """Count the frame that was read into slot `filled` at `now_ns`."""
        if self.filled == self._flushed:
            self._oldest_ns = now_ns
        self.filled += 1

    def flush_if_due(self, now_ns: int) -> None:
        """Publish the frames not yet published if the oldest has waited for `FLUSH_NS`.

        Otherwise the newest may be shown to eager channels, where the block is not full.
        """
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
        """Publish the frames not yet published, as one span; nothing where there are none."""
        if self.filled > self._flushed:
            self._broadcaster.publish(self._span(self._flushed))
            self._flushed = self.filled

    def _span(self, start: int) -> FrameSpan:
        return FrameSpan(self._block, start, self.filled, "broadcaster", self._file_index)
