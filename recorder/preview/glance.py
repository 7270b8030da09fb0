"""The latest frame in figures, a few times a second, for the toolbar of the console."""

import asyncio
import contextlib
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.channel import ChannelClosedError, LatestChannel, Outlet
from recorder.frames.threads import on_thread

# Every fourth row and column: a sixteenth of the work, and the figures hardly differ.
STRIDE = 4

DEFAULT_RATE = 15.0

# Shares of pixels below and above automatic levels.
DARKEST, BRIGHTEST = 0.5, 99.5


@dataclass(frozen=True)
class Glance:
    """Least, mean and greatest value of frame `number`, and the levels to show it with."""

    number: int
    least: int
    mean: float
    greatest: int
    low: int
    high: int


class Preview:
    """Look at the latest frame `rate` times a second while `on`; while off no work is done at all."""

    def __init__(self) -> None:
        self.rate = DEFAULT_RATE
        self.levels: tuple[int, int] | None = None  # None: automatic
        self.latest: Glance | None = None
        self._on = asyncio.Event()
        self._channel: LatestChannel | None = None

    @property
    def on(self) -> bool:
        """Whether frames are looked at."""
        return self._on.is_set()

    def switch(self, on: bool) -> None:
        """Begin or end looking; takes effect at once."""
        if on:
            self._on.set()
        else:
            self._on.clear()
            self.latest = None
            if self._channel is not None:
                self._channel.discard()

    async def watch(self, outlet: Outlet, executor: Executor) -> None:
        """Look at the frames of a run until cancelled."""
        while True:
            await self._on.wait()
            self._channel = channel = LatestChannel("preview")
            disconnect = outlet.connect(channel)
            try:
                while self.on:
                    (span,) = await channel.receive()
                    with span:
                        frame, number = span.pixels[-1], int(span.facts["frame_number"][-1])
                        glance = await on_thread(executor, look, frame, number, self.levels)
                    if self.on:
                        self.latest = glance
                    await asyncio.sleep(1 / self.rate)
            except ChannelClosedError:
                pass
            finally:
                disconnect()
                channel.discard()
                self._channel = None


def look(frame: NDArray[Any], number: int, levels: tuple[int, int] | None) -> Glance:
    """Return the figures of `frame` (H, W)."""
    part = frame[::STRIDE, ::STRIDE]
    low, high = levels or (int(v) for v in np.percentile(part, (DARKEST, BRIGHTEST)))
    return Glance(number, int(part.min()), float(part.mean()), int(part.max()), low, high)


async def next_frame(outlet: Outlet, timeout_s: float) -> tuple[int, NDArray[Any]] | None:
    """Return counter and a copy of the next frame that comes, None where none does in time."""
    channel = LatestChannel("snapshot")
    disconnect = outlet.connect(channel)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                (span,) = await channel.receive()
                with span:
                    return int(span.facts["frame_number"][-1]), span.pixels[-1].copy()
        return None
    finally:
        disconnect()
        channel.discard()
