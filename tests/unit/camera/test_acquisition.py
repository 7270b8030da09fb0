import math
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.acquisition_result import StopCondition
from recorder.camera.base import Camera, CameraDescription, EndOfSourceError, FrameInfo
from recorder.camera.block_filler import FLUSH_NS
from recorder.errors import CameraError, CameraTimeoutError
from recorder.frames.ledger import Cause
from recorder.frames.pool import MIN_BLOCKS, FrameSpan, Pool
from tests.conftest import SMALL, Clock

Step = int | Exception | FrameInfo


class ScriptedCamera:
    """Plays a list of steps: an int waits that many ms for a frame, an error is raised."""

    def __init__(self, clock: Clock, steps: list[Step], left_in_fifo: int = 0) -> None:
        self.clock, self.steps, self.left = clock, steps, left_in_fifo
        self.calls: list[str] = []
        self.number = 0
        self.exposure_s = 0.005
        self.threads: set[int] = set()

    def open(self) -> CameraDescription:
        return CameraDescription("scripted", "1", SMALL, math.inf)

    def arm(self) -> None:
        self.calls.append("arm")

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        self.threads.add(threading.get_ident())
        if "halt" in self.calls:
            if not self.left:
                raise CameraTimeoutError("empty")
            self.left -= 1
            step: Step = 0
        elif not self.steps:
            raise EndOfSourceError
        else:
            step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, FrameInfo):
            self.number = step.number
            return step
        if step * 1e-3 > timeout_s:
            self.clock.wait(timeout_s)
            self.steps.insert(0, step - round(timeout_s * 1e3))
            raise CameraTimeoutError("not yet")
        self.clock.wait(step * 1e-3)
        self.number += 1
        slot[:] = self.number
        return FrameInfo(self.number, self.clock(), self.exposure_s, 7.0, 0, overflowed=False)

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        self.threads.add(threading.get_ident())
        self.exposure_s = seconds
        return seconds

    def trigger(self) -> None:
        raise CameraError("no trigger")

    def input_is_high(self) -> bool:
        return False

    def halt(self) -> int | None:
        self.calls.append("halt")
        return self.number + self.left

    def interrupt(self) -> None:
        pass

    def disarm(self) -> None:
        self.calls.append("disarm")

    def close(self) -> None:
        self.calls.append("close")


