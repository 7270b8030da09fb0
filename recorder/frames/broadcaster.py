"""The way of a span from the camera thread into the event loop, to every channel that is connected.

camera thread ──publish──► one wake-up of the loop for many ──offer──► Channel (keeps all)
└────► LatestChannel (newest only)
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from recorder.frames.channel import Channel
from recorder.frames.pool import FrameSpan


class Broadcaster:
    """Carry spans from the camera thread to the channels of the loop.

    A wake-up of the loop costs about 8 us, more than recording a small frame: while one is under way,
    what follows rides along.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: deque[FrameSpan] = deque()
        self._scheduled = False
        self._channels: tuple[Channel, ...] = ()
        self._eager: tuple[Channel, ...] = ()
        self._glimpses: deque[FrameSpan] = deque()

    def connect(self, channel: Channel, *, eager: bool = False) -> Callable[[], None]:
        """Offer every span from now on to `channel`; return what ends that. On the loop's thread.

        An `eager` one is also shown frames of blocks that are not full yet, before they are
        published; it sees the last of them again in the span that is published.
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
        """Whether anyone wants to see frames before they are published; from any thread."""
        return bool(self._eager)

    def show_early(self, span: FrameSpan) -> None:
        """Let the eager ones see `span`, published later, and pass on its lease; from the camera thread."""
        self._glimpses.append(span)
        # Each is taken out once, here or by `deliver`, whichever thread comes first.
        with contextlib.suppress(IndexError):
            while len(self._glimpses) > 1:
                self._glimpses.popleft().release()
        self._wake()

    def publish(self, span: FrameSpan) -> None:
        """Pass on `span` and its lease; from the camera thread."""
        self._pending.append(span)
        self._wake()

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.deliver)

    def deliver(self) -> None:
        """Offer what is pending to the channels; on the loop's thread."""
        # Cleared first: a span published while we deliver asks for a wake-up of its own.
        self._scheduled = False
        # First: what is published holds the same frames, or later ones.
        with contextlib.suppress(IndexError):
            while True:
                with self._glimpses.popleft() as glimpse:
                    for channel in self._eager:
                        channel.offer(glimpse)
        while self._pending:
            with self._pending.popleft() as span:
                for channel in self._channels:
                    channel.offer(span)
