"""Queues of spans for the tasks of the event loop: one keeps all spans, one keeps the newest only.

The size of the pool is the only bound on a channel that keeps all spans.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from recorder.frames.pool import FrameSpan


class ChannelClosedError(Exception):
    """The channel is closed and empty: no more spans will come."""


@dataclass(frozen=True)
class ChannelStatistics:
    """Spans `waiting` now, their maximum so far, and those `skipped` because a newer one came."""

    waiting: int
    max_waiting: int
    skipped: int


class SpanQueue:
    """What spans are offered to; `owner` is who holds the leases of the spans in it.

    Every method is called on the event loop's thread, and none waits but `receive` of the kinds there are.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._spans: deque[FrameSpan] = deque()
        self._closed = False
        self._ready = asyncio.Event()
        self._max_waiting = 0
        self._skipped = 0

    def offer(self, span: FrameSpan) -> None:
        """Add `span` under a lease of the channel's own, and wake the receiver; after `close` do nothing.

        The caller's lease stays the caller's.
        """
        if self._closed:
            return
        self._admit(span.share(self.owner))
        self._max_waiting = max(self._max_waiting, len(self._spans))
        self._ready.set()

    def _admit(self, span: FrameSpan) -> None:
        self._spans.append(span)

    def close(self) -> None:
        """Accept no more spans; those already in the channel can still be received."""
        self._closed = True
        self._ready.set()

    def discard(self) -> None:
        """Close the channel, and release the leases of all spans in it."""
        self.close()
        while self._spans:
            self._spans.popleft().release()

    def end(self) -> None:
        """Let go of what the channel works with, once nobody offers or receives any more; may block."""

    def statistics(self) -> ChannelStatistics:
        """Return the current counts."""
        return ChannelStatistics(len(self._spans), self._max_waiting, self._skipped)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<{type(self).__name__} for {self.owner}, {len(self._spans)} waiting, {state}>"


class Channel(SpanQueue):
    """Keep every span until it is received."""

    async def receive(self) -> list[FrameSpan]:
        """Wait for spans and return all there are, oldest first; the caller has to release their leases.

        Raises ChannelClosedError once the channel is closed and empty. A cancelled wait loses no span. One
        task at a time may wait.
        """
        await self._ready.wait()
        if not self._spans:
            raise ChannelClosedError
        spans = list(self._spans)
        self._spans.clear()
        if not self._closed:
            self._ready.clear()
        return spans


class LatestChannel(Channel):
    """Keep the newest span only, so that a slow receiver never delays a recording.

    `receive` returns exactly one span.
    """

    def _admit(self, span: FrameSpan) -> None:
        while self._spans:
            self._skipped += 1
            self._spans.popleft().release()
        self._spans.append(span)
