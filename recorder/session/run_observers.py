"""What looks at the frames of a run beside the writer: the preview and the user's analysis."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from recorder.camera.base import PIXEL_SIZE
from recorder.preview import analysis, snapshot
from recorder.preview.levels import bits_of
from recorder.preview.live import Preview
from recorder.preview.trigger import Trigger
from recorder.session.capture_window import Moment
from recorder.session.input_watch import watch_input
from recorder.session.pretrigger_ring import PretriggerRing
from recorder.session.run import Run
from recorder.settings.model import Settings
from recorder.storage.atomic_file import new_file

log = logging.getLogger(__name__)

# From this fill of the pool on the preview steps back.
BUSY_FILL = 0.5

# Who calls for captures, besides people and programs.
ANALYSIS, INPUT = "analysis", "input"

# How long preview and analysis may take to leave a run.
LEAVE_S = 1.0


class RunObservers:
    """Preview and analysis, each on a thread of its own; used on the event loop's thread."""

    def __init__(self, settings: Settings) -> None:
        """Raises UsageError where the settings name an analysis that cannot be found."""
        self.preview = Preview(settings.preview)
        function = analysis.find(settings.analysis)
        self._trigger = Trigger(settings.analysis.trigger) if settings.analysis.trigger else None
        if self._trigger is not None:
            function = self._trigger.measuring(function, lambda: (self.preview.regions, self.preview.origin))
        # What carries out a capture that the analysis or the input calls for: of a counter, by whom, why.
        self.on_trigger: Callable[[int, str, str], Awaitable[object]] | None = None
        self._triggered: set[asyncio.Task[None]] = set()
        self.analysis = analysis.Analysis(function) if function else None
        self._preview_thread = ThreadPoolExecutor(1, "preview")
        self._analysis_thread = ThreadPoolExecutor(1, "analysis")
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, run: Run, settings: Settings) -> None:
        """Look at the frames of `run`, which has these settings, from its arming on; returns at once."""
        self._tasks = [
            asyncio.create_task(self._preview(run, settings)),
            asyncio.create_task(self._analyse(run)),
        ]
        if settings.recording.capture_input:
            self._tasks.append(asyncio.create_task(self._watch_input(run)))

    async def leave(self) -> None:
        """Look at no further frame; an analysis that hangs is given up for good."""
        for task in self._tasks:
            task.cancel()
        if self._triggered:
            await asyncio.wait(self._triggered, timeout=LEAVE_S)
        ended, hung = await asyncio.wait(self._tasks, timeout=LEAVE_S)
        if hung and self.analysis is not None:
            self.analysis.give_up()
        for task in ended:
            if not task.cancelled() and (problem := task.exception()) is not None:
                log.error("preview or analysis ended early: %r", problem)

    async def _preview(self, run: Run, settings: Settings) -> None:
        await run.armed.wait()
        if (parts := run.parts) is None:
            raise AssertionError("a run that is armed has its parts")
        self.preview.channels = tuple(settings.recording.channels)
        self.preview.pixel_um = settings.pixel_on_sample(parts.description.pixel_m)[0] * 1e6 or None

        def is_busy() -> bool:
            return parts.pool.statistics().fill > BUSY_FILL

        form, details = parts.description.format, parts.description.details
        await self.preview.watch(parts.broadcaster, self._preview_thread, form, details, is_busy)

    async def _analyse(self, run: Run) -> None:
        await run.armed.wait()
        if self.analysis is not None and not self.analysis.given_up and run.broadcaster is not None:
            looking = partial(self._looking, run)
            await self.analysis.watch(run.broadcaster, self._analysis_thread, run.add_analysis, looking)

    async def _watch_input(self, run: Run) -> None:
        await run.armed.wait()
        if run.captures is not None:
            ring = run.captures.ring
            await watch_input(run, lambda number: self._capture(ring, None, number, INPUT))

    @contextlib.contextmanager
    def _looking(
        self, run: Run, metadata: Mapping[str, Any]
    ) -> Iterator[Callable[[Mapping[str, float]], None]]:
        """Keep what a capture of a frame would hold while the frame is looked at, and call for one."""
        if run.captures is None or self._trigger is None:
            yield lambda values: None
            return
        ring, trigger = run.captures.ring, self._trigger
        moment = Moment(metadata["frame_number"], metadata["camera_time_ns"])

        def tell(values: Mapping[str, float]) -> None:
            if trigger.fires(values) and self.on_trigger is not None:
                reason = f"{trigger.name} {values[trigger.name]:.6g}"
                capturing = self._capture(ring, moment, moment.number, ANALYSIS, reason)
                task = asyncio.create_task(capturing)
                self._triggered.add(task)
                task.add_done_callback(self._triggered.discard)

        with ring.keeping(moment):
            yield tell

    async def _capture(
        self, ring: PretriggerRing, since: Moment | None, number: int, source: str, reason: str = ""
    ) -> None:
        """Call for a capture of the frame `number`; what one `since` then would hold, or now, is kept."""
        if self.on_trigger is not None:
            with ring.keeping(since):
                await self.on_trigger(number, source, reason)

    async def write_snapshot(
        self,
        frame: snapshot.TakenFrame,
        path: Path,
        details: Mapping[str, Any],
        pixel_m: tuple[float, float],
    ) -> None:
        """Write a frame to the new file `path` on the preview's thread; raises as `snapshot.write`.

        A pixel is `pixel_m` wide and high on the sample; (0, 0): what `details` say of the sensor.
        """
        levels, gamma, bits = self.preview.levels, self.preview.gamma, bits_of(details)
        x, y = pixel_m if all(pixel_m) else (details.get(name) for name in PIXEL_SIZE)
        pixel_size_m = (x, y) if x and y else None

        def write() -> None:
            with new_file(path) as file:
                snapshot.write(frame, file, path.suffix, levels, bits, gamma, pixel_size_m)

        await asyncio.get_running_loop().run_in_executor(self._preview_thread, write)

    def close(self) -> None:
        """Let go of the threads; an analysis that hangs is left behind."""
        self._preview_thread.shutdown()
        self._analysis_thread.shutdown(wait=False)
