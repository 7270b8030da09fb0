"""One run, from the opened camera to the closed file.

    IDLE ──► OPENING ──► RUNNING ──► DRAINING ──► CLOSED
                └───────────┴────────────────────────┘  a failure goes the same way, faster

Stop drains: what was exposed is read, written and marked complete. Abort and failure close the file intact
and mark why. Whatever part fails stops the others.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from recorder.camera.acquisition_result import AcquisitionResult, StopCondition
from recorder.camera.base import Camera, CameraDescription
from recorder.errors import CameraError, CameraNotRunningError, StorageError
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import Channel, SpanQueue
from recorder.frames.ledger import Cause, Ledger
from recorder.frames.pool import Pool
from recorder.frames.threads import on_thread
from recorder.frames.timeline import FrameRef, Timeline
from recorder.session import run_parts, status
from recorder.session.capture_window import CapturePlan
from recorder.session.captures import Captures, NextCapture, no_captures
from recorder.session.compressors import PackingChannel
from recorder.session.disk_space import warn_of_little_room
from recorder.session.file_sequence import FileSequence
from recorder.session.loss_logger import LossLogger
from recorder.session.pretrigger_memory import ring_blocks
from recorder.session.pretrigger_ring import PretriggerRing
from recorder.session.run_parts import RunParts
from recorder.session.run_summary import summary_of
from recorder.session.run_watch import RunWatch, unanswered
from recorder.session.status import FinishReason, RunOutcome, State, Statistics, Summary
from recorder.session.writer import Writer
from recorder.settings.model import Settings
from recorder.storage.frame_file import FrameFile
from recorder.storage.records import AnalysisRow, MarkRow, Row

log = logging.getLogger(__name__)

T = TypeVar("T")


class Run:
    """Record `camera` once, as `settings` say, into files of `files`, the first of them at `path`.

    `next_capture` names those of frames around triggers. Everything is called from the event loop's thread.
    """

    def __init__(
        self,
        camera: Camera,
        files: FileSequence,
        settings: Settings,
        path: Path | None,
        next_capture: NextCapture = no_captures,
    ) -> None:
        self.until = StopCondition(settings.recording.frames, settings.recording.duration)
        self.state = State.IDLE
        self.files = files
        self.parts: RunParts | None = None
        self.timeline = Timeline()
        self.ledger = Ledger()
        self.marks = 0
        self.captures: Captures | None = None
        # Set once the camera thread has begun.
        self.armed = asyncio.Event()
        self._camera, self._settings, self._path = camera, settings, path
        self._next_capture = next_capture
        # Those of the session's files that are this run's.
        self._indices: list[int] = []
        self._outcome = RunOutcome()
        self._losses = LossLogger()
        self._began_s = 0.0
        self._channel: Channel | PackingChannel | None = None
        self._abort, self._drained = asyncio.Event(), asyncio.Event()
        self._camera_thread = ThreadPoolExecutor(1, "camera")

    # What front ends call.

    def stop(self, reason: FinishReason = FinishReason.STOPPED, first: int | None = None) -> None:
        """Stop the camera and write all that was exposed, or what comes before counter `first`."""
        self._outcome.set_reason(reason)
        if self.parts is not None:
            self.parts.acquisition.stop(first)
        else:
            self._camera.interrupt()

    def abort(self, reason: FinishReason = FinishReason.ABORTED, cause: Cause = Cause.ABORTED) -> None:
        """Stop at once: what is not in the pool yet is lost to `cause`, what is gets written."""
        self._outcome.override_reason(reason)
        self._abort.set()
        if self.parts is not None:
            self.parts.acquisition.abort(cause)
        else:
            self._camera.interrupt()

    def ask_camera(self, command: Callable[[Camera], T]) -> asyncio.Future[T]:
        """Have `command(camera)` called on the camera thread between two frames; raises CameraError."""
        return asyncio.wrap_future(self._running().acquisition.submit(command))

    def _running(self) -> RunParts:
        if self.parts is None:
            raise CameraNotRunningError("the camera is not running")
        return self.parts

    def extend_timeout(self, exposure_s: float) -> None:
        """Wait for frames that are exposed for so long."""
        if self.parts is not None:
            acquisition = self.parts.acquisition
            longest_s = self._settings.camera.timeout_s + 2 * exposure_s
            acquisition.timeout_s = max(acquisition.timeout_s, longest_s)

    async def roll_over(self, settings: Settings, path: Path | None, first: int | None = None) -> int:
        """Write the frames from now on, or from counter `first` on, into another file; none is lost between.

        Returns the counter of the first one. Raises UsageError or StorageError where the file cannot be made,
        CameraError where the run is over: then nothing has changed.
        """
        parts = self._running()
        index = await self.files.prepare(settings, path, parts.description, parts.frames_per_block)
        self._indices.append(index)
        try:
            return await asyncio.wrap_future(parts.acquisition.roll_over(index, first))
        except CameraError:
            # One who stops waiting leaves the rollover to happen, or the file to be removed at the end.
            self._indices.remove(index)
            await self.files.withdraw(index)
            raise

    async def add_row(self, file_index: int, row: Row, frame: int = -1) -> bool:
        """Append a row to the file that holds its frame; False where none does, or it cannot be written.

        A current file that cannot be written ends the run. Captures take rows about their own frames.
        """
        try:
            if self.captures is not None and isinstance(row, MarkRow | AnalysisRow):
                return await self.captures.add_row(row)
            return await self.files.add_row(file_index, row, frame)
        except StorageError as error:
            if file_index == self.files.current_index and self.parts is not None:
                self.parts.writer.fail(error)
            else:
                self._note_problem(error)
            return False

    async def add_analysis(self, number: int, values: Mapping[str, float]) -> None:
        """Append what an analysis found of frame `number`, to the file that holds the frame."""
        with self.files.pending.held():
            found: FrameRef | None = await self.timeline.delivered(number)
            if found is not None:
                for name, value in values.items():
                    row = AnalysisRow(found.index, number, name, value)
                    await self.add_row(found.file_index, row, found.index)

    @property
    def description(self) -> CameraDescription | None:
        """What the camera is and delivers, None before it is open."""
        return self.parts.description if self.parts else None

    @property
    def broadcaster(self) -> Broadcaster | None:
        """Where frames can be had, None before the camera is open."""
        return self.parts.broadcaster if self.parts else None

    @property
    def records_inside(self) -> bool:
        """Whether the camera fills its own memory, and frames come afterwards."""
        return self.parts is not None and self.parts.acquisition.statistics().records_inside

    @property
    def file(self) -> FrameFile | None:
        """What the frames of this moment are written to, or were at last."""
        if self.parts is None:
            return None
        current = self.files.current_index
        return self.files[current if current in self._indices else self._indices[-1]].file

    def statistics(self) -> Statistics:
        """Return the figures of this moment."""
        file, parts, counts = self.file, self.parts, self.files.counts(self._indices)
        return Statistics(
            state=self.state,
            elapsed_s=time.perf_counter() - self._began_s if self._began_s else 0.0,
            frames=counts.saved,
            unsaved=counts.unsaved + (self.captures.unsaved if self.captures else 0),
            lost=self.ledger.lost,
            frame_bytes=parts.description.format.nbytes if parts else 0,
            acquisition=parts.acquisition.statistics() if parts else None,
            pool=parts.pool.statistics() if parts else None,
            writer=parts.writer.statistics() if parts else None,
            mode=file.mode if file else "",
            free_bytes=file.free_bytes if file else 0,
            path=file.path if file else None,
            durable=counts.durable,
            packing=counts.packing,
            unanswered=unanswered(self.files, parts.acquisition) if parts else "",
            captures=self.captures.figures if self.captures else None,
        )

    # Its course.

    async def run(self) -> Summary:
        """Record until a limit, a stop, an abort or a failure; the files are closed when this returns.

        Raises RecorderError only where nothing was recorded: the camera cannot be opened, the file not made.
        """
        self._become(State.OPENING)
        self.files.on_problem = self._note_problem
        try:
            description = await on_thread(self._camera_thread, self._camera.open)
            per_block = description.format.frames_per_block(description.rate)
            ring = ring_blocks(self._settings, description, per_block)
            # The run before, and its pool, are held by references in a circle: their memory comes back first.
            gc.collect()
            size = per_block, self._settings.pool.memory
            pool = await on_thread(self._camera_thread, Pool, description.format, *size)
            await self._make_first_file(description, per_block)
            self._channel = RunParts.channel(self._settings.storage, self.files, pool.block_bytes)
            intake: SpanQueue = self._channel
            if ring is not None:
                self.captures = self._make_captures(ring, description, pool, self._channel)
                intake = self.captures.ring
            books = self.files, self.ledger, self.timeline
            told = self._on_disk_failure, self._losses.add
            writer = Writer(*books, *told, self._channel, notes_frames=self.captures is None)
            made = description, pool, per_block, writer, intake
            self.parts = RunParts.of(self._camera, *made, self._settings.camera.timeout_s)
            return await self._record(self.parts)
        finally:
            if self._channel is not None:
                self._channel.end()
            await run_parts.close_camera(self._camera_thread, self._camera)
            if self.state is not State.CLOSED:
                self._become(State.CLOSED)
            self._camera_thread.shutdown(wait=False)

    def _make_captures(self, most: int, camera: CameraDescription, pool: Pool, to: SpanQueue) -> Captures:
        """Have frames wait for triggers, in blocks of the pool, before they come to the writer's channel."""
        plan = CapturePlan.of(self._settings.recording, camera.rate)
        ring = PretriggerRing(to, plan, most, pool, self.files, self.timeline, self.ledger)
        naming = self._settings.recording.captures, camera, self._next_capture, self._indices
        told = self._note_problem, self._losses.add, partial(self.stop, FinishReason.LIMIT)
        return Captures(ring, *naming, *told)

    async def _make_first_file(self, description: CameraDescription, per_block: int) -> None:
        index = await self.files.prepare(self._settings, self._path, description, per_block)
        self._indices.append(index)
        reserve = self._settings.storage.reserve
        warn_of_little_room(self.until, description, self.files[index].file, reserve)
        try:
            await self.files.switch_to(index)
        except StorageError:
            await self.files.withdraw(index)
            raise

    async def _record(self, parts: RunParts) -> Summary:
        if self._outcome.reason is not None:
            parts.acquisition.stop()
        self._become(State.RUNNING)
        self._began_s, cpu_s = time.perf_counter(), time.process_time()
        self.armed.set()
        result = AcquisitionResult(None, Cause.COUNTER_GAP, None)
        fault: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                acquiring = group.create_task(self._acquire(parts))
                writing = group.create_task(parts.writer.run())
                watch = RunWatch(self, parts, self._losses, self._settings.storage.reserve)
                group.create_task(watch.watch(self._drained))
                result = await acquiring
                await writing
                self._drained.set()
        except BaseException as error:
            # Not foreseen, but the file is closed all the same before anyone hears of it.
            fault = error
            self.abort(FinishReason.FAULT, Cause.STORAGE)
            parts.broadcaster.deliver()
            parts.intake.discard()
        self.timeline.close()
        await self._finish(parts, result, fault)
        self._become(State.CLOSED)
        if fault is not None:
            raise fault
        entries, cpu_s = [self.files[index] for index in self._indices], time.process_time() - cpu_s
        return summary_of(self.statistics(), self._outcome, self.ledger, entries, self.marks, cpu_s)

    async def _acquire(self, parts: RunParts) -> AcquisitionResult:
        """Have the camera thread read until it is done, then let the writer finish."""
        try:
            return await parts.acquire(self._camera_thread, self.until, self._abort)
        finally:
            self._become(State.DRAINING)
            parts.end_of_frames()

    def _on_disk_failure(self) -> None:
        self.abort(FinishReason.STORAGE, Cause.STORAGE)

    def _note_problem(self, error: StorageError) -> None:
        """Say at once what went wrong with a file whose frames are complete; the run ends as failed."""
        log.error("%s; the recording goes on", error)
        self._outcome.trouble = self._outcome.trouble or error

    async def _finish(self, parts: RunParts, result: AcquisitionResult, fault: BaseException | None) -> None:
        """Close the ledger and the file, whatever happened."""
        now_ns = time.perf_counter_ns()
        self._outcome.error = parts.writer.failure or result.error or self._outcome.error
        self._outcome.set_reason(FinishReason.CAMERA if result.error else FinishReason.LIMIT)
        if self.captures is not None:
            self._outcome.lacks = await self.captures.settle()
        losses = await parts.writer.settle(now_ns)
        self._outcome.error = self._outcome.error or parts.writer.failure
        last_exposed, trailing = result.last_exposed, result.trailing_cause
        if fault is not None:
            last_exposed, trailing = parts.acquisition.statistics().last_number, Cause.STORAGE
        last_exposed = self.captures.ring.asked_by(last_exposed) if self.captures else last_exposed
        file = self.files.current.file
        trailing_losses = self.ledger.close(last_exposed, trailing, file.frames, now_ns)
        for loss in trailing_losses:
            self._losses.add(loss)
        losses += trailing_losses
        if self.ledger.restarts:
            log.warning("the camera's counter began anew %d times", self.ledger.restarts)
        self._losses.log()
        exposed = parts.acquisition.statistics().frames + self.ledger.lost
        self._outcome.compare_triggers(self._settings, exposed)
        await self.files.discard_unused()
        if self.files.counts(self._indices).all + self.ledger.lost == 0 and self._outcome.failed:
            await self.files.withdraw(self.files.current_index)
            if self._outcome.error is not None:
                raise self._outcome.error
            return
        try:
            await self.files.finish(*self._outcome.verdict(self.ledger.lost, fault), losses)
        except StorageError as error:
            self._outcome.error = self._outcome.error or error
        self._outcome.error = self._outcome.error or parts.writer.failure

    def _become(self, state: State) -> None:
        if state not in status.TRANSITIONS[self.state]:
            raise AssertionError(f"no way from {self.state} to {state}")
        self.state = state
