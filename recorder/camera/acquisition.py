"""The one thread that owns the camera: reads frames into blocks, and serves a mailbox between two frames.

session ──submit(verb)──► mailbox ─┐
                                   ▼
pool.take ─► read_into(slot) ─► row of facts ─► (block full, or 0.1 s old) ─► outlet
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from recorder.camera.acquisition_result import Limits, LinkOutcome, LinkStatistics
from recorder.camera.base import Camera, EndOfSourceError, FrameInfo, StillRecordingError
from recorder.camera.block_filler import Filling, SpanOutlet
from recorder.camera.duration_limit import Extent
from recorder.camera.mailbox import Mailbox
from recorder.errors import CameraError, CameraTimeoutError
from recorder.frames.ledger import Cause
from recorder.frames.pool import WRITER, Block, Pool, Span

T = TypeVar("T")

log = logging.getLogger(__name__)

# Longest wait in the camera: how long a command, a stop or a finished span may have to wait its turn.
SLICE_S = 0.02

# How long what the camera exposed before it was stopped may take to come.
DRAIN_NS = 1_000_000_000


class CameraLink:
    """Run `camera` on the thread that calls `run`; `submit`, `stop` and `abort` come from any other.

    `timeout_s` is how long the camera may be silent; `clock` gives host monotonic ns.
    """

    def __init__(
        self,
        camera: Camera,
        pool: Pool,
        outlet: SpanOutlet,
        timeout_s: float,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._camera, self._pool, self._outlet = camera, pool, outlet
        # How long the camera may be silent; grows with a longer exposure.
        self.patience_s = timeout_s
        self._clock = clock
        self._mailbox = Mailbox()
        self._stopping = threading.Event()
        self._aborting = threading.Event()
        self._frames = 0
        self._last: FrameInfo | None = None
        self._last_return_ns = 0
        self._silent_since_ns = 0
        self._longest_pause_ns = 0
        self._inside: StillRecordingError | None = None
        self._halted = False
        self._halted_ns = 0
        self._extent = Extent(None)
        self._last_exposed: int | None = None
        self._segment = 0
        self._cuts: deque[tuple[int | None, Future[int]]] = deque()
        self._end: int | None = None
        self._trailing: Cause | None = None
        # Who held the blocks when we last had to wait for one: the reason if the FIFO overflows for it.
        self._starved_by: Cause | None = None
        self._caught_up = False

    def submit(self, verb: Callable[[Camera], T]) -> Future[T]:
        """Have `verb(camera)` called between two frames; its result or error comes with the future."""
        return self._mailbox.submit(verb)

    def cut(self, first: int | None = None) -> Future[int]:
        """Begin a new segment with the next frame read, or with the one whose counter is `first`.

        The future has the counter from which on frames belong to the new segment.
        """
        future: Future[int] = Future()
        # Nobody may cancel it any more: the camera thread is going to answer.
        future.set_running_or_notify_cancel()

        def note(_: Camera) -> None:
            self._cuts.append((first, future))

        self.submit(note).add_done_callback(lambda noted: _pass_on_error(noted, future))
        return future

    def stop(self, first: int | None = None) -> None:
        """Stop exposing, and deliver what was exposed: all, or (`first`) what comes before that counter."""
        if first is None:
            self._stopping.set()
        else:
            self._end = first

    def abort(self, cause: Cause = Cause.OPERATOR) -> None:
        """Stop at once; what the camera still holds is lost to `cause`."""
        self._trailing = cause
        self._aborting.set()
        self._stopping.set()

    @property
    def silent_ns(self) -> int:
        """For how long no call into the camera's library has returned, nor the thread waited for a block."""
        return self._clock() - self._last_return_ns if self._last_return_ns else 0

    def statistics(self) -> LinkStatistics:
        """Return the figures of this moment."""
        last = self._last or FrameInfo(0, 0, float("nan"), float("nan"), 0, overflowed=False)
        inside = self._inside
        # While it is read out, what is left.
        left = last.backlog if self._frames else inside.images if inside else 0
        return LinkStatistics(
            frames=self._frames,
            last_number=last.number,
            exposure_s=last.exposure_s,
            temperature_c=last.temperature_c,
            backlog=last.backlog,
            longest_pause_s=self._longest_pause_ns * 1e-9,
            in_camera=left if inside else None,
            wanted_in_camera=inside.wanted if inside else 0,
        )

    def run(self, limits: Limits) -> LinkOutcome:
        """Arm the camera and read until a limit, a stop or an error; the camera is disarmed afterwards.

        Blocks. An error of the camera comes with the outcome, after all that was read has been handed on.
        """
        error = self._attempt(lambda: self._read(limits))
        if self._aborting.is_set() or error is not None:
            halting = self._attempt(self._halt)
            error = error or halting
        disarming = self._attempt(self._camera.disarm)
        error = error or disarming
        self._mailbox.close()
        self._refuse_cuts()
        if (self._aborting.is_set() or error is not None) and self._last is not None:
            # What waited when the last frame was read was exposed, whatever became of it.
            known = self._last.number + self._last.backlog
            if limits.frames is not None:
                known = min(known, self._last.number + limits.frames - self._frames)
            self._last_exposed = max(self._last_exposed or 0, known)
        cause = self._trailing or self._starved_by or (Cause.CAMERA if error else Cause.FIFO)
        return LinkOutcome(self._last_exposed, cause, error)

    @staticmethod
    def _attempt(step: Callable[[], None]) -> CameraError | None:
        """Carry out a step and return what went wrong; whatever a library raises is the camera's error."""
        try:
            step()
        except CameraError as error:
            return error
        except Exception as error:
            log.exception("the camera's library failed in a way not foreseen")
            return CameraError(f"the camera's library failed: {error!r}")
        return None

    def _read(self, limits: Limits) -> None:
        """Fill block after block until the run is over."""
        self._extent = Extent(limits.duration_s)
        self._camera.arm()
        self._last_return_ns = self._silent_since_ns = self._clock()
        while (block := self._take()) is not None:
            # The thread's own lease keeps the block out of the pool while spans of it come and go.
            with Span(block, 0, 0, "camera"):
                if not self._fill(block, limits):
                    return

    def _fill(self, block: Block, limits: Limits) -> bool:  # noqa: PLR0912 - the loop, whole, in one place
        """Read into the block until it is full (True) or the run is over (False)."""
        self._begin_segment()
        filling = Filling(block, self._outlet, self._segment)
        room = len(block.slots)
        if limits.frames is not None:
            room = min(room, limits.frames - self._frames)
        try:
            while filling.filled < room:
                if self._mailbox:
                    self._mailbox.serve(self._camera)
                if self._cuts and self._due(self._cuts[0][0]):
                    # What follows belongs to another file, and a file's blocks are its own.
                    break
                if self._stopping.is_set():
                    if self._aborting.is_set():
                        return False
                    self._halt()
                try:
                    info = self._next(block, filling.filled)
                except StillRecordingError as inside:
                    self._inside, self._silent_since_ns = inside, self._last_return_ns
                except CameraTimeoutError:
                    if self._has_waited_enough():
                        return False
                except EndOfSourceError:
                    return False
                else:
                    if self._is_over(info):
                        return False
                    filling.add(self._last_return_ns)
                    self._frames += 1
                filling.hand_on_if_due(self._last_return_ns)
        finally:
            filling.hand_on()
        if self._frames == limits.frames:
            # What the camera exposed after these was not asked for.
            self._last_exposed = None
            return False
        return True

    def _halt(self) -> None:
        """Stop exposing, once; what the FIFO holds belongs to the run and is still read."""
        if not self._halted:
            self._halted = True
            self._halted_ns = self._clock()
            self._last_exposed = self._camera.halt()

    def _has_waited_enough(self) -> bool:
        """Tell whether the run is over though no frame came; raises CameraTimeoutError after long silence."""
        now_ns = self._last_return_ns
        if self._halted:
            complete = self._last_exposed is None or self._last_exposed <= (
                self._last.number if self._last else 0
            )
            return complete or now_ns - max(self._halted_ns, self._silent_since_ns) > DRAIN_NS
        if self._extent.is_past(now_ns - DRAIN_NS // 10):
            # Frames of the run that are not here yet wait in the camera, or are lost.
            self._halt()
            expected = self._extent.last_number()
            if self._last_exposed is not None and expected is not None:
                self._last_exposed = min(self._last_exposed, expected)
            return self._has_waited_enough()
        if now_ns - self._silent_since_ns > self.patience_s * 1e9:
            seen = f"after frame {self._last.number}" if self._last else "since it was armed"
            raise CameraTimeoutError(
                f"no frame for {self.patience_s:.2g} s {seen}: check trigger, cable and power; "
                "camera.timeout sets how long to wait"
            )
        return False

    def _next(self, block: Block, index: int) -> FrameInfo:
        """Read one frame into slot `index` of the block and note its facts."""
        called_ns = self._clock()
        pause_ns = called_ns - self._last_return_ns
        self._longest_pause_ns = max(self._longest_pause_ns, pause_ns)
        try:
            info = self._camera.read_into(block.slots[index], SLICE_S)
        finally:
            self._last_return_ns = now = self._clock()
        cause = 0
        if self._last is not None and info.number != self._last.number + 1:
            cause = (self._starved_by or Cause.FIFO) if info.overflowed else Cause.CAMERA
        if self._caught_up:
            # What held us up before explains no loss after this frame.
            self._starved_by = None
        # The frame after the last one in the FIFO may still be behind a gap: caught up is what follows it.
        self._caught_up = info.backlog == 0
        host_ns = now if info.host_time_ns is None else info.host_time_ns
        block.facts[index] = (
            info.number, info.camera_time_ns, host_ns, info.exposure_s, info.temperature_c, cause
        )  # fmt: skip
        self._last = info
        self._silent_since_ns = now
        return info

    def _is_over(self, info: FrameInfo) -> bool:
        """Tell whether this frame is past the end asked for; what is missing before that is noted."""
        if self._end is not None and info.number >= self._end:
            self._last_exposed = None
            return True
        if self._extent.holds(info, self._last_return_ns):
            return False
        self._last_exposed = self._extent.last_number(info)
        self._trailing = Cause.FIFO if info.overflowed else None
        return True

    def _take(self) -> Block | None:
        """Return a block, however long that takes; None where the run is stopped meanwhile."""
        block = self._pool.take(0)
        again = False
        while block is None:
            began_ns = self._clock()
            holder = self._pool.largest_holder()
            self._starved_by = Cause.STORAGE if holder == WRITER else Cause.POOL
            self._caught_up = False
            block = self._pool.take(SLICE_S)
            self._pool.count_wait((self._clock() - began_ns) * 1e-9, again=again)
            again = True
            self._last_return_ns = self._clock()
            self._mailbox.serve(self._camera)
            if self._aborting.is_set():
                return None
            if self._stopping.is_set():
                self._halt()
        return block

    def _due(self, first: int | None) -> bool:
        """Tell whether the next frame is the one whose counter is `first`, or a later one."""
        return first is None or first <= (self._last.number if self._last else 0) + 1

    def _begin_segment(self) -> None:
        """Carry out the cuts that are due."""
        while self._cuts and self._due(self._cuts[0][0]):
            _, future = self._cuts.popleft()
            self._segment += 1
            future.set_result((self._last.number if self._last else 0) + 1)

    def _refuse_cuts(self) -> None:
        for _, future in self._cuts:
            future.set_exception(CameraError("the camera is not running"))
        self._cuts.clear()


def _pass_on_error(noted: Future[None], future: Future[int]) -> None:
    if (error := noted.exception()) is not None:
        future.set_exception(error)
