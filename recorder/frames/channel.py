"""Channels carry spans to the tasks of the event loop: one keeps all, one keeps the newest only.

`offer` never blocks and `receive` may wait; what bounds a channel that keeps all is the pool.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from recorder.frames.pool import FrameSpan


class ChannelClosedError(Exception):
    """Nothing is left in the channel, and nothing more will come."""


@dataclass(frozen=True)
class ChannelStatistics:
    """Spans `waiting` now, the most that ever waited, and those `skipped` for newer ones."""

    waiting: int
    most_waiting: int
    skipped: int


class Channel:
    """Keep every span until it is received; for the loop's own thread."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._spans: deque[FrameSpan] = deque()
        self._closed = False
        self._ready = asyncio.Event()
        self._most = 0
        self._skipped = 0

    def offer(self, span: FrameSpan) -> None:
        """Take a lease of our own on `span`, and wake the receiver; after `close` nothing is taken."""
        if self._closed:
            return
        self._admit(span.share(self.owner))
        self._most = max(self._most, len(self._spans))
        self._ready.set()

    def _admit(self, span: FrameSpan) -> None:
        self._spans.append(span)

    def close(self) -> None:
        """Take no more; what waits can still be received."""
        self._closed = True
        self._ready.set()

    async def receive(self) -> list[FrameSpan]:
        """Wait for spans and return all there are, oldest first; the caller owns their leases.

        Raises ChannelClosedError once the channel is closed and empty. A cancelled wait loses nothing.
        """
        await self._ready.wait()
        if not self._spans:
            raise ChannelClosedError
        spans = list(self._spans)
        self._spans.clear()
        if not self._closed:
            self._ready.clear()
        return spans

    def discard(self) -> None:
        """Close, and give back every lease that waits."""
        self.close()
        while self._spans:
            self._spans.popleft().release()

    def statistics(self) -> ChannelStatistics:
        """Return the figures of this moment."""
        return ChannelStatistics(len(self._spans), self._most, self._skipped)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<{type(self).__name__} for {self.owner}, {len(self._spans)} waiting, {state}>"


class LatestChannel(Channel):
    """Keep the newest span only: its receiver can never hold up a recording."""

    def _admit(self, span: FrameSpan) -> None:
        while self._spans:
            self._skipped += 1
            self._spans.popleft().release()
        self._spans.append(span)
