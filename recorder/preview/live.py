"""The latest frame as a picture, some times a second, for whoever shows it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial

from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import ChannelClosedError, LatestChannel
from recorder.frames.pool import FrameFormat
from recorder.frames.threads import on_thread
from recorder.preview.levels import Levels, bits_of
from recorder.preview.picture import Picture, Region, Renderer
from recorder.settings.model import PreviewSettings

log = logging.getLogger(__name__)

# Pictures take at most this share of one core, however many are asked for.
SHARE = 0.25

# While the disk is behind there are so many pictures a second at most.
BUSY_RATE = 2.0


class Preview:
    """Make a picture of the latest frame `rate` times a second while `on`; while off no work is done at all.

    `levels` and `region` (x, y, w, h; None: all) are what every display shows, whichever chose them.
    """

    def __init__(self, settings: PreviewSettings) -> None:
        self._rate = settings.rate
        self.levels: Levels = settings.levels
        self.region: Region | None = None
        self.latest: Picture | None = None
        # Where the frames begin on the sensor: pixels to the left of them and above.
        self.origin = (0, 0)
        self._mean, self._overlay = settings.decimate == "mean", settings.saturation
        self._on = asyncio.Event()
        # Something changed: whoever waits for the next picture's time looks again.
        self._changed = asyncio.Event()
        self._frames: tuple[FrameFormat, tuple[int, int]] | None = None
        self._channel: LatestChannel | None = None
        self._fresh = asyncio.Event()
        if settings.on:
            self._on.set()

    @property
    def rate(self) -> float:
        """Pictures a second at most."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        self._changed.set()

    @property
    def on(self) -> bool:
        """Whether pictures are made."""
        return self._on.is_set()

    def switch(self, on: bool) -> None:
        """Begin or end making pictures; takes effect at once."""
        self._changed.set()
        if on:
            self._on.set()
        else:
            self._on.clear()
            self.latest = None
            if self._channel is not None:
                self._channel.discard()

    async def until_on(self) -> None:
        """Wait until pictures are made."""
        await self._on.wait()

    async def next_picture(self) -> Picture:
        """Wait for the next picture; whoever is slow misses those in between."""
        while True:
            await self._fresh.wait()
            if self.latest is not None:
                return self.latest

    async def watch(
        self,
        broadcaster: Broadcaster,
        executor: Executor,
        form: FrameFormat,
        details: Mapping[str, object],
        is_busy: Callable[[], bool],
    ) -> None:
        """Make pictures of the frames of a run, (H, W) as `form` says, until cancelled.

        Of what the camera tells, `details`, the bits in use and the region of interest matter.
        """
        corner = str(details.get("roi", "1,1")).split(",")
        self.origin = (int(corner[0]) - 1, int(corner[1]) - 1)
        if self._frames != (form, self.origin):
            # Of other frames another part would be shown.
            self._frames, self.region = (form, self.origin), None
        renderer = Renderer(form.height, form.width, form.dtype, bits_of(details))
        loop = asyncio.get_running_loop()
        while True:
            await self._on.wait()
            self._channel = channel = LatestChannel("preview")
            disconnect = broadcaster.connect(channel)
            try:
                while self.on:
                    (span,) = await channel.receive()
                    began_s = loop.time()
                    with span:
                        frame, number = span.pixels[-1], int(span.metadata["frame_number"][-1])
                        render = partial(renderer.render, mean=self._mean, overlay=self._overlay)
                        picture = await on_thread(executor, render, frame, number, self.levels, self.region)
                    if self.on:
                        self._show(picture)
                    cost_s = loop.time() - began_s
                    rate = min(self.rate, BUSY_RATE) if is_busy() else self.rate
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(max(1 / rate - cost_s, cost_s * (1 / SHARE - 1))):
                            await self._changed.wait()
            except ChannelClosedError:
                pass
            except Exception as error:
                log.warning("preview: %r; it is off, the recording goes on", error)
                self.switch(False)
            finally:
                disconnect()
                channel.discard()
                self._channel = None

    def _show(self, picture: Picture) -> None:
        self.latest = picture
        self._fresh.set()
        self._fresh = asyncio.Event()
