"""The work of the camera thread: read frames into blocks, and carry out commands between two frames.

session ──submit(command)──► mailbox ─┐
                                      ▼
pool.take ─► read_into(slot) ─► row of metadata ─► (block full, or 0.08 s old) ─► broadcaster
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from recorder.camera.acquisition_result import AcquisitionResult, AcquisitionStatistics, StopCondition
from recorder.camera.base import (
    Camera,
    CameraRestartedError,
    EndOfSourceError,
    FrameInfo,
    StillRecordingError,
)
from recorder.camera.block_filler import BlockFiller, SpanReceiver
from recorder.camera.duration_limit import DurationLimit
from recorder.camera.mailbox import Mailbox
from recorder.errors import CameraError, CameraNotRunningError, CameraTimeoutError
from recorder.frames.ledger import Cause
from recorder.frames.pool import WRITER, Block, BlockLease, Pool

T = TypeVar("T")

log = logging.getLogger(__name__)

# Longest wait in the camera: how long a command, a stop or a span that is due may be delayed.
SLICE_S = 0.02

# How long frames exposed before the camera was stopped may take to come.
DRAIN_NS = 1_000_000_000


class AcquisitionThread:
    """Read `camera` for one run, on the thread that calls `run`; all else may be called from any thread.

    Only `run` blocks. `timeout_s` is how long no frame may come; `clock` gives host monotonic ns. The first
    frames belong to file `file_index` of the session.
    """

    def __init__(
        self,
        camera: Camera,
        pool: Pool,
        broadcaster: SpanReceiver,
        timeout_s: float,
        file_index: int = 0,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._camera, self._pool, self._broadcaster = camera, pool, broadcaster
        # How long no frame may come; a longer exposure extends it.
        self.timeout_s = timeout_s
        self._clock = clock
        self._mailbox = Mailbox()
        self._stopping = threading.Event()
        self._aborting = threading.Event()
        self._frames = 0
        self._last: FrameInfo | None = None
        self._last_return_ns = 0
        self._silent_since_ns = 0
        self._longest_pause_ns = 0
        self._unread_ns = 0  # the longest since the camera's FIFO was empty
        self._inside: StillRecordingError | None = None
        self._halted = False
        self._halted_ns = 0
        self._duration_limit = DurationLimit(None)
        self._last_exposed: int | None = None
        self._file_index = file_index
        self._rollovers: deque[tuple[int, int | None, Future[int]]] = deque()
        self._end: int | None = None
        self._trailing: Cause | None = None
        # Why no block was free when this thread last waited for one: the cause of an overflow since then.
        self._starved_by: Cause | None = None
        self._caught_up = False

    def submit(self, command: Callable[[Camera], T]) -> Future[T]:
        """Have `command(camera)` called on the camera thread between two frames.

        The future gets its result, or a CameraError, also where the run is over.
        """
        return self._mailbox.submit(command)

    def roll_over(self, file_index: int, first: int | None = None) -> Future[int]:
        """Have frames belong to file `file_index` from the next one read on, or from counter `first` on.

        Requests are carried out in their order. The future gets the counter of the first of the frames, or a
        CameraError where the run is over before; it cannot be cancelled.
        """
        future: Future[int] = Future()
        # It cannot be cancelled any more: the camera thread sets its result in any case.
        future.set_running_or_notify_cancel()

        def note(_: Camera) -> None:
            self._rollovers.append((file_index, first, future))

        self.submit(note).add_done_callback(lambda noted: _pass_on_error(noted, future))
        return future

    def stop(self, first: int | None = None) -> None:
        """Have the run end: stop exposing, and read the frames that were exposed by then.

        With `first` the run ends before the frame of that counter; the camera exposes until it is read.
        """
        if first is None:
            self._stopping.set()
        else:
            self._end = first

    def abort(self, cause: Cause = Cause.ABORTED) -> None:
        """Have the run end at once; frames that the camera still holds are lost to `cause`."""
        self._trailing = cause
        self._aborting.set()
        self._stopping.set()

    @property
    def silent_ns(self) -> int:
        """Time in ns since the camera or a wait for a block last returned; 0 where nobody is waiting."""
        since_ns = self._last_return_ns
        return self._clock() - since_ns if since_ns else 0

    def statistics(self) -> AcquisitionStatistics:
        """Return the current statistics; exposure and temperature are NaN before the first frame."""
        last = self._last or FrameInfo(0, 0, float("nan"), float("nan"), 0, overflowed=False)
        inside = self._inside
        # While the camera's memory is read out: the frames left in it.
        left = last.backlog if self._frames else inside.images if inside else 0
        return AcquisitionStatistics(
            frames=self._frames,
            last_number=last.number,
            exposure_s=last.exposure_s,
            temperature_c=last.temperature_c,
            backlog=last.backlog,
            longest_pause_s=self._longest_pause_ns * 1e-9,
            in_camera=left if inside else None,
            wanted_in_camera=inside.wanted if inside else 0,
            waits_for=inside.waits_for if inside and not self._frames else "",
        )

    def run(self, until: StopCondition) -> AcquisitionResult:
        """Arm the camera, read frames until a limit, a stop or an error, and disarm it; once.

        Blocks, on the camera thread. Any exception of the camera is in the result, as a CameraError; all
        frames that were read have been published by then.
        """
        error = self._attempt(lambda: self._read(until))
        if self._aborting.is_set() or error is not None:
            halting = self._attempt(self._halt)
            error = error or halting
        disarming = self._attempt(self._camera.disarm)
        error = error or disarming
        self._last_return_ns = 0
        self._mailbox.close()
        self._refuse_rollovers()
        if (self._aborting.is_set() or error is not None) and self._last is not None:
            # The frames that waited when the last one was read were exposed.
            known = self._last.number + self._last.backlog
            if until.frames is not None:
                known = min(known, self._last.number + until.frames - self._frames)
            self._last_exposed = max(self._last_exposed or 0, known)
        cause = self._trailing or self._starved_by or (Cause.COUNTER_GAP if error else Cause.CAMERA_OVERFLOW)
        return AcquisitionResult(self._last_exposed, cause, error)

    @staticmethod
    def _attempt(step: Callable[[], None]) -> CameraError | None:
        """Carry out a step; return its error, a CameraError whatever exception the library raised."""
        try:
            step()
        except CameraError as error:
            return error
        except Exception as error:
            log.exception("the camera's library failed in a way not foreseen")
            return CameraError(f"the camera's library failed: {error!r}")
        return None

    def _read(self, until: StopCondition) -> None:
        """Fill block after block until the run is over."""
        self._duration_limit = DurationLimit(until.duration_s)
        self._camera.arm()
        self._last_return_ns = self._silent_since_ns = self._clock()
        while (lease := self._take()) is not None:
            # The thread's own lease keeps the block out of the pool while spans of it come and go.
            with lease:
                if not self._fill(lease.block, until):
                    return

    def _fill(self, block: Block, until: StopCondition) -> bool:  # noqa: C901, PLR0912 - the whole loop
        """Read into the block until it is full (True) or the run is over (False)."""
        self._carry_out_rollovers()
        filler = BlockFiller(block, self._broadcaster, self._file_index)
        room = len(block.slots)
        if until.frames is not None:
            room = min(room, until.frames - self._frames)
        try:
            while filler.filled < room:
                if self._mailbox:
                    self._mailbox.serve(self._camera)
                if self._rollovers and self._is_due(self._rollovers[0][1]):
                    # The next frames belong to another file, and a block never holds frames of two.
                    break
                if self._stopping.is_set():
                    if self._aborting.is_set():
                        return False
                    self._halt()
                try:
                    info = self._next(block, filler.filled)
                except StillRecordingError as inside:
                    self._inside, self._silent_since_ns = inside, self._last_return_ns
                except CameraRestartedError:
                    self._silent_since_ns = self._last_return_ns
                except CameraTimeoutError:
                    if self._has_waited_enough():
                        return False
                except EndOfSourceError as end:
                    self._last_exposed = end.last_exposed
                    return False
                else:
                    if self._is_over(info):
                        return False
                    filler.add(self._last_return_ns)
                    self._frames += 1
                filler.flush_if_due(self._last_return_ns)
        finally:
            filler.flush()
        if self._frames == until.frames:
            # Frames exposed after these do not belong to the run.
            self._last_exposed = None
            return False
        return True

    def _halt(self) -> None:
        """Stop exposing, once; frames in the FIFO belong to the run and are still read."""
        if not self._halted:
            self._halted = True
            self._halted_ns = self._clock()
            self._last_exposed = self._camera.halt()

    def _has_waited_enough(self) -> bool:
        """Return whether the run is over, after no frame came; raises CameraTimeoutError if that lasts."""
        now_ns = self._last_return_ns
        if self._halted:
            complete = self._last_exposed is None or self._last_exposed <= (
                self._last.number if self._last else 0
            )
            return complete or now_ns - max(self._halted_ns, self._silent_since_ns) > DRAIN_NS
        if self._duration_limit.is_past(now_ns - DRAIN_NS // 10):
            # Frames of the run that have not come wait in the camera, or are lost.
            self._halt()
            expected = self._duration_limit.last_number()
            if self._last_exposed is not None and expected is not None:
                self._last_exposed = min(self._last_exposed, expected)
            return self._has_waited_enough()
        if now_ns - self._silent_since_ns > self.timeout_s * 1e9:
            seen = f"after the frame with counter {self._last.number}" if self._last else "since it was armed"
            raise CameraTimeoutError(
                f"no frame for {self.timeout_s:.2g} s {seen}: check trigger, cable and power; "
                "camera.timeout sets how long to wait"
            )
        return False

    def _next(self, block: Block, index: int) -> FrameInfo:
        """Read one frame into slot `index` of the block and note its metadata."""
        called_ns = self._clock()
        pause_ns = called_ns - self._last_return_ns
        self._longest_pause_ns = max(self._longest_pause_ns, pause_ns)
        try:
            info = self._camera.read_into(block.slots[index], SLICE_S)
        finally:
            self._last_return_ns = now = self._clock()
        # Where frames have gathered, this one was late: held up here, or by the camera's library.
        late_ns = now - self._silent_since_ns if info.backlog else pause_ns
        unread_ns = max(self._unread_ns, late_ns)
        self._unread_ns = late_ns if self._caught_up else unread_ns
        cause: Cause | None = None
        if self._last is not None and info.number != self._last.number + 1:
            cause = (self._starved_by or Cause.CAMERA_OVERFLOW) if info.overflowed else Cause.COUNTER_GAP
        if self._caught_up:
            # An earlier wait for a block is not the cause of losses after this frame.
            self._starved_by = None
        # There may be a gap after the last frame in the FIFO, so the cause is cleared one frame later.
        self._caught_up = info.backlog == 0
        host_ns = now if info.host_time_ns is None else info.host_time_ns
        # In the order of frames.metadata.FIELDS: one assignment costs a third of one for each name.
        block.metadata[index] = (
            *(info.number, info.camera_time_ns, host_ns, info.exposure_s, info.temperature_c),
            *(cause.code if cause else 0, unread_ns if cause else 0),
        )
        self._last = info
        self._silent_since_ns = now
        return info

    def _is_over(self, info: FrameInfo) -> bool:
        """Return whether this frame is past the end of the run; note which frames are missing before it."""
        if self._end is not None and info.number >= self._end:
            self._last_exposed = None
            return True
        if self._duration_limit.holds(info, self._last_return_ns):
            return False
        self._last_exposed = self._duration_limit.last_number(info)
        self._trailing = Cause.CAMERA_OVERFLOW if info.overflowed else None
        return True

    def _take(self) -> BlockLease | None:
        """Wait for a free block, carrying out commands meanwhile; None where the run is aborted."""
        lease = self._pool.take("camera", 0)
        again = False
        while lease is None:
            began_ns = self._clock()
            holder = self._pool.largest_holder()
            self._starved_by = Cause.STORAGE if holder == WRITER else Cause.BUFFER_EXHAUSTED
            self._caught_up = False
            lease = self._pool.take("camera", SLICE_S)
            self._pool.count_wait((self._clock() - began_ns) * 1e-9, again=again)
            again = True
            self._last_return_ns = self._clock()
            self._mailbox.serve(self._camera)
            if self._aborting.is_set():
                return None
            if self._stopping.is_set():
                self._halt()
        return lease

    def _is_due(self, first: int | None) -> bool:
        """Return whether the next frame is the one whose counter is `first`, or a later one."""
        return first is None or first <= (self._last.number if self._last else 0) + 1

    def _carry_out_rollovers(self) -> None:
        """Have the next frames belong to the file of the last rollover that is due."""
        while self._rollovers and self._is_due(self._rollovers[0][1]):
            self._file_index, _, future = self._rollovers.popleft()
            future.set_result((self._last.number if self._last else 0) + 1)

    def _refuse_rollovers(self) -> None:
        for _, _, future in self._rollovers:
            future.set_exception(CameraNotRunningError("the camera is not running"))
        self._rollovers.clear()


def _pass_on_error(noted: Future[None], future: Future[int]) -> None:
    if (error := noted.exception()) is not None:
        future.set_exception(error)
