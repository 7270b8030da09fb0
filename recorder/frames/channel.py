"""Channels carry spans to the tasks of the event loop; an outlet carries them there from another thread.

    camera thread ──Outlet.put──► one wake-up of the loop for many ──offer──► Channel (keeps all)
                                                                     └──────► LatestChannel (newest only)

`offer` never blocks and `receive` may wait; what bounds a channel that keeps all is the pool.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from recorder.frames.pool import Span


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
        self._spans: deque[Span] = deque()
        self._closed = False
        self._ready = asyncio.Event()
        self._most = 0
        self._skipped = 0

    def offer(self, span: Span) -> None:
        """Take a lease of our own on `span`, and wake the receiver; after `close` nothing is taken."""
        if self._closed:
            return
        self._admit(span.share(self.owner))
        self._most = max(self._most, len(self._spans))
        self._ready.set()

    def _admit(self, span: Span) -> None:
        self._spans.append(span)

    def close(self) -> None:
        """Take no more; what waits can still be received."""
        self._closed = True
        self._ready.set()

    async def receive(self) -> list[Span]:
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

    def _admit(self, span: Span) -> None:
        while self._spans:
            self._skipped += 1
            self._spans.popleft().release()
        self._spans.append(span)


class Outlet:
    """Carry spans from one other thread to the channels of the loop.

    A wake-up of the loop costs about 8 us, more than recording a small frame: while one is under way,
    what follows rides along.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: deque[Span] = deque()
        self._scheduled = False
        self._channels: tuple[Channel, ...] = ()
        self._eager: tuple[Channel, ...] = ()
        self._glimpses: deque[Span] = deque()

    def connect(self, channel: Channel, *, eager: bool = False) -> Callable[[], None]:
        """Offer every span from now on to `channel`; return what ends that. On the loop's thread.

        An `eager` one is also shown frames of blocks that are not full yet, before they are put; it sees the
        last of them again in the span that is.
        """
        self._channels = (*self._channels, channel)
        if eager:
            self._eager = (*self._eager, channel)

        def disconnect() -> None:
            self._channels = tuple(c for c in self._channels if c is not channel)
            self._eager = tuple(c for c in self._eager if c is not channel)

        return disconnect

    @property
    def has_eager(self) -> bool:
        """Whether anyone wants to see frames before they are put; from any thread."""
        return bool(self._eager)

    def show(self, span: Span) -> None:
        """Let the eager ones see `span`, put later, and pass on its lease; from the camera thread."""
        self._glimpses.append(span)
        # Each is taken out once, here or by `deliver`, whichever thread comes first.
        with contextlib.suppress(IndexError):
            while len(self._glimpses) > 1:
                self._glimpses.popleft().release()
        self._wake()

    def put(self, span: Span) -> None:
        """Pass on `span` and its lease; from the camera thread."""
        self._pending.append(span)
        self._wake()

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.deliver)

    def deliver(self) -> None:
        """Offer what is pending to the channels; on the loop's thread."""
        # Cleared first: a span put while we deliver asks for a wake-up of its own.
        self._scheduled = False
        # First: what is put holds the same frames, or later ones.
        with contextlib.suppress(IndexError):
            while True:
                with self._glimpses.popleft() as glimpse:
                    for channel in self._eager:
                        channel.offer(glimpse)
        while self._pending:
            with self._pending.popleft() as span:
                for channel in self._channels:
                    channel.offer(span)
