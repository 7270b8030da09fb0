"""The runs of one sitting at the rig, and what every front end calls on them."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from recorder.camera.base import Camera
from recorder.errors import CameraError, RecorderError, UsageError
from recorder.frames.timeline import FrameRef
from recorder.preview import analysis, snapshot
from recorder.preview.live import Preview
from recorder.session.marks import Mark, Marks
from recorder.session.run import MakeFile, Run
from recorder.session.status import FinishReason, State, Statistics, Summary
from recorder.settings.model import Settings, override

log = logging.getLogger(__name__)

# How long a snapshot waits for a frame, and an exposure for the first frame that shows it.
SNAPSHOT_S = 5.0
EFFECT_S = 5.0

# From this fill of the pool on the preview steps back.
BUSY_FILL = 0.5

# Settings that have a command of their own.
LIVE = {
    "camera.exposure": "exposure",
    "preview.on": "preview",
    "preview.rate": "preview rate",
    "preview.levels": "preview levels",
}

# How long preview and analysis may take to leave a run.
LEAVE_S = 1.0

# Verdicts from good to bad: a session ends with the worst of its runs.
SEVERITY = ("complete", "frames lost", "interrupted", "failed")


class Workshop(Protocol):
    """What makes the parts of a run from settings."""

    def camera(self, settings: Settings, tell: Callable[[str], None]) -> Camera:
        """Return the camera, not opened; it may `tell` of its health from any thread."""

    def path(self, settings: Settings, name: str | None = None, *, first: bool = False) -> Path:
        """Return a file that does not exist; raises UsageError."""

    def file(self, settings: Settings, path: Path | None) -> MakeFile:
        """Return what makes the file at `path`, or (None) what counts frames only."""

    def run(self, settings: Settings, camera: Camera, make_file: MakeFile) -> Run:
        """Return a run, not begun."""


class Session:
    """One run after the other with the same settings; everything from the event loop's thread.

    `path` is where the first file will be, None in a dry run.
    """

    def __init__(self, settings: Settings, workshop: Workshop, *, dry_run: bool) -> None:
        self.settings = settings
        self.dry_run = dry_run
        self.saving = not dry_run
        self.path = None if dry_run else workshop.path(settings, first=True)
        self.run: Run | None = None
        self.runs = 0
        self.preview = Preview(settings.preview)
        function = analysis.find(settings.analysis)
        self.analysis = analysis.Analysis(function) if function else None
        self.leaving = asyncio.Event()
        self._workshop = workshop
        self._loop = asyncio.get_running_loop()
        self._camera: Camera | None = workshop.camera(settings, self._hear)
        # What `save new` named while no run was under way.
        self._next_name: str | None = None
        self._task: asyncio.Task[Summary] | None = None
        self._summaries: list[Summary] = []
        self._error: RecorderError | None = None
        self._marks = Marks()
        # Called with each run's summary when it is over, and with what the camera tells of its health.
        self.on_end: Callable[[Summary], Awaitable[None]] | None = None
        self.on_remark: Callable[[str], None] | None = None
        self._preview_thread = ThreadPoolExecutor(1, "preview")
        self._analysis_thread = ThreadPoolExecutor(1, "analysis")

    def take_another_path(self) -> bool:
        """Choose another name for the first file; False where the configuration names the file itself."""
        path = self._workshop.path(self.settings, first=True)
        changed = path != self.path
        self.path = path
        return changed

    def _hear(self, remark: str) -> None:
        """Pass on what the camera tells of its health; from any thread."""

        def pass_on() -> None:
            log.warning("%s", remark)
            if self.on_remark is not None:
                self.on_remark(remark)

        self._loop.call_soon_threadsafe(pass_on)

    # Runs.

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Begin a run; returns once the camera is armed or has failed to be."""
        if self.running:
            raise UsageError("already running; stop comes before start")
        path = None
        if self.saving:
            # The first file is where the journal stands; the next ones have names of their own.
            path = self.path if self.runs == 0 else self._workshop.path(self.settings, self._next_name)
        camera = self._camera or self._workshop.camera(self.settings, self._hear)
        self._camera = None
        self.run = run = self._workshop.run(self.settings, camera, self._workshop.file(self.settings, path))
        self.runs += 1
        self._task = asyncio.create_task(self._follow(run))
        armed = asyncio.ensure_future(run.armed.wait())
        await asyncio.wait([self._task, armed], return_when=asyncio.FIRST_COMPLETED)
        armed.cancel()
        if run.armed.is_set():
            self._next_name = None

    async def _follow(self, run: Run) -> Summary:
        """Carry out a run, with its preview and analysis, and remember how it ended."""
        looking = [asyncio.create_task(self._look(run)), asyncio.create_task(self._analyse(run))]
        try:
            summary = await run.run()
        except RecorderError as error:
            self._error = error
            summary = Summary.of_nothing(str(error))
        finally:
            for task in looking:
                task.cancel()
            _, hung = await asyncio.wait(looking, timeout=LEAVE_S)
            if hung and self.analysis is not None:
                self.analysis.give_up()
        self._summaries.append(summary)
        if self.on_end is not None:
            await self.on_end(summary)
        return summary

    async def _look(self, run: Run) -> None:
        await run.armed.wait()
        if run.outlet is None:
            raise AssertionError("a run that is armed has an outlet")
        description = run.description
        if description is None:
            raise AssertionError("a run that is armed has a camera")

        def is_busy() -> bool:
            pool = run.statistics().pool
            return pool is not None and pool.fill > BUSY_FILL

        form, details = description.format, description.details
        await self.preview.watch(run.outlet, self._preview_thread, form, details, is_busy)

    async def _analyse(self, run: Run) -> None:
        await run.armed.wait()
        if self.analysis is not None and not self.analysis.given_up and run.outlet is not None:
            await self.analysis.watch(run.outlet, self._analysis_thread, run.add_analysis)

    def stop(self, reason: FinishReason = FinishReason.STOPPED, first: int | None = None) -> None:
        """Stop the camera and write all that was exposed, or what comes before counter `first`."""
        if self.run is not None and self.running:
            self.run.stop(reason, first)

    def abort(self) -> None:
        """Stop at once."""
        if self.run is not None and self.running:
            self.run.abort()

    async def stopped(self) -> Summary | None:
        """Wait until no run is under way; return the summary of the last one."""
        if self._task is not None:
            await asyncio.wait([self._task])
            return self._task.result()
        return None

    async def close(self) -> Summary:
        """Stop what runs and return the summary of all runs; raises RecorderError if nothing came of it."""
        self.stop()
        await self.stopped()
        self._preview_thread.shutdown()
        self._analysis_thread.shutdown(wait=False)
        if self._error is not None and len(self._summaries) == 1:
            raise self._error
        return self.summary()

    def summary(self) -> Summary:
        """Return the runs so far as one: sums, all files, the worst verdict."""
        if not self._summaries:
            return replace(Summary.of_nothing("no run"), verdict="complete", exit_code=0)
        worst = max(self._summaries, key=lambda s: SEVERITY.index(s.verdict))
        losses: dict[str, int] = {}
        for cause, count in (item for s in self._summaries for item in s.losses.items()):
            losses[cause] = losses.get(cause, 0) + count
        return replace(
            worst,
            files=tuple(file for s in self._summaries for file in s.files),
            losses=losses,
            **{
                name: sum(getattr(s, name) for s in self._summaries)
                for name in ("frames", "lost", "marks", "seconds", "cpu_s", "bytes")
            },
        )

    def statistics(self) -> Statistics | None:
        """Return the figures of the run, None before the first."""
        return self.run.statistics() if self.run else None

    def _running(self) -> Run:
        if self.run is None or not self.running:
            raise UsageError("not running; start comes first")
        if self.run.state is not State.RUNNING:
            does = "the camera is being opened" if self.run.state is State.OPENING else "the run is ending"
            raise UsageError(f"{does}; wait for it")
        return self.run

    # What is done to a run.

    async def mark(
        self, label: str, text: str, source: str, host_ns: int, number: int | None = None
    ) -> FrameRef | None:
        """Mark the frame being exposed at `host_ns`, or the one whose counter is `number`.

        Returns the frame, None where it is not known before the camera's own memory is read out.
        """
        return await self._marks.place(self._running(), Mark(label, text, source, host_ns), number)

    async def expose(self, seconds: float, first: int | None = None) -> tuple[float, FrameRef | None]:
        """Change the exposure from now on, or from counter `first` on; the next runs keep it.

        Returns what the camera made of it, and the first frame whose own metadata shows it (None: none came,
        or the camera's frames do not tell).
        """
        run = self._running()
        before = run.timeline.last

        def verb(camera: Camera) -> float:
            return camera.set_exposure(seconds, first)

        run.be_patient(seconds)
        actual = await run.ask_camera(verb)
        camera = self.settings.camera.model_copy(update={"exposure": actual})
        self.settings = self.settings.model_copy(update={"camera": camera})
        run.description = run.description and run.description.exposed_for(actual)
        if run.records_inside or not self.frames_tell_exposure:
            return actual, None
        after = first - 1 if first is not None else before.number if before else 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if first is not None else EFFECT_S):
                return actual, await run.timeline.first_exposed_for(actual, after)
        return actual, None

    @property
    def frames_tell_exposure(self) -> bool:
        """Whether the frames that came had their exposure with them."""
        figures = self.statistics()
        link = figures.link if figures else None
        return link is None or not link.frames or not math.isnan(link.exposure_s)

    async def trigger(self) -> None:
        """Expose one frame now."""
        await self._running().ask_camera(lambda camera: camera.trigger())

    async def save(
        self, on: bool, name: str | None = None, first: int | None = None
    ) -> tuple[Path | None, int | None]:
        """Write frames from now on (or from counter `first` on) into a new file, or into none.

        Returns the file and the counter of its first frame, None where no run is under way.
        """
        if on and self.dry_run:
            raise UsageError("this is a dry run: no file is written")
        if self.running and self._running().records_inside:
            raise UsageError("the camera records into its own memory, for one file: stop, then start")
        path = self._workshop.path(self.settings, name) if on else None
        number = None
        if self.running:
            number = await self._running().go_on_in(self._workshop.file(self.settings, path), first)
        else:
            self._next_name = name
        self.saving = on
        return path, number

    async def snapshot(self, path: Path | None) -> tuple[Path, int]:
        """Write the next frame as a picture; return where, and the frame's counter."""
        run = self._running()
        if run.outlet is None:
            raise UsageError("not running; start comes first")
        taken = await snapshot.next_frame(run.outlet, SNAPSHOT_S)
        if taken is None:
            raise CameraError(f"no frame came within {SNAPSHOT_S:g} s")
        number, frame = taken
        if path is None:
            beside = (run.file.path if run.file else None) or self.path or Path("snapshot")
            path = beside.with_name(f"{beside.stem}_frame{number}.tif")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._preview_thread, snapshot.write, frame, path, self.preview.levels)
        return path, number

    def set(self, key: str, value: str) -> Settings:
        """Change a setting for the next run; raises UsageError while one is under way."""
        settings = override(self.settings, f"{key}={value}")
        if self.running:
            if key in LIVE:
                raise UsageError(f"{key} is changed while it runs by: {LIVE[key]} {value}")
            raise UsageError(f"{key} needs the camera armed anew: stop, set {key} {value}, start")
        self._camera = self._workshop.camera(settings, self._hear)
        self.settings = settings
        return settings

    def position(self) -> tuple[int, int, float]:
        """Return index and counter of the last frame delivered (-1 and 0: none), and s since the first."""
        if self.run is None:
            return -1, 0, 0.0
        last = self.run.timeline.last
        elapsed_s = self.run.ledger.elapsed_s(time.perf_counter_ns())
        return (last.index, last.number, elapsed_s) if last else (-1, 0, elapsed_s)

    async def add_row(self, table: str, row: tuple[Any, ...]) -> None:
        """Append a row to a table of the file being written, if one is."""
        if self.run is not None:
            await self.run.add_row(table, row)

    @contextlib.contextmanager
    def held_open(self) -> Iterator[None]:
        """Keep the files of this moment's run open until the rows of a command are in them."""
        if self.run is None:
            yield
        else:
            with self.run.gate.held():
                yield
