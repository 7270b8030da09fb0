"""One run, from the opened camera to the closed file.

    IDLE ──► OPENING ──► RUNNING ──► DRAINING ──► CLOSED
                └───────────┴────────────────────────┘  a failure goes the same way, faster

Stop drains: what was exposed is read, written and marked complete. Abort and failure close the file intact
and mark why. Whatever part fails stops the others.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from recorder.camera.acquisition import CameraLink
from recorder.camera.acquisition_result import Limits, LinkOutcome
from recorder.camera.base import Camera, CameraDescription
from recorder.errors import CameraError, StorageError
from recorder.frames.channel import Channel, Outlet
from recorder.frames.ledger import Cause, Ledger
from recorder.frames.pool import WRITER, Pool
from recorder.frames.threads import on_thread
from recorder.frames.timeline import Timeline
from recorder.session import status
from recorder.session.disk_space import WATCH_S, LossTeller, is_almost_full, warn_of_little_room
from recorder.session.pending_writes import Gate
from recorder.session.status import Ending, FinishReason, State, Statistics, Summary
from recorder.session.writer import FrameFile, Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

# Makes a file for a camera and a number of frames per block.
MakeFile = Callable[[CameraDescription, int], FrameFile]

# How long a run waits at its end for a command to write its rows.
HOLD_S = 2.0

# How long an aborted run waits for a camera library or a disk that does not return; the SDK of a PCO camera
# takes 4 s to stop where no frame comes.
ABORT_GRACE_S = 8.0


class Run:
    """Record `camera` once into the file that `make_file` makes for its description and frames per block.

    `camera_timeout_s` is how long the camera may be silent; `reserve` bytes stay free on the disk.
    Everything is called from the event loop's thread.
    """

    def __init__(
        self,
        camera: Camera,
        make_file: MakeFile,
        pool_bytes: int,
        limits: Limits,
        camera_timeout_s: float,
        reserve: int,
    ) -> None:
        self.limits = limits
        self.state = State.IDLE
        self.description: CameraDescription | None = None
        self._camera, self._make_file = camera, make_file
        self._pool_bytes, self._timeout_s, self._reserve = pool_bytes, camera_timeout_s, reserve
        self._ending = Ending()
        self._link: CameraLink | None = None
        self._pool: Pool | None = None
        self._file: FrameFile | None = None
        self._writer: Writer | None = None
        self.outlet: Outlet | None = None
        self._per_block = 1
        self.timeline = Timeline()
        self.marks = 0
        # Set once the camera thread has begun.
        self.armed = asyncio.Event()
        self.ledger = Ledger()
        self._losses = LossTeller()
        # Held while the rows of a command are on their way into the file.
        self.gate = Gate()
        self._began_s = 0.0
        self._abort = asyncio.Event()
        self._drained = asyncio.Event()
        self._camera_thread = ThreadPoolExecutor(1, "camera")
        self._storage_thread = ThreadPoolExecutor(1, "storage")

    # What front ends call.

    def stop(self, reason: FinishReason = FinishReason.STOPPED, first: int | None = None) -> None:
        """Stop the camera and write all that was exposed, or what comes before counter `first`."""
        self._ending.because(reason)
        if self._link is not None:
            self._link.stop(first)

    def abort(self, reason: FinishReason = FinishReason.ABORTED, cause: Cause = Cause.OPERATOR) -> None:
        """Stop at once: what is not in the pool yet is lost to `cause`, what is gets written."""
        self._ending.cut_short(reason)
        self._abort.set()
        if self._link is not None:
            self._link.abort(cause)

    def ask_camera(self, verb: Callable[[Camera], T]) -> asyncio.Future[T]:
        """Have `verb(camera)` called on the camera thread between two frames; raises CameraError."""
        if self._link is None:
            raise CameraError("the camera is not running")
        return asyncio.wrap_future(self._link.submit(verb))

    def be_patient(self, exposure_s: float) -> None:
        """Wait for frames that are exposed for so long."""
        if self._link is not None:
            self._link.patience_s = max(self._link.patience_s, self._timeout_s + 2 * exposure_s)

    async def go_on_in(self, make_file: MakeFile, first: int | None = None) -> int:
        """Write the frames from now on, or from counter `first` on, into another file; none is lost between.

        Returns the counter of the first one. Raises UsageError or StorageError where the file cannot be made,
        CameraError where the run is over: then nothing has changed.
        """
        if self._link is None or self._writer is None or self.description is None:
            raise CameraError("the camera is not running")
        file = await on_thread(self._storage_thread, make_file, self.description, self._per_block)
        segment = self._writer.expect(file)
        try:
            return await asyncio.wrap_future(self._link.cut(first))
        except (CameraError, asyncio.CancelledError):
            await on_thread(self._storage_thread, self._writer.forget(segment).discard)
            raise

    async def add_row(self, table: str, row: tuple[Any, ...]) -> None:
        """Append a row to a table of the file being written."""
        if self._writer is not None and self.state in {State.RUNNING, State.DRAINING}:
            await self._writer.add_row(table, row)

    async def add_analysis(self, number: int, values: Mapping[str, float]) -> None:
        """Append what an analysis found of frame `number`, to the file that holds the frame."""
        found = await self.timeline.delivered(number)
        if found is not None and found.segment == self.segment:
            for name, value in values.items():
                await self.add_row("analysis", (found.index, number, name, value))

    @property
    def records_inside(self) -> bool:
        """Whether the camera fills its own memory, and frames come afterwards."""
        return self._link is not None and self._link.statistics().records_inside

    @property
    def segment(self) -> int:
        """Which of the run's files is being written, counted from 0."""
        return self._writer.segment if self._writer else 0

    @property
    def file(self) -> FrameFile | None:
        """What the frames of this moment are written to."""
        return self._writer.file if self._writer else self._file

    def statistics(self) -> Statistics:
        """Return the figures of this moment."""
        file = self.file
        return Statistics(
            state=self.state,
            elapsed_s=time.perf_counter() - self._began_s if self._began_s else 0.0,
            frames=self._writer.frames if self._writer else 0,
            lost=self.ledger.lost,
            frame_bytes=self.description.format.nbytes if self.description else 0,
            link=self._link.statistics() if self._link else None,
            pool=self._pool.statistics() if self._pool else None,
            writer=self._writer.statistics() if self._writer else None,
            mode=file.mode if file else "",
            free_bytes=file.free_bytes if file else 0,
            path=file.path if file else None,
        )

    async def run(self) -> Summary:
        """Record until a limit, a stop, an abort or a failure; the file is closed when this returns.

        Raises RecorderError only where nothing was recorded: the camera cannot be opened, the file not made.
        """
        self._become(State.OPENING)
        try:
            self.description = await on_thread(self._camera_thread, self._camera.open)
            form = self.description.format
            self._per_block = per_block = form.frames_per_block(self.description.rate)
            self._pool = await on_thread(self._storage_thread, Pool, form, per_block, self._pool_bytes)
            self._file = await on_thread(self._storage_thread, self._make_file, self.description, per_block)
            warn_of_little_room(self.limits, self.description, self._file, self._reserve)
            return await self._record(self._file, self._pool)
        finally:
            await self._close_camera()
            if self.state is not State.CLOSED:
                self._become(State.CLOSED)
            for executor in (self._camera_thread, self._storage_thread):
                executor.shutdown(wait=False)

    async def _record(self, file: FrameFile, pool: Pool) -> Summary:
        self.outlet = outlet = Outlet(asyncio.get_running_loop())
        channel = Channel(WRITER)
        outlet.connect(channel)
        # A slow camera's frames are a period apart without being late.
        patience_s = self._timeout_s + (1 / self.description.rate if self.description else 0.0)
        self._link = link = CameraLink(self._camera, pool, outlet, patience_s)
        if self._ending.reason is not None:
            link.stop()
        self._become(State.RUNNING)
        self._began_s, cpu_s = time.perf_counter(), time.process_time()

        def on_storage_failure() -> None:
            self.abort(FinishReason.STORAGE, Cause.STORAGE)

        self._writer = writer = Writer(
            file,
            channel,
            self.ledger,
            self.timeline,
            self._storage_thread,
            on_storage_failure,
            self._losses.add,
        )
        self.armed.set()
        outcome = LinkOutcome(None, Cause.CAMERA, None)
        fault: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                acquiring = group.create_task(self._acquire(link, outlet, channel))
                writing = group.create_task(writer.run())
                group.create_task(self._watch(writer, pool, link))
                outcome = await acquiring
                await writing
                self._drained.set()
        except BaseException as error:
            # Not foreseen, but the file is closed all the same before anyone hears of it.
            fault = error
            self.abort(FinishReason.FAULT, Cause.STORAGE)
            outlet.deliver()
            channel.discard()
        self.timeline.close()
        await self.gate.free(HOLD_S)
        await self._finish(writer, outcome, fault)
        self._become(State.CLOSED)
        if fault is not None:
            raise fault
        return self._summary(writer, time.perf_counter() - self._began_s, time.process_time() - cpu_s)

    async def _acquire(self, link: CameraLink, outlet: Outlet, channel: Channel) -> LinkOutcome:
        """Have the camera thread read until it is done, then let the writer finish.

        A library that does not return from an aborted run is left behind on its thread.
        """
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(self._camera_thread, link.run, self.limits)
        aborted = asyncio.ensure_future(self._abort.wait())
        either: list[asyncio.Future[Any]] = [reading, aborted]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            aborted.cancel()
            if not reading.done():
                link.abort()
                await asyncio.wait([reading], timeout=ABORT_GRACE_S)
            self._become(State.DRAINING)
            outlet.deliver()
            channel.close()
        if reading.done():
            return reading.result()
        hung = CameraError("the camera's library does not return: switch the camera off and on again")
        return LinkOutcome(None, Cause.CAMERA, hung)

    async def _watch(self, writer: Writer, pool: Pool, link: CameraLink) -> None:
        """Tell of losses, and stop in time before the disk is full."""
        while not self._drained.is_set():
            self._losses.tell_if_due()
            if link.silent_ns > (link.patience_s + ABORT_GRACE_S) * 1e9:
                # The camera thread itself looks for silence, unless the library does not return to it.
                self.abort(FinishReason.CAMERA, Cause.CAMERA)
            if self._ending.reason is None and is_almost_full(
                writer, pool, link, self._reserve, self._began_s
            ):
                self.stop(FinishReason.DISK_FULL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await self._drained.wait()

    async def _finish(self, writer: Writer, outcome: LinkOutcome, fault: BaseException | None) -> None:
        """Close the ledger and the file, whatever happened."""
        file = writer.file
        now_ns = time.perf_counter_ns()
        self._ending.error = writer.failure or outcome.error
        self._ending.because(FinishReason.CAMERA if outcome.error else FinishReason.LIMIT)
        losses = await writer.settle(now_ns)
        last_exposed, trailing = outcome.last_exposed, outcome.trailing_cause
        if fault is not None and self._link is not None:
            last_exposed, trailing = self._link.statistics().last_number, Cause.STORAGE
        trailing_losses = self.ledger.close(last_exposed, trailing, file.frames, now_ns)
        for loss in trailing_losses:
            self._losses.add(loss)
        losses += trailing_losses
        if self.ledger.restarts:
            log.warning("the camera's counter began anew %d times", self.ledger.restarts)
        self._losses.tell()
        for unused in writer.unused():
            await on_thread(self._storage_thread, unused.discard)
        if writer.frames == 0 and self.ledger.lost == 0 and self._ending.failed:
            await on_thread(self._storage_thread, file.discard)
            if self._ending.error is not None:
                raise self._ending.error
            return
        try:
            await on_thread(
                self._storage_thread, file.close, *self._ending.told(self.ledger.lost, fault), losses
            )
        except StorageError as error:
            self._ending.error = self._ending.error or error

    async def _close_camera(self) -> None:
        try:
            async with asyncio.timeout(ABORT_GRACE_S):
                await asyncio.wrap_future(self._camera_thread.submit(self._camera.close))
        except (CameraError, TimeoutError) as error:
            log.warning("the camera could not be closed: %s", error or "its library does not return")

    def _summary(self, writer: Writer, seconds: float, cpu_s: float) -> Summary:
        verdict, cause = self._ending.told(self.ledger.lost)
        form = self.description.format if self.description else None
        link = self._link.statistics() if self._link else None
        pool = self._pool.statistics() if self._pool else None
        return Summary(
            files=tuple((f.path, f.frames) for f in (*writer.closed, writer.file) if f.path),
            verdict=verdict,
            cause=cause,
            frames=writer.frames,
            lost=self.ledger.lost,
            losses=self.ledger.by_cause(),
            marks=self.marks,
            seconds=seconds,
            cpu_s=cpu_s,
            bytes=writer.frames * form.nbytes if form else 0,
            mode=writer.file.mode,
            longest_pause_s=link.longest_pause_s if link else 0.0,
            blocks=pool.blocks if pool else 0,
            lowest_free=pool.lowest_free if pool else 0,
            exit_code=status.EXIT_CODES[verdict],
            reason=self._ending.reason,
        )

    def _become(self, state: State) -> None:
        if state not in status.TRANSITIONS[self.state]:
            raise AssertionError(f"no way from {self.state} to {state}")
        self.state = state
