"""The runs of a session at the rig, and what every frontend calls on them."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from recorder.camera.base import Camera, CameraEvent
from recorder.errors import CameraError, RecorderError, UsageError
from recorder.frames.timeline import FrameRef
from recorder.preview import snapshot
from recorder.preview.analysis import Analysis
from recorder.preview.live import Preview
from recorder.session.capture_names import CaptureNames
from recorder.session.file_sequence import FileSequence, MakeFile
from recorder.session.marks import Mark, Marks, PlacedMark
from recorder.session.paths import new_path
from recorder.session.run import Run
from recorder.session.run_observers import RunObservers
from recorder.session.signals import Signals
from recorder.session.splitting import splitting
from recorder.session.status import FinishReason, State, Statistics, Summary
from recorder.settings.model import Settings, override
from recorder.storage.records import Row

log = logging.getLogger(__name__)

# How long a snapshot waits for a frame, and an exposure for the first frame that shows it.
SNAPSHOT_S = 5.0
EFFECT_S = 5.0

# Makes the camera of the settings; what it says of its health goes to a function, and the events that it saw
# to another, both from any thread.
MakeCamera = Callable[[Settings, Callable[[str], None], Callable[[CameraEvent], None]], Camera]


class Session:
    """One run after the other with the same settings; everything from the event loop's thread.

    `path` is where the first file will be, None in a dry run.
    """

    def __init__(
        self, settings: Settings, make_camera: MakeCamera, make_file: MakeFile, *, dry_run: bool
    ) -> None:
        """Raises UsageError for what cannot work; nothing is opened."""
        self.settings = settings
        self.name = ""  # that of the camera, where there are several
        self.dry_run = dry_run
        self.saving = not dry_run
        self.path = None if dry_run else new_path(settings, first=True)
        self.run: Run | None = None
        self.runs = 0
        self.observers = RunObservers(settings)
        self._capture_names = CaptureNames(self)
        self.leaving = asyncio.Event()
        self.files = FileSequence(make_file, settings.storage.durable_every)
        self._make_camera = make_camera
        self._loop = asyncio.get_running_loop()
        self._camera: Camera | None = make_camera(settings, self._on_health, self._on_event)
        # What `save new` named while no run was under way.
        self._next_name: str | None = None
        # Files to come that are being made: their names are taken, though nothing stands there yet.
        self.promised: set[Path | None] = set()
        self._is_closed = False
        self._task: asyncio.Task[Summary] | None = None
        self._summaries: list[Summary] = []
        self.last_summary: Summary | None = None
        self._error: RecorderError | None = None
        self.marks, self.signals = Marks(), Signals()
        # Called with each run's summary when it is over, with the next file of a run before frames go to it,
        # and with what the camera tells of its health.
        self.on_end: list[Callable[[Summary], Awaitable[None]]] = []
        self.on_next_file: list[Callable[[Path], Awaitable[None]]] = []
        self.on_remark: Callable[[str], None] | None = None

    def take_another_path(self) -> bool:
        """Choose another name for the first file; False where the configuration names the file itself."""
        before, self.path = self.path, new_path(self.settings, first=True)
        return before != self.path

    def _on_health(self, remark: str) -> None:
        """Pass on what the camera tells of its health; from any thread."""
        self._loop.call_soon_threadsafe(self._remark, remark)

    def _remark(self, remark: str) -> None:
        log.warning("%s", remark)
        if self.on_remark is not None:
            self.on_remark(remark)

    def _on_event(self, event: CameraEvent) -> None:
        """Mark the frame of an event that the camera saw, which is on its way; from any thread."""
        self._loop.call_soon_threadsafe(self._mark_event, event)

    def _mark_event(self, event: CameraEvent) -> None:
        if self.run is not None:
            mark = Mark(event.label, event.text, "camera", event.host_ns)
            self.marks.place_soon(self.run, mark, event.number)

    @property
    def preview(self) -> Preview:
        """What shows the frames."""
        return self.observers.preview

    @property
    def analysis(self) -> Analysis | None:
        """The user's analysis, None where there is none."""
        return self.observers.analysis

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
        if self.saving and self.settings.recording.pretrigger is None:
            # The first file is where the journal stands; the next ones have names of their own.
            path = self.path if self.runs == 0 else new_path(self.settings, self._next_name)
        camera = self._camera or self._make_camera(self.settings, self._on_health, self._on_event)
        self._camera = None
        self.run = run = Run(camera, self.files, self.settings, path, self._capture_names)
        self.runs += 1
        self._task = asyncio.create_task(self._follow(run))
        armed = asyncio.ensure_future(run.armed.wait())
        await asyncio.wait([self._task, armed], return_when=asyncio.FIRST_COMPLETED)
        armed.cancel()
        if run.armed.is_set():
            self._next_name = None

    async def _follow(self, run: Run) -> Summary:
        """Carry out a run, with its preview and analysis, and remember how it ended."""
        self.observers.follow(run, self.settings)
        try:
            split = self.settings.recording.split
            async with self.signals.following(run), splitting(run, split, self._next_file):
                summary = await run.run()
        except RecorderError as error:
            self._error = error
            summary = Summary.of_nothing(str(error))
        finally:
            await self.observers.leave()
        summary = replace(summary, signals=self.signals.figures)
        self._summaries.append(summary)
        self.last_summary = summary
        for tell in self.on_end:
            await tell(summary)
        return summary

    async def _next_file(self, first: int | None) -> None:
        path, number = await self.save(True, first=first)
        log.info("the recording goes on in %s, from the frame with counter %s on", path, number)

    def stop(self, reason: FinishReason = FinishReason.STOPPED, first: int | None = None) -> None:
        """Stop the camera and write all that was exposed, or what comes before counter `first`."""
        if self.run is not None and self.running:
            self.run.stop(reason, first)

    def abort(self) -> None:
        """Stop at once."""
        if self.run is not None and self.running:
            self.run.abort()

    async def stopped(self) -> Summary | None:
        """Wait until the run under way, if there is one, is over; return its summary, or the last one's."""
        if (task := self._task) is not None:
            # Meanwhile another run may begin.
            await asyncio.wait([task])
        return task.result() if task else None

    async def close(self) -> Summary:
        """Stop what runs and return the summary of all runs; a second time only the latter.

        Raises RecorderError where nothing came of it.
        """
        if not self._is_closed:
            self.stop()
            await self.stopped()
            self._is_closed = True
            self._close_unused_camera()
            self.observers.close()
            await self.files.close()
        if self._error is not None and len(self._summaries) == 1:
            raise self._error
        return self.summary()

    def summary(self) -> Summary:
        """Return the runs so far as one: sums, all files, the worst verdict."""
        return Summary.of_runs(self._summaries)

    def statistics(self) -> Statistics | None:
        """Return the figures of the run, None before the first."""
        return self.run.statistics() if self.run else None

    def current_run(self) -> Run:
        """Return the run under way; raises UsageError where there is none, or not yet."""
        if self.run is None or not self.running:
            raise UsageError("not running; start comes first")
        if self.run.state is not State.RUNNING:
            does = "the camera is being opened" if self.run.state is State.OPENING else "the run is ending"
            raise UsageError(f"{does}; wait for it")
        return self.run

    # What is done to a run.

    async def mark(
        self, label: str, text: str, source: str, host_ns: int, number: int | None = None
    ) -> PlacedMark | None:
        """Mark the frame being exposed at `host_ns`, or the one whose counter is `number`.

        Returns where the mark is, None where that is not known before the camera's own memory is read out.
        Raises CameraError where there is no frame.
        """
        return await self.marks.place(self.current_run(), Mark(label, text, source, host_ns), number)

    async def expose(self, seconds: float, first: int | None = None) -> tuple[float, FrameRef | None]:
        """Change the exposure from now on, or from counter `first` on; the next runs keep it.

        Returns what the camera made of it, and the first frame whose own metadata shows it (None: none came,
        or the camera's frames do not tell).
        """
        run = self.current_run()
        before = run.timeline.last

        def change(camera: Camera) -> float:
            return camera.set_exposure(seconds, first)

        run.extend_timeout(seconds)
        actual = await run.ask_camera(change)
        camera = self.settings.camera.model_copy(update={"exposure": actual})
        self.settings = self.settings.model_copy(update={"camera": camera})
        if run.parts is not None:
            run.parts.description = run.parts.description.exposed_for(actual)
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
        known = figures.acquisition if figures else None
        return known is None or not known.frames or not math.isnan(known.exposure_s)

    async def trigger(self) -> None:
        """Expose one frame now."""
        await self.current_run().ask_camera(lambda camera: camera.trigger())

    async def save(
        self, on: bool, name: str | None = None, first: int | None = None
    ) -> tuple[Path | None, int | None]:
        """Write frames from now on (or from counter `first` on) into a new file, or into none.

        Returns the file and the counter of its first frame, None where no run is under way.
        """
        if on and self.dry_run:
            raise UsageError("this is a dry run: no file is written")
        if self.running and self.current_run().records_inside:
            raise UsageError("the camera records into its own memory, for one file: stop, then start")
        path = new_path(self.settings, name, promised=self.promised) if on else None
        number = None
        if self.running:
            run = self.current_run()
            if path is not None:
                self.promised.add(path)
            try:
                if path is not None:
                    for tell in self.on_next_file:
                        await tell(path)
                number = await run.roll_over(self.settings, path, first)
            finally:
                self.promised.discard(path)
        else:
            self._next_name = name
        self.saving = on
        return path, number

    async def snapshot(self, path: Path | None, *, beside_file: bool = False) -> tuple[Path, int]:
        """Write the next frame as a picture; return where, and the frame's counter.

        `beside_file`: of `path` only the name counts, in the folder of the recording.
        """
        run = self.current_run()
        if path is not None:
            snapshot.check_name(path)
        if run.broadcaster is None:
            raise UsageError("not running; start comes first")
        taken = await snapshot.next_frame(run.broadcaster, SNAPSHOT_S)
        if taken is None:
            raise CameraError(f"no frame came within {SNAPSHOT_S:g} s")
        beside = (run.file.path if run.file else None) or self.path or Path("snapshot")
        if path is None or beside_file:
            path = beside.with_name(path.name if path else f"{beside.stem}_counter{taken.number}.tif")
        on_sensor_m = run.description.pixel_m if run.description else (0.0, 0.0)
        details = run.description.details if run.description else {}
        pixel_m = self.settings.pixel_on_sample(on_sensor_m)
        await self.observers.write_snapshot(taken, path, details, pixel_m)
        return path, taken.number

    def set(self, key: str, value: str) -> Settings:
        """Change a setting for the next run; raises UsageError while one is under way."""
        settings = override(self.settings, f"{key}={value}")
        if self.running:
            raise UsageError(f"{key} needs the camera armed anew: stop, set {key} {value}, start")
        camera = self._make_camera(settings, self._on_health, self._on_event)
        self._close_unused_camera()
        self._camera, self.settings = camera, settings
        return settings

    def _close_unused_camera(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def position(self) -> tuple[FrameRef | None, float]:
        """Return the last frame delivered (None: none yet), and the seconds since the run's first."""
        if self.run is None:
            return None, 0.0
        return self.run.timeline.last, self.run.ledger.elapsed_s(time.perf_counter_ns())

    def file_of(self, *frames: FrameRef | None) -> int | None:
        """Return the file that takes a row about the first of these frames that stands in one.

        About none of them: the current file's, None where no run is under way.
        """
        for frame in frames:
            if frame is not None and self.files[frame.file_index].takes_rows:
                return frame.file_index
        current = self.files.current_index
        return current if self.running and current >= 0 and not self.files[current].is_over else None

    async def add_row(self, file_index: int | None, row: Row, frame: int = -1) -> bool:
        """Append a row to a file of the session, or (None) to the next; False: the journal alone has it."""
        if file_index is None or self.run is None:
            self.files.keep(row)
            return True
        return await self.run.add_row(file_index, row, frame)
