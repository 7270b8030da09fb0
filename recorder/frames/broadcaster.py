"""Hand spans from the camera thread to the event loop, and there to every channel that is connected.

camera thread ──publish──► one wake-up of the loop for many spans ──offer──► Channel (keeps all)
                                                                    └─────► LatestChannel (newest only)
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from recorder.frames.channel import SpanQueue
from recorder.frames.pool import FrameSpan


class Broadcaster:
    """Pass spans from the camera thread to the channels of the event loop. No method blocks.

    A wake-up of the loop costs about 8 us, more than recording a small frame: spans that are published while
    one is pending are delivered by it, without another one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: deque[FrameSpan] = deque()
        self._scheduled = False
        self._channels: tuple[SpanQueue, ...] = ()
        self._eager: tuple[SpanQueue, ...] = ()
        self._early: deque[FrameSpan] = deque()

    def connect(self, channel: SpanQueue, *, eager: bool = False) -> Callable[[], None]:
        """Offer every span from now on to `channel`; return the function that ends that.

        Both are called on the loop's thread. An `eager` channel is also offered frames before they are
        published, out of blocks that are not full; it gets them again in the span that is published.
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
        """Whether an eager channel is connected; read from any thread."""
        return bool(self._eager)

    def show_early(self, span: FrameSpan) -> None:
        """Have `span`, whose frames are published later, offered to the eager channels; on the camera thread.

        The lease is the broadcaster's from now on. Only the newest such span is kept.
        """
        self._early.append(span)
        # Each is taken out once, here or by `deliver`, whichever thread comes first.
        with contextlib.suppress(IndexError):
            while len(self._early) > 1:
                self._early.popleft().release()
        self._wake()

    def publish(self, span: FrameSpan) -> None:
        """Have `span` offered to every channel; the lease is the broadcaster's. On the camera thread.

        Raises RuntimeError where the event loop is closed.
        """
        self._pending.append(span)
        self._wake()

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.deliver)

    def deliver(self) -> None:
        """Offer all pending spans to the channels and release their leases; on the loop's thread."""
        # Cleared first: a span published during the delivery schedules a wake-up of its own.
        self._scheduled = False
        # Before the published spans, which hold the same frames or later ones.
        with contextlib.suppress(IndexError):
            while True:
                with self._early.popleft() as early:
                    for channel in self._eager:
                        channel.offer(early)
        while self._pending:
            with self._pending.popleft() as span:
                for channel in self._channels:
                    channel.offer(span)
