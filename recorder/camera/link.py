"""The one thread that owns the camera: reads frames into blocks, and serves a mailbox between two frames.

session ──submit(verb)──► mailbox ─┐
                                   ▼
pool.take ─► read_into(slot) ─► row of facts ─► (block full, or 0.1 s old) ─► outlet
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from recorder.camera.base import Camera, EndOfSourceError, FrameInfo
from recorder.errors import CameraError, CameraTimeoutError
from recorder.frames.ledger import Cause
from recorder.frames.pool import Block, Pool, Span

T = TypeVar("T")

# Longest wait in the camera: how long a command, a stop or a finished span may have to wait its turn.
SLICE_S = 0.02

# A frame is handed on at most this long after it came, however slowly its block fills. With as much again
# for the writer's commit it is on disk within the 0.25 s that the house promises.
HAND_ON_NS = 80_000_000


class SpanOutlet(Protocol):
    """Whatever takes the spans."""

    def put(self, span: Span) -> None:
        """Take the span and its lease."""


@dataclass(frozen=True)
class Limits:
    """When a run is over by itself: after `frames`, or after `duration_s` of the camera's clock."""

    frames: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class LinkOutcome:
    """How reading ended.

    `last_exposed` is the counter of the last frame that belongs to the run, None where the camera cannot
    tell; frames from the last one delivered up to it are missing because of `trailing_cause`.
    """

    last_exposed: int | None
    trailing_cause: Cause
    error: CameraError | None


@dataclass(frozen=True)
class LinkStatistics:
    """The camera thread so far; `longest_pause_s` is the longest it was away from the camera."""

    frames: int
    last_number: int
    exposure_s: float
    temperature_c: float
    backlog: int
    longest_pause_s: float


