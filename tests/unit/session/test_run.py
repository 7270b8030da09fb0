import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.assembly import build_session, describe, make_camera
from recorder.camera.acquisition_result import StopCondition
from recorder.camera.base import Camera, CameraDescription, FrameInfo
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.errors import CameraError, StorageError
from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Loss
from recorder.frames.pool import FrameSpan
from recorder.session import run_parts
from recorder.session.file_sequence import FileSequence
from recorder.session.run import Run
from recorder.session.status import FinishReason, State, Summary
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.model import Settings, validate
from recorder.storage.layout import DETECTOR
from recorder.storage.packed_span import PackedSpan
from recorder.storage.recording import Recording


def settings_for(tmp_path: Path, **camera: object) -> Settings:
    return validate(
        {
            "recording": {"output": str(tmp_path / "x.h5")},
            "camera": {"width": 64, "height": 32, "rate": 1000, "exposure": "100us", **camera},
            "pool": {"memory": "4MB"},
        }
    )


def run_with(
    settings: Settings,
    camera: Camera | None = None,
    make: Callable[..., Recording] = Recording,
    limits: StopCondition | None = None,
) -> Run:
    def make_file(
        given: Settings, path: Path | None, description: CameraDescription, frames: int
    ) -> Recording:
        return make(path, describe(given, description, frames), given.storage.mode, 0)

    if limits is not None:
        wanted = {"frames": limits.frames, "duration": limits.duration_s}
        recording = settings.recording.model_copy(update=wanted)
        settings = settings.model_copy(update={"recording": recording})
    files = FileSequence(make_file, 1.0)
    _sequences.append(files)
    settings = settings.model_copy(update={"storage": settings.storage.model_copy(update={"reserve": 0})})
    return Run(camera or make_camera(settings), files, settings, Path(settings.recording.output))


_sequences: list[FileSequence] = []


@pytest.fixture(autouse=True)
async def no_thread_stays() -> AsyncIterator[None]:
    """Let go of the files' threads."""
    yield
    while _sequences:
        await _sequences.pop().close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def check(summary: Summary, counter: int | None = None) -> None:
    """The file says what the summary says, and every frame is accounted for."""
    assert summary.file is not None
    with h5py.File(summary.file) as file:
        numbers = file[DETECTOR]["frame_number"][:]
        assert len(file["data"]) == len(numbers) == summary.frames
        assert file["entry/verdict"][()].decode() == summary.verdict
        assert summary.cause.startswith(file["entry/cause"][()].decode())
        assert sum(int(n) for n in file["entry/losses"]["count"]) == summary.lost
        if counter is not None:
            assert summary.frames + summary.lost == counter


async def test_a_run_to_its_limit_is_complete(tmp_path: Path) -> None:
    subject = run_with(settings_for(tmp_path), limits=StopCondition(frames=200))
    summary = await subject.run()
    assert (summary.verdict, summary.frames, summary.lost, summary.exit_code) == ("complete", 200, 0, 0)
    assert subject.state is State.CLOSED
    check(summary, 200)


async def test_stop_writes_all_that_was_exposed(tmp_path: Path) -> None:
    sensor = make_camera(settings_for(tmp_path))
    subject = run_with(settings_for(tmp_path), sensor)
    running = asyncio.ensure_future(subject.run())
    await until(lambda: subject.statistics().frames > 50)
    assert subject.state is State.RUNNING
    subject.stop()
    subject.stop(FinishReason.INTERRUPTED)
    summary = await running
    assert (summary.verdict, summary.cause) == ("complete", "stopped")
    check(summary, sensor.halt())


@pytest.mark.parametrize(("reason", "code"), [(FinishReason.INTERRUPTED, 130), (FinishReason.STOPPED, 0)])
async def test_a_stop_before_the_first_frame_is_heard(
    tmp_path: Path, reason: FinishReason, code: int
) -> None:
    subject = run_with(settings_for(tmp_path))
    subject.stop(reason)
    summary = await subject.run()
    assert summary.exit_code == code
    assert summary.frames < 50
    check(summary)


async def test_abort_after_stop_ends_at_once_with_a_valid_file(tmp_path: Path) -> None:
    subject = run_with(settings_for(tmp_path))
    running = asyncio.ensure_future(subject.run())
    await until(lambda: subject.statistics().frames > 10)
    subject.stop(FinishReason.INTERRUPTED)
    subject.abort()
    summary = await running
    assert (summary.verdict, summary.exit_code) == ("interrupted", 130)
    check(summary)


