"""One run from the opened camera to the closed file, and what every front end calls.

    IDLE ──► OPENING ──► RUNNING ──► DRAINING ──► CLOSED
                └───────────┴────────────────────────┘  a failure goes the same way, faster

Stop drains: what was exposed is read, written and marked complete. Abort and failure close the file intact
and mark why. Whatever part fails stops the others.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recorder.camera.base import Camera, CameraDescription
from recorder.camera.link import CameraLink, Limits, LinkOutcome
from recorder.errors import CameraError, RecorderError, StorageError
from recorder.frames.channel import Channel, Outlet
from recorder.frames.ledger import Cause, Ledger, Loss
from recorder.frames.pool import Pool
from recorder.frames.threads import on_thread
from recorder.status import FinishReason, State, Statistics, Summary
from recorder.storage.writer import FrameFile, Writer

log = logging.getLogger(__name__)


TRANSITIONS = {
    State.IDLE: {State.OPENING},
    State.OPENING: {State.RUNNING, State.CLOSED},
    State.RUNNING: {State.DRAINING, State.CLOSED},
    State.DRAINING: {State.CLOSED},
    State.CLOSED: set[State](),
}


# How often the monitor looks at the room on the disk, and how often at most it tells of losses.
MONITOR_S = 0.1
TELL_LOSSES_S = 1.0

# How long an aborted run waits for a camera library or a disk that does not return.
ABORT_GRACE_S = 3.0


class Session:
    """Record `camera` once into the file that `make_file` makes for its description and frames per block.

    `camera_timeout_s` is how long the camera may be silent; `reserve` bytes stay free on the disk.
    Everything is called from the event loop's thread.
    """

    def __init__(
        self,
        camera: Camera,
        make_file: Callable[[CameraDescription, int], FrameFile],
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
        self._reason: FinishReason | None = None
        self._error: RecorderError | None = None
        self._link: CameraLink | None = None
        self._pool: Pool | None = None
        self._file: FrameFile | None = None
        self._ledger = Ledger()
        self._untold: list[Loss] = []
        self._began_s = 0.0
        self._abort = asyncio.Event()
        self._drained = asyncio.Event()
        self._camera_thread = ThreadPoolExecutor(1, "camera")
        self._storage_thread = ThreadPoolExecutor(1, "storage")

    # What front ends call.

    def stop(self, reason: FinishReason = FinishReason.STOPPED) -> None:
        """Stop the camera and write all that was exposed; a second call changes nothing."""
        if self._reason is None:
            self._reason = reason
        if self._link is not None:
            self._link.stop()

    def abort(self, reason: FinishReason = FinishReason.ABORTED) -> None:
        """Stop at once: what is not in the pool yet is lost, what is gets written."""
        if self._reason in {None, FinishReason.INTERRUPTED, FinishReason.STOPPED}:
            self._reason = reason
        self._abort.set()
        if self._link is not None:
            self._link.abort()

    def statistics(self) -> Statistics:
        """Return the figures of this moment."""
        return Statistics(
            state=self.state,
            elapsed_s=time.monotonic() - self._began_s if self._began_s else 0.0,
            frames=self._file.frames if self._file else 0,
            lost=self._ledger.lost,
            frame_bytes=self.description.format.nbytes if self.description else 0,
            link=self._link.statistics() if self._link else None,
            pool=self._pool.statistics() if self._pool else None,
            mode=self._file.mode if self._file else "",
            free_bytes=self._file.free_bytes if self._file else 0,
        )

    async def run(self) -> Summary:
        """Record until a limit, a stop, an abort or a failure; the file is closed when this returns.

        Raises RecorderError only where nothing was recorded: the camera cannot be opened, the file not made.
        """
        self._become(State.OPENING)
        try:
            self.description = await on_thread(self._camera_thread, self._camera.open)
            form = self.description.format
            per_block = form.frames_per_block(self.description.rate)
            self._pool = await on_thread(self._storage_thread, Pool, form, per_block, self._pool_bytes)
            self._file = await on_thread(self._storage_thread, self._make_file, self.description, per_block)
            self._look_ahead(self._file, self.description)
            return await self._record(self._file, self._pool)
        finally:
            await self._close_camera()
            if self.state is not State.CLOSED:
                self._become(State.CLOSED)
            for executor in (self._camera_thread, self._storage_thread):
                executor.shutdown(wait=False)

    def _look_ahead(self, file: FrameFile, description: CameraDescription) -> None:
        """Warn before the first frame where the disk has less room than the run will want."""
        frames = self.limits.frames
        if frames is None and self.limits.duration_s is not None and not math.isinf(description.rate):
            frames = round(self.limits.duration_s * description.rate)
        wanted = (frames or 0) * description.format.nbytes
        room = file.free_bytes - self._reserve
        if file.path is not None and wanted > room:
            log.warning(
                "this run wants %.1f GB, the disk has %.1f GB: it will stop after about %d frames",
                wanted / 1e9,
                room / 1e9,
                room // description.format.nbytes,
            )

    # The run itself.

    async def _record(self, file: FrameFile, pool: Pool) -> Summary:
        outlet = Outlet(asyncio.get_running_loop())
        channel = Channel("writer")
        outlet.connect(channel)
        self._link = link = CameraLink(self._camera, pool, outlet, self._timeout_s)
        if self._reason is not None:
            link.stop()
        self._become(State.RUNNING)
        self._began_s, cpu_s = time.monotonic(), time.process_time()

        def on_storage_failure() -> None:
            self.abort(FinishReason.STORAGE)

        writer = Writer(
            file, channel, self._ledger, self._storage_thread, on_storage_failure, self._untold.append
        )
        outcome = LinkOutcome(None, Cause.CAMERA, None)
        fault: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                acquiring = group.create_task(self._acquire(link, outlet, channel))
                writing = group.create_task(writer.run())
                group.create_task(self._monitor(file, pool, link))
                outcome = await acquiring
                await writing
                self._drained.set()
        except BaseException as error:
            # Not foreseen, but the file is closed all the same before anyone hears of it.
            fault = error
            self.abort(FinishReason.FAULT)
            outlet.deliver()
            channel.discard()
        await self._finish(file, writer, outcome, fault)
        self._become(State.CLOSED)
        if fault is not None:
            raise fault
        return self._summary(file, time.monotonic() - self._began_s, time.process_time() - cpu_s)

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

    async def _monitor(self, file: FrameFile, pool: Pool, link: CameraLink) -> None:
        """Tell of losses, and stop in time before the disk is full."""
        frame_bytes = pool.format.nbytes
        told_s = -TELL_LOSSES_S
        while not self._drained.is_set():
            now_s = time.monotonic()
            if self._untold and now_s - told_s >= TELL_LOSSES_S:
                self._tell_losses()
                told_s = now_s
            figures = pool.statistics()
            flow = link.statistics().frames * frame_bytes / max(now_s - self._began_s, MONITOR_S)
            # What is on its way to the disk, and what will come until the camera has stopped.
            coming = (figures.blocks - figures.free) * pool.block_bytes + 2 * MONITOR_S * flow
            if 0 < file.free_bytes < self._reserve + coming and self._reason is None:
                self.stop(FinishReason.DISK_FULL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MONITOR_S):
                    await self._drained.wait()

    def _tell_losses(self) -> None:
        """Say in a line what was lost since the last one."""
        first, last = self._untold[0], self._untold[-1]
        count = sum(loss.count for loss in self._untold)
        log.warning(
            "lost %d frame%s in %d place%s, camera counter %d to %d: %s",
            count,
            "s" * (count > 1),
            len(self._untold),
            "s" * (len(self._untold) > 1),
            first.first_missing,
            last.first_missing + last.count - 1,
            ", ".join(sorted({loss.cause.name.lower() for loss in self._untold})),
        )
        self._untold.clear()

    async def _finish(
        self, file: FrameFile, writer: Writer, outcome: LinkOutcome, fault: BaseException | None
    ) -> None:
        """Close the ledger and the file, whatever happened."""
        now_ns = time.monotonic_ns()
        self._error = writer.failure or outcome.error
        if outcome.error is not None and self._reason is None:
            self._reason = FinishReason.CAMERA
        if self._reason is None:
            self._reason = FinishReason.LIMIT
        losses = self._ledger.abandon(writer.unwritten(), file.frames, now_ns)
        losses += self._ledger.close(outcome.last_exposed, outcome.trailing_cause, file.frames, now_ns)
        self._untold += losses
        if self._untold:
            self._tell_losses()
        if file.frames == 0 and self._ledger.lost == 0 and self._failed:
            await on_thread(self._storage_thread, file.discard)
            if self._error is not None:
                raise self._error
            return
        try:
            await on_thread(self._storage_thread, file.close, self._verdict(), self._cause(fault), losses)
        except StorageError as error:
            self._error = self._error or error
            self._reason = FinishReason.STORAGE

    async def _close_camera(self) -> None:
        try:
            async with asyncio.timeout(ABORT_GRACE_S):
                await asyncio.wrap_future(self._camera_thread.submit(self._camera.close))
        except (CameraError, TimeoutError) as error:
            log.warning("the camera could not be closed: %s", error or "its library does not return")

    # How it ended.

    @property
    def _failed(self) -> bool:
        return self._error is not None or self._reason in {
            FinishReason.DISK_FULL,
            FinishReason.CAMERA,
            FinishReason.STORAGE,
            FinishReason.FAULT,
        }

    def _verdict(self) -> str:
        if self._failed:
            return "failed"
        if self._reason in {FinishReason.INTERRUPTED, FinishReason.ABORTED}:
            return "interrupted"
        return "frames lost" if self._ledger.lost else "complete"

    def _cause(self, fault: BaseException | None) -> str:
        """Say in a sentence why the run ended."""
        if self._error is not None:
            return str(self._error)
        if fault is not None:
            return f"internal error: {fault!r}"
        return self._reason.value if self._reason else ""

    def _summary(self, file: FrameFile, seconds: float, cpu_s: float) -> Summary:
        verdict = self._verdict()
        form = self.description.format if self.description else None
        link = self._link.statistics() if self._link else None
        pool = self._pool.statistics() if self._pool else None
        return Summary(
            file=file.path,
            verdict=verdict,
            cause=self._cause(None),
            frames=file.frames,
            lost=self._ledger.lost,
            losses=self._ledger.by_cause(),
            marks=0,
            seconds=seconds,
            cpu_s=cpu_s,
            bytes=file.frames * form.nbytes if form else 0,
            mode=file.mode,
            longest_pause_s=link.longest_pause_s if link else 0.0,
            blocks=pool.blocks if pool else 0,
            lowest_free=pool.lowest_free if pool else 0,
            exit_code={"complete": 0, "failed": 1, "frames lost": 3, "interrupted": 130}[verdict],
        )

    def _become(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"no way from {self.state} to {state}")
        self.state = state