class _Filling:
    """A block on its way to full, handed on in spans so that no frame waits for the ones after it."""

    __slots__ = ("_block", "_handed_on", "_oldest_ns", "_outlet", "_segment", "filled")

    def __init__(self, block: Block, outlet: SpanOutlet, segment: int) -> None:
        self._block, self._outlet, self._segment = block, outlet, segment
        self.filled = self._handed_on = self._oldest_ns = 0

    def add(self, now_ns: int) -> None:
        """Count the frame that was just read."""
        if self.filled == self._handed_on:
            self._oldest_ns = now_ns
        self.filled += 1

    def hand_on_if_due(self, now_ns: int) -> None:
        """Hand on what has waited long enough."""
        if self.filled > self._handed_on and now_ns - self._oldest_ns >= HAND_ON_NS:
            self.hand_on()

    def hand_on(self) -> None:
        """Hand on what has not been."""
        if self.filled > self._handed_on:
            self._outlet.put(Span(self._block, self._handed_on, self.filled, "outlet", self._segment))
            self._handed_on = self.filled


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
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._camera, self._pool, self._outlet = camera, pool, outlet
        self._timeout_s = timeout_s
        self._clock = clock
        self._mailbox: deque[tuple[Callable[[Camera], Any], Future[Any]]] = deque()
        self._stopping = threading.Event()
        self._aborting = threading.Event()
        self._frames = 0
        self._last: FrameInfo | None = None
        self._first_time_ns = 0
        self._last_return_ns = 0
        self._silent_since_ns = 0
        self._longest_pause_ns = 0
        self._halted = False
        self._last_exposed: int | None = None
        self._closed = False
        self._segment = 0
        self._cuts: deque[tuple[int | None, Future[int]]] = deque()
        self._end: int | None = None
        # Who held the blocks when we last had to wait for one: the reason if the FIFO overflows for it.
        self._starved_by: Cause | None = None
        self._caught_up = False

    def submit(self, verb: Callable[[Camera], T]) -> Future[T]:
        """Have `verb(camera)` called between two frames; its result or error comes with the future."""
        future: Future[T] = Future()
        self._mailbox.append((verb, future))
        if self._closed:
            self._refuse_mail()
        return future

    def cut(self, first: int | None = None) -> Future[int]:
        """Begin a new segment with the next frame read, or with the one whose counter is `first`.

        The future has the counter from which on frames belong to the new segment.
        """
        future: Future[int] = Future()

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

    def abort(self) -> None:
        """Stop at once; what the FIFO still holds is lost."""
        self._aborting.set()
        self._stopping.set()

    def statistics(self) -> LinkStatistics:
        """Return the figures of this moment."""
        last = self._last or FrameInfo(0, 0, float("nan"), float("nan"), 0, overflowed=False)
        return LinkStatistics(
            frames=self._frames,
            last_number=last.number,
            exposure_s=last.exposure_s,
            temperature_c=last.temperature_c,
            backlog=last.backlog,
            longest_pause_s=self._longest_pause_ns * 1e-9,
        )

    def run(self, limits: Limits) -> LinkOutcome:
        """Arm the camera and read until a limit, a stop or an error; the camera is disarmed afterwards.

        Blocks. An error of the camera comes with the outcome, after all that was read has been handed on.
        """
        error: CameraError | None = None
        try:
            self._camera.arm()
            self._last_return_ns = self._silent_since_ns = self._clock()
            while (block := self._take()) is not None:
                # The thread's own lease keeps the block out of the pool while spans of it come and go.
                with Span(block, 0, 0, "camera"):
                    if not self._fill(block, limits):
                        break
        except CameraError as failure:
            error = failure
        try:
            if self._aborting.is_set() or error is not None:
                self._halt()
            self._camera.disarm()
        except CameraError as failure:
            error = error or failure
        finally:
            self._closed = True
            self._refuse_mail()
        trailing = self._starved_by or (Cause.FIFO if self._aborting.is_set() else Cause.CAMERA)
        return LinkOutcome(self._last_exposed, trailing, error)

    def _fill(self, block: Block, limits: Limits) -> bool:
        """Read into the block until it is full (True) or the run is over (False)."""
        self._begin_segment()
        filling = _Filling(block, self._outlet, self._segment)
        room = len(block.slots)
        if limits.frames is not None:
            room = min(room, limits.frames - self._frames)
        try:
            while filling.filled < room:
                if self._mailbox:
                    self._serve_mail()
                if self._cuts and self._due(self._cuts[0][0]):
                    # What follows belongs to another file, and a file's blocks are its own.
                    break
                if self._stopping.is_set():
                    if self._aborting.is_set():
                        return False
                    self._halt()
                try:
                    info = self._next(block, filling.filled)
                except CameraTimeoutError:
                    if self._halted:
                        return False
                    self._check_silence()
                except EndOfSourceError:
                    return False
                else:
                    if self._is_over(info, limits):
                        return False
                    filling.add(self._last_return_ns)
                    self._frames += 1
                filling.hand_on_if_due(self._last_return_ns)
        finally:
            filling.hand_on()
        return self._frames != limits.frames

    def _halt(self) -> None:
        """Stop exposing, once; what the FIFO holds belongs to the run and is still read."""
        if not self._halted:
            self._halted = True
            self._last_exposed = self._camera.halt()

    def _check_silence(self) -> None:
        if self._last_return_ns - self._silent_since_ns > self._timeout_s * 1e9:
            seen = f"after frame {self._last.number}" if self._last else "since it was armed"
            raise CameraTimeoutError(
                f"no frame for {self._timeout_s:g} s {seen}: check trigger, cable and power; "
                "camera.timeout sets how long to wait"
            )

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
        block.facts[index] = (
            info.number, info.camera_time_ns, now, info.exposure_s, info.temperature_c, cause
        )  # fmt: skip
        self._last = info
        self._silent_since_ns = now
        return info

    def _is_over(self, info: FrameInfo, limits: Limits) -> bool:
        """Tell whether this frame began after the duration asked for, or is past the end asked for."""
        if self._frames == 0:
            self._first_time_ns = info.camera_time_ns
        if self._end is not None and info.number >= self._end:
            return True
        if limits.duration_s is None:
            return False
        return info.camera_time_ns - self._first_time_ns >= limits.duration_s * 1e9

    def _take(self) -> Block | None:
        """Return a block, however long that takes; None where the run is stopped meanwhile."""
        block = self._pool.take(0)
        again = False
        while block is None:
            began_ns = self._clock()
            holder = self._pool.largest_holder()
            self._starved_by = Cause.STORAGE if holder == "writer" else Cause.POOL
            self._caught_up = False
            block = self._pool.take(SLICE_S)
            self._pool.count_wait((self._clock() - began_ns) * 1e-9, again=again)
            again = True
            self._serve_mail()
            if block is None and self._aborting.is_set():
                return None
        return block

    def _serve_mail(self) -> None:
        while self._mailbox:
            verb, future = self._mailbox.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(verb(self._camera))
                except CameraError as error:
                    future.set_exception(error)

    def _due(self, first: int | None) -> bool:
        """Tell whether the next frame is the one whose counter is `first`, or a later one."""
        return first is None or first <= (self._last.number if self._last else 0) + 1

    def _begin_segment(self) -> None:
        """Carry out the cuts that are due."""
        while self._cuts and self._due(self._cuts[0][0]):
            _, future = self._cuts.popleft()
            self._segment += 1
            future.set_result((self._last.number if self._last else 0) + 1)

    def _refuse_mail(self) -> None:
        while self._cuts:
            self._cuts.popleft()[1].set_exception(CameraError("the camera is not running"))
        while self._mailbox:
            self._mailbox.popleft()[1].set_exception(CameraError("the camera is not running"))


def _pass_on_error(noted: Future[None], future: Future[int]) -> None:
    if (error := noted.exception()) is not None:
        future.set_exception(error)
