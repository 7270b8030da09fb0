"""Pictures of the latest frame, some times per second, for the displays."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import ChannelClosedError, LatestChannel
from recorder.frames.metadata import channel_of
from recorder.frames.pool import FrameFormat
from recorder.frames.region_means import Box, corner_of
from recorder.frames.threads import on_thread
from recorder.preview.baseline import Baseline
from recorder.preview.difference import Range
from recorder.preview.levels import Levels, bits_of
from recorder.preview.picture import Comparison, Picture, Region, Renderer
from recorder.preview.regions import RegionMean, region_means
from recorder.settings.field_types import ColourMap, PreviewMode, split_baseline
from recorder.settings.model import PreviewSettings

log = logging.getLogger(__name__)

# Pictures take at most this share of one core, however many are asked for.
MAX_CORE_SHARE = 0.25

# Maximum of pictures per second while the disk is behind.
BUSY_RATE = 2.0

Made = tuple[Picture, tuple[RegionMean, ...]]

# Makes a picture of a frame (H, W), its counter, when it came in s, its exposure in s.
Maker = Callable[[NDArray[Any], int, float, float], Made]


class Preview:
    """Make pictures of the latest frame, `rate` per second while `on`; while off no work is done at all.

    Everything here is used on the event loop's thread; pictures are computed on the preview thread. `levels`,
    `gamma`, `colours`, `mode` with `range` and `baseline`, `regions` by name (x0, y0, x1, y1 on the sensor),
    and the part shown, `region` (x, y, w, h; None: all), are those of every display, and may be set at any
    time. `latest` is the last picture, None while off, `means` are those of the regions in its frame, which
    came at `taken_s` of the host's clock; `origin` is the place (x, y) of the frames on the sensor, from 0;
    `pixel_um` is what a pixel is of the specimen, in um, None: not known; `facts` is what else displays tell
    of the frame. Of frames that are of `channels` in turn, those of `channel` are shown, "": all. Where
    pictures `stand`, because none may come after it, a display has the last one at once.
    """

    def __init__(self, settings: PreviewSettings) -> None:
        self._rate = settings.rate
        self.levels: Levels = settings.levels
        self.gamma = settings.gamma
        self.colours: ColourMap = settings.colours
        self.region: Region | None = None
        self.pixel_um: float | None = None
        self.channels: tuple[str, ...] = ()
        self.channel = ""
        self.stand = False
        self.facts: Mapping[str, Any] = {}
        self.regions: dict[str, Box] = dict(settings.regions)
        self.latest: Picture | None = None
        self.means: tuple[RegionMean, ...] = ()
        self.taken_s = 0.0
        self.origin = (0, 0)
        seconds, running = split_baseline(settings.baseline)
        self.mode: PreviewMode = settings.mode
        self.range: Range = settings.range
        self.baseline = Baseline(seconds, running=running)
        self._mean, self._overlay = settings.decimate == "mean", settings.saturation
        self._on = asyncio.Event()
        # Set where the time of the next picture has to be computed again.
        self._changed = asyncio.Event()
        self._frames: tuple[FrameFormat, tuple[int, int]] | None = None
        self._channel: LatestChannel | None = None
        self._fresh = asyncio.Event()
        self._wanted = asyncio.Event()
        if settings.on:
            self._on.set()

    @property
    def rate(self) -> float:
        """Maximum of pictures per second."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        self._changed.set()

    @property
    def on(self) -> bool:
        """Whether pictures are made."""
        return self._on.is_set()

    def colours_of(self, picture: Picture) -> str:
        """Return the colour map of a picture, one of `colours.MAPS`."""
        if self.colours != "auto":
            return self.colours
        return "grey" if picture.mode == "raw" else "diverging"

    def view(self) -> dict[str, Any]:
        """Return how pictures are shown, for the controls of displays."""
        return {
            "colours": self.colours,
            "gamma": self.gamma,
            "mode": self.mode,
            "range": self.range,
            "baseline": self.baseline.text,
        }

    def switch(self, on: bool) -> None:
        """Switch pictures on or off at once; off also drops the latest picture."""
        self._changed.set()
        if on:
            self._on.set()
        else:
            self._on.clear()
            self.latest = None
            if self._channel is not None:
                self._channel.discard()

    async def until_on(self) -> None:
        """Wait until pictures are switched on."""
        await self._on.wait()

    async def next_picture(self, had: Picture | None = None) -> Picture:
        """Wait for the next picture and return it; pictures made while nobody waits are not kept for it.

        Where pictures stand, the last one is returned at once, but to who `had` it.
        """
        while True:
            if self.stand and self.latest is not None and self.latest is not had:
                return self.latest
            self._wanted.set()
            await self._fresh.wait()
            if self.latest is not None:
                return self.latest

    async def until_wanted(self) -> None:
        """Wait until a display waits for a picture that it has not had."""
        await self._wanted.wait()

    def begin(self, form: FrameFormat, details: Mapping[str, object]) -> Renderer:
        """Return what makes pictures of frames of this form, and show all of them where the form is new.

        `details` are those of the camera's description: the bits in use and the region of interest.
        """
        self.origin = corner_of(details)
        if self._frames != (form, self.origin):
            # In other frames the region would be another part of the image.
            self._frames, self.region = (form, self.origin), None
            self.baseline.begin()
        return Renderer(form.height, form.width, form.dtype, bits_of(details))

    async def watch(
        self,
        broadcaster: Broadcaster,
        executor: Executor,
        form: FrameFormat,
        details: Mapping[str, object],
        is_busy: Callable[[], bool],
    ) -> None:
        """Make pictures of the frames (H, W) of a run on `executor`, until cancelled.

        `details` are those of the camera's description, as for `begin`. `is_busy` is called before each
        pause, and lowers the rate. An error switches pictures off, and is logged.
        """
        renderer = self.begin(form, details)
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
                        if (at := self.newest(span.metadata["frame_number"])) is None:
                            continue
                        frame, row = span.pixels[at], span.metadata[at]
                        taken_s = int(row["host_time_ns"]) * 1e-9
                        about = (int(row["frame_number"]), taken_s, float(row["exposure_s"]))
                        made = await on_thread(executor, self.maker(renderer), frame, *about)
                    if self.on:
                        self.show(*made, taken_s)
                    cost_s = loop.time() - began_s
                    rate = min(self.rate, BUSY_RATE) if is_busy() else self.rate
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(max(1 / rate - cost_s, cost_s * (1 / MAX_CORE_SHARE - 1))):
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

    def newest(self, numbers: NDArray[Any]) -> int | None:
        """Return which frame of these counters (n,) to show: the last of the channel, None where none is."""
        if self.channel not in self.channels:
            return len(numbers) - 1
        of = channel_of(numbers, len(self.channels)) == self.channels.index(self.channel)
        return int(np.flatnonzero(of)[-1]) if of.any() else None

    def show_channel(self, name: str) -> None:
        """Show frames of this channel only, "": of all; a baseline is taken anew."""
        if name != self.channel:
            self.channel = name
            self.baseline.begin()

    def maker(self, renderer: Renderer, *, sees: bool = True) -> Maker:
        """Return a function for the preview thread: a picture of a frame, as the displays are set now.

        `sees`: the baseline, too, is made of these frames.
        """
        comparison, baseline = self.comparison, self.baseline
        levels, region, boxes = self.levels, self.region, self.boxes
        render = partial(
            renderer.render, mean=self._mean, overlay=self._overlay, gamma=self.gamma, comparison=comparison
        )

        def make(frame: NDArray[Any], number: int, at_s: float, exposure_s: float) -> Made:
            # A captured baseline is also taken while frames are shown as they are.
            if sees and (comparison is not None or baseline.is_being_taken):
                baseline.see(frame, at_s, exposure_s)
            return render(frame, number, levels, region), region_means(frame, boxes, comparison)

        return make

    @property
    def comparison(self) -> Comparison | None:
        """What pictures are compared with now, None for frames as they are."""
        return None if self.mode == "raw" else Comparison(self.mode, self.range, self.baseline)

    @property
    def boxes(self) -> dict[str, Box]:
        """The regions in pixels of the frame."""
        x, y = self.origin
        return {name: (x0 - x, y0 - y, x1 - x, y1 - y) for name, (x0, y0, x1, y1) in self.regions.items()}

    def show(
        self,
        picture: Picture,
        means: tuple[RegionMean, ...],
        taken_s: float,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Have the displays show a picture with what belongs to it."""
        self.means, self.taken_s, self.facts = means, taken_s, facts or {}
        self.latest = picture
        self._wanted.clear()
        self._fresh.set()
        self._fresh = asyncio.Event()