class StalledRecording(Recording):
    """A disk that stands still until it is let go."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go = threading.Event()

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        self.go.wait(20)
        super().append(spans, losses)


async def test_a_stalled_disk_that_empties_the_pool_loses_frames_to_storage_and_all_adds_up(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path, fifo=100)
    sensor = make_camera(settings)
    subject = run_with(settings, sensor, StalledRecording, StopCondition(frames=20_000))
    running = asyncio.ensure_future(subject.run())
    await until(lambda: bool((pool := subject.statistics().pool) and pool.waits))
    await asyncio.sleep(0.2)
    file = subject.file
    assert isinstance(file, StalledRecording)
    file.go.set()
    await until(lambda: subject.statistics().lost > 0)
    subject.stop()
    summary = await running
    assert set(summary.losses) == {"storage"}
    assert (summary.verdict, summary.exit_code) == ("frames lost", 3)
    check(summary, sensor.halt())


class BreakingRecording(Recording):
    """A disk that fails after 100 frames."""

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        if self.frames > 100:
            raise StorageError("the disk broke")
        super().append(spans, losses)


async def test_a_disk_that_breaks_stops_the_camera_and_what_was_committed_stays(tmp_path: Path) -> None:
    sensor = make_camera(settings_for(tmp_path))
    summary = await run_with(settings_for(tmp_path), sensor, BreakingRecording).run()
    assert (summary.verdict, summary.cause, summary.exit_code) == ("failed", "the disk broke", 1)
    assert summary.frames > 100
    assert summary.losses["storage"] > 0
    check(summary, sensor.halt())


class HungCamera(SimulatedCamera):
    """A library that stops returning."""

    def __init__(self, settings: SimulatedCameraSettings) -> None:
        super().__init__(settings)
        self.go = threading.Event()

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        info = super().read_into(slot, timeout_s)
        if info.number == 100:
            self.go.wait(20)
        return info


async def test_a_library_that_never_returns_cannot_keep_the_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_parts, "ABORT_GRACE_S", 0.2)
    settings = settings_for(tmp_path)
    assert isinstance(settings.camera, SimulatedCameraSettings)
    camera = HungCamera(settings.camera)
    subject = run_with(settings, camera)
    running = asyncio.ensure_future(subject.run())
    await until(lambda: (link := subject.statistics().acquisition) is not None and link.frames == 99)
    subject.stop(FinishReason.INTERRUPTED)
    subject.abort()
    summary = await running
    assert "does not return" in summary.cause
    assert summary.verdict == "failed"
    check(summary)
    camera.go.set()
    await asyncio.sleep(0.1)


async def test_an_unforeseen_error_still_closes_the_file(tmp_path: Path) -> None:
    class Bug(Recording):
        def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
            if self.frames > 50:
                raise ZeroDivisionError("a bug")
            super().append(spans, losses)

    subject = run_with(settings_for(tmp_path), make=Bug)
    with pytest.raises(ExceptionGroup) as told:
        await subject.run()
    assert told.value.subgroup(ZeroDivisionError)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["entry/verdict"][()] == b"failed"
        assert b"a bug" in file["entry/cause"][()]
        assert len(file["data"]) == len(file[DETECTOR]["frame_number"]) > 50
    assert subject.parts is not None
    assert subject.parts.pool.leases() == 0


async def test_a_camera_that_cannot_be_opened_leaves_no_file(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    camera = make_camera(settings)

    def refuse() -> CameraDescription:
        raise CameraError("in use by another program")

    camera.open = refuse  # type: ignore[method-assign]
    subject = run_with(settings, camera)
    with pytest.raises(CameraError, match="in use"):
        await subject.run()
    assert os.listdir(tmp_path) == []
    assert subject.state is State.CLOSED


async def test_a_camera_that_cannot_be_armed_leaves_no_file(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    camera = make_camera(settings)

    def refuse() -> None:
        raise CameraError("refuses")

    camera.arm = refuse  # type: ignore[method-assign]
    with pytest.raises(CameraError, match="refuses"):
        await run_with(settings, camera).run()
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("virtual_time")
async def test_a_slow_camera_has_each_frame_on_disk_within_a_quarter_of_a_second(tmp_path: Path) -> None:
    """At 4 frames/s a block would need seconds to fill: its frames do not wait for it."""
    settings = settings_for(tmp_path, rate=4, exposure="1ms")
    waits: list[float] = []

    class Timed(Recording):
        def commit(self, clocks: ClockFit | None = None) -> None:
            self._pixels.note()
            arrivals = [int(t) for t in self._rows.metadata()["host_time_ns"]] if self._rows else []
            super().commit(clocks)
            waits.extend((time.perf_counter_ns() - t) * 1e-9 for t in arrivals)

    await run_with(settings, make=Timed, limits=StopCondition(frames=4)).run()
    assert len(waits) == 4
    # The last frame has nothing to wait for; the others are committed while the camera waits for the next.
    assert sorted(waits)[1] < 0.25


async def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    tree = settings_for(tmp_path).model_dump(exclude_none=True)
    tree["recording"]["frames"] = 50
    session = build_session(validate(tree), dry_run=True)
    await session.start()
    await session.stopped()
    summary = await session.close()
    assert (summary.file, summary.frames, summary.unsaved, summary.verdict) == (None, 0, 50, "complete")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("frames", "told"), [(10**12, True), (10, False)], ids=["too many", "few"])
async def test_room_for_the_run_is_looked_for_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: int, told: bool
) -> None:
    """A frame is 4096 bytes, so that 10**12 of them fit on no disk there is."""
    subject = run_with(settings_for(tmp_path), limits=StopCondition(frames=frames))
    subject.stop()
    await subject.run()
    found = re.findall(
        r"wants ([\d.]+) GB, the disk has ([\d.]+) GB: it will stop after about (\d+) f", caplog.text
    )
    assert [float(wanted) for wanted, _, _ in found] == [4_096_000] * told
    for _, room, fitting in found:
        assert int(fitting) * 4096 == pytest.approx(float(room) * 1e9, abs=1e8)


def test_numbers_for_json_are_the_designs() -> None:
    assert list(Summary.of_nothing("no camera").for_json()) == [
        *(
            "file",
            "files",
            "journal",
            "verdict",
            "frames",
            "unsaved",
            "durable",
            "lost",
            "marks",
            "seconds",
            "bytes",
            "fps",
            "MBps",
        ),
    ]
    assert np.isfinite(Summary.of_nothing("").for_json()["fps"])