class Collector:
    """A broadcaster that notes what comes and when, and gives the lease back."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.spans: list[tuple[int, int, list[int]]] = []
        self.times: list[int] = []
        self.metadata: list[NDArray[Any]] = []

    has_eager = False

    def show_early(self, span: FrameSpan) -> None:
        raise AssertionError("nobody asked")

    def publish(self, span: FrameSpan) -> None:
        assert [int(v) for v in span.pixels[:, 0, 0]] == [
            int(n) % 65536 for n in span.metadata["frame_number"]
        ]
        self.spans.append((span.start, span.stop, [int(n) for n in span.metadata["frame_number"]]))
        self.metadata.append(span.metadata.copy())
        self.times.append(self.clock())
        span.release()

    @property
    def numbers(self) -> list[int]:
        return [number for *_, numbers in self.spans for number in numbers]


def link(
    clock: Clock, camera: Camera, broadcaster: Collector, frames: int = 4, timeout_s: float = 1.0
) -> AcquisitionThread:
    return AcquisitionThread(camera, Pool(SMALL, frames, 1), broadcaster, timeout_s, clock=clock)


def test_full_blocks_are_handed_on_whole(clock: Clock) -> None:
    camera, broadcaster = ScriptedCamera(clock, [1] * 10), Collector(clock)
    outcome = link(clock, camera, broadcaster).run(StopCondition())
    assert broadcaster.spans == [(0, 4, [1, 2, 3, 4]), (0, 4, [5, 6, 7, 8]), (0, 2, [9, 10])]
    assert outcome.error is None
    assert camera.calls == ["arm", "disarm"]


class Eager(Collector):
    """Wants to see frames of blocks that fill."""

    has_eager = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.shown: list[int] = []

    def show_early(self, span: FrameSpan) -> None:
        assert len(span) == 1
        self.shown.append(int(span.metadata["frame_number"][0]))
        span.release()


def test_who_waits_for_the_latest_frame_is_shown_it_out_of_a_block_that_fills(clock: Clock) -> None:
    broadcaster = Eager(clock)
    link(clock, ScriptedCamera(clock, [1] * 12), broadcaster, frames=12).run(StopCondition())
    # At once, and then every 4 ms; the last comes with its block.
    assert broadcaster.shown == [1, 5, 9]
    assert broadcaster.numbers == list(range(1, 13))


def test_slow_frames_are_handed_on_before_their_block_is_full(clock: Clock) -> None:
    broadcaster = Collector(clock)
    link(clock, ScriptedCamera(clock, [1000, 1000, 1000]), broadcaster, timeout_s=2).run(StopCondition())
    assert broadcaster.spans == [(0, 1, [1]), (1, 2, [2]), (2, 3, [3])]
    waits = [
        time - int(metadata["host_time_ns"][0])
        for time, metadata in zip(broadcaster.times, broadcaster.metadata, strict=True)
    ]
    assert max(waits) <= FLUSH_NS + 20_000_000


@pytest.mark.parametrize("frames", [1, 3, 4, 5, 8])
def test_as_many_frames_as_asked_for_and_not_one_more(clock: Clock, frames: int) -> None:
    camera, broadcaster = ScriptedCamera(clock, [1] * 20), Collector(clock)
    link(clock, camera, broadcaster).run(StopCondition(frames=frames))
    assert broadcaster.numbers == list(range(1, frames + 1))
    assert camera.number == frames


def test_a_duration_ends_by_the_cameras_clock(clock: Clock) -> None:
    broadcaster = Collector(clock)
    link(clock, ScriptedCamera(clock, [10] * 20), broadcaster).run(StopCondition(duration_s=0.05))
    assert broadcaster.numbers == [1, 2, 3, 4, 5]


def test_stop_drains_the_fifo_into_the_same_block(clock: Clock) -> None:
    camera, broadcaster = ScriptedCamera(clock, [1] * 3, left_in_fifo=2), Collector(clock)
    subject = link(clock, camera, broadcaster, frames=8)
    subject.submit(lambda _: None)
    subject.stop()
    outcome = subject.run(StopCondition())
    assert broadcaster.spans == [(0, 2, [1, 2])]
    assert outcome.last_exposed == 2
    assert camera.calls == ["arm", "halt", "disarm"]


def test_abort_leaves_the_fifo_and_says_what_was_exposed(clock: Clock) -> None:
    camera, broadcaster = ScriptedCamera(clock, [1] * 3, left_in_fifo=2), Collector(clock)
    subject = link(clock, camera, broadcaster)
    subject.abort()
    outcome = subject.run(StopCondition())
    assert broadcaster.spans == []
    assert (outcome.last_exposed, outcome.trailing_cause) == (2, Cause.ABORTED)
    assert camera.calls == ["arm", "halt", "disarm"]


def test_an_error_comes_after_all_that_was_read(clock: Clock) -> None:
    camera = ScriptedCamera(clock, [1, 1, CameraError("broken")])
    broadcaster = Collector(clock)
    outcome = link(clock, camera, broadcaster).run(StopCondition())
    assert broadcaster.numbers == [1, 2]
    assert str(outcome.error) == "broken"
    assert camera.calls == ["arm", "halt", "disarm"]


def test_silence_is_an_error_after_the_time_allowed(clock: Clock) -> None:
    broadcaster = Collector(clock)
    outcome = link(clock, ScriptedCamera(clock, [1, 5000]), broadcaster, timeout_s=1).run(StopCondition())
    assert isinstance(outcome.error, CameraTimeoutError)
    assert "no frame for 1 s after the frame with counter 1" in str(outcome.error)
    assert broadcaster.numbers == [1]


def test_commands_run_on_the_camera_thread_between_two_frames(clock: Clock) -> None:
    camera, broadcaster = ScriptedCamera(clock, [1] * 4), Collector(clock)
    subject = link(clock, camera, broadcaster)
    done = subject.submit(lambda c: c.set_exposure(0.002))
    refused = subject.submit(lambda c: c.trigger())
    thread = threading.Thread(target=subject.run, args=(StopCondition(),))
    thread.start()
    thread.join()
    assert done.result(0) == 0.002
    with pytest.raises(CameraError, match="no trigger"):
        refused.result(0)
    assert camera.threads == {thread.ident}
    late = subject.submit(lambda c: c.trigger())
    with pytest.raises(CameraError, match="not running"):
        late.result(0)


def info(number: int, backlog: int, *, overflowed: bool = False) -> FrameInfo:
    return FrameInfo(number, number, 0.005, 7.0, backlog, overflowed=overflowed)


class Facts(Collector):
    """Looks at metadata only: scripted infos leave the pixels alone."""

    def publish(self, span: FrameSpan) -> None:
        self.metadata.append(span.metadata.copy())
        span.release()

    def causes(self) -> list[int]:
        return [int(cause) for metadata in self.metadata for cause in metadata["gap_cause"]]


@pytest.mark.parametrize(
    ("holder", "cause"),
    [("writer", Cause.STORAGE), ("preview", Cause.BUFFER_EXHAUSTED), (None, Cause.CAMERA_OVERFLOW)],
)
def test_an_overflow_has_the_cause_of_who_held_the_blocks(
    clock: Clock, holder: str | None, cause: Cause
) -> None:
    steps: list[Step] = [info(1, 3), info(2, 2), info(9, 1, overflowed=True), info(12, 0)]
    broadcaster = Facts(clock)
    subject = link(clock, ScriptedCamera(clock, steps), broadcaster, frames=1)
    pool = subject._pool
    if holder:
        held = [lease for lease in [pool.take(holder, 0) for _ in range(MIN_BLOCKS)] if lease]

        def let_go() -> None:
            for span in held:
                span.release()

        threading.Timer(0.05, let_go).start()
    subject.run(StopCondition())
    assert broadcaster.causes() == [0, 0, cause.code, Cause.COUNTER_GAP.code]
    assert pool.statistics().waits == (1 if holder else 0)


def test_a_loss_says_how_long_no_frame_was_read(clock: Clock) -> None:
    steps: list[Step] = [info(1, 3), info(2, 2), info(9, 0, overflowed=True), info(10, 0), info(12, 0)]
    broadcaster = Facts(clock)
    subject = link(clock, ScriptedCamera(clock, steps), broadcaster, frames=5)
    subject.submit(lambda _: clock.wait(0.3))
    subject.run(StopCondition())
    unread_ns = [int(value) for metadata in broadcaster.metadata for value in metadata["unread_ns"]]
    assert unread_ns[:2] == [0, 0]
    assert unread_ns[2] == pytest.approx(0.3e9, rel=0.1)  # until the FIFO was empty
    assert unread_ns[4] < 0.1e9


def test_statistics_have_the_longest_pause(clock: Clock) -> None:
    broadcaster = Collector(clock)
    camera = ScriptedCamera(clock, [1] * 4)
    subject = link(clock, camera, broadcaster)
    subject.submit(lambda _: clock.wait(0.3))
    subject.run(StopCondition())
    figures = subject.statistics()
    assert (figures.frames, figures.last_number, figures.exposure_s) == (4, 4, 0.005)
    assert figures.longest_pause_s == pytest.approx(0.3, abs=0.01)
    assert np.isfinite(figures.temperature_c)
