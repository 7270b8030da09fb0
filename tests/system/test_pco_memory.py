"""Runs into the memory of a camera and out of it, and triggered sequences, on a virtual dimax."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from recorder.control.dispatcher import Dispatcher
from recorder.errors import ConfigurationError, RecorderError
from recorder.files.probe import probing
from recorder.files.verify import verify
from recorder.storage.layout import DETECTOR
from tests.system.test_pco import check_frames, opened, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig
from tests.virtual_sc2.models import DIMAX, PANDA_42, Model

pytestmark = pytest.mark.usefixtures("virtual_time")


@pytest.mark.parametrize("memory", ["camram sequence", "camram ring"])
async def test_the_cameras_own_memory_is_read_out_afterwards(tmp_path: Path, memory: str) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.1)
        marked = asyncio.ensure_future(dispatch.execute("mark now", "console"))
        await asyncio.sleep(0.35)
        if memory == "camram ring":
            dispatch.session.stop()
        outcome = await marked
        assert outcome is not None
        assert "once the camera's memory is read out" in outcome.message

    camera = VirtualCamera(DIMAX)
    settings = {"memory": memory, "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", DIMAX.memory_frames, 0)
    with opened(tmp_path / "x.h5") as file:
        numbers = file[DETECTOR]["frame_number"][:]
        assert (numbers == np.arange(1, 201)).all()
        if memory == "camram sequence":
            check_frames(file, camera)
            # Typed a tenth of a second after the start, of a camera that makes 500 frames/s once it is armed.
            (at,) = file["entry/marks"]["frame"]
            assert 30 <= at <= 75


async def test_the_cameras_own_memory_stops_with_the_limits(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    summary = await record(VirtualCamera(DIMAX), tmp_path / "a.h5", settings, frames=50)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)
    summary = await record(VirtualCamera(DIMAX), tmp_path / "b.h5", settings, duration="100ms")
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)


async def test_more_than_the_cameras_memory_holds_is_refused(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    for limit in ({"frames": 201}, {"duration": "1s"}):
        with pytest.raises(RecorderError, match="the camera's memory holds 200 frames of this size, not"):
            await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, **limit)


async def test_of_a_ring_the_last_frames_are_kept(tmp_path: Path) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        cameras.append(rig.camera)

    cameras: list[VirtualCamera] = []
    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, act, frames=50)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)
    with opened(tmp_path / "x.h5") as file:
        stamp = file["data"][-1].reshape(-1)[:4] & 0xFF
        assert int("".join(f"{v:02x}" for v in stamp)) == cameras[0].ram.segment.images[-1].number


async def test_a_mark_on_a_frame_that_a_ring_has_overwritten_is_on_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        for _trial in range(2):
            await asyncio.sleep(0.05)
            await dispatch.execute("mark flash", "console")
            refused = await dispatch.execute("save new other", "console")
            assert refused is not None
            assert "the camera records into its own memory" in refused.message
            await asyncio.sleep(0.6)

    caplog.set_level("INFO")
    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, act)
    # 200 frames are kept, the last 0.4 s.
    assert "the mark is on no frame: the camera's memory went round since" in caplog.text
    with opened(tmp_path / "x.h5") as file:
        assert set(file["entry/marks"]["frame"]) == {-1}
        assert [path.name for path in tmp_path.glob("*.h5")] == ["x.h5"]


async def test_the_first_frames_of_a_ring_whose_transfer_fails_are_counted(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        rig.camera.spoiled = dict.fromkeys(range(1000), 0x80332005)
        assert rig.camera.fifo is not None
        exposed = rig.camera.fifo.advance(rig.camera.clock())
        # Of the 200 frames kept, the first ones cannot be read.
        rig.camera.spoiled = dict.fromkeys(range(exposed - 150), 0x80332005)

    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, act)
    assert summary.verdict == "frames lost"
    assert summary.frames + summary.lost == DIMAX.memory_frames
    assert set(summary.losses) == {"counter gap"}
    with opened(tmp_path / "x.h5") as file:
        assert file[DETECTOR]["frame_number"][0] == summary.lost + 1


async def test_a_memory_that_does_not_fill_ends_the_run(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "trigger": "external exposure control", "timeout": "300ms"}
    camera = VirtualCamera(DIMAX, stuck=True)
    with pytest.raises(RecorderError, match=r"no frame for 0.3 s since it was armed"):
        await record(
            camera, tmp_path / "x.h5", {**settings, "roi": [433, 473, 576, 536], "timestamp": "binary"}
        )


@pytest.mark.parametrize(("memory", "mode"), [("fifo", 1), ("camram sequence", 0)])
async def test_a_camera_with_a_memory_streams_every_frame(tmp_path: Path, memory: str, mode: int) -> None:
    camera = VirtualCamera(DIMAX)
    settings = {"memory": memory, "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    await record(camera, tmp_path / "x.h5", settings, frames=5)
    assert camera.settings.storage_mode == mode


async def test_frames_of_the_cameras_memory_whose_transfer_fails_are_counted(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
    camera = VirtualCamera(DIMAX, spoiled=dict.fromkeys((20, 21, 200), 0x80332005))
    summary = await record(camera, tmp_path / "x.h5", settings)
    assert (summary.verdict, summary.frames, summary.losses) == ("failed", 197, {"counter gap": 3})
    assert "the last 1 frames in the camera's memory cannot be read out" in summary.cause


RING = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}
EVENT = {**RING, "record_stop": "external", "frames_after_event": 50}


def stamp(file: h5py.File, index: int) -> int:
    """The camera's own counter, from the binary timestamp in a frame's pixels."""
    digits = file["data"][index].reshape(-1)[:4] & 0xFF
    return int("".join(f"{v:02x}" for v in digits))


def sound(path: Path) -> int:
    """The frames of a file in which `recorder verify` finds nothing wrong, and all timestamps right."""
    with probing() as probe:
        found = verify(path, probe, lambda _done, _all: None)
    assert found.problems == ()
    assert found.stamped == found.frames
    return found.frames


async def wait_for(done: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("waited_s", [0.1, 0.6], ids=["before it is full", "gone round"])
async def test_an_event_stops_a_ring_some_frames_later(tmp_path: Path, waited_s: float) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(waited_s)
        rig.camera.pulse()
        await dispatch.session.stopped()

    camera = VirtualCamera(DIMAX)
    # It goes round for longer than a camera may be silent.
    summary = await record(camera, tmp_path / "x.h5", {**EVENT, "timeout": "300ms"}, act)
    number = camera.ram.event_number
    assert number is not None
    frames = min(number - 1 + 50, DIMAX.memory_frames)
    assert (summary.verdict, summary.frames, summary.lost, summary.marks) == ("complete", frames, 0, 1)
    with opened(tmp_path / "x.h5") as file:
        detector = file[DETECTOR]
        assert (detector["frame_number"][:] == np.arange(1, frames + 1)).all()
        assert np.allclose(np.diff(detector["frame_time"][:]), 1 / 500, atol=2e-6)
        assert (detector["record_stop_event"][()], detector["frames_after_event"][()]) == (b"extern", 50)
        (mark,) = file["entry/marks"][:]
        assert (mark["label"], mark["source"], mark["frame"]) == (b"record stop", b"camera", frames - 50)
        assert [stamp(file, i) for i in (frames - 50, frames - 1)] == [number, number + 49]
        assert abs(mark["elapsed_s"] - (frames - 50) / 500) < 1e-3
    assert sound(tmp_path / "x.h5") == frames


async def test_the_console_gives_the_event(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.3)
        shown = await dispatch.execute("status", "console")
        assert shown is not None
        assert "frames in the camera, waits for the record stop event" in shown.message
        await dispatch.execute("mark now", "console")
        assert (await dispatch.execute("trigger", "console")).status == "ok"  # type: ignore[union-attr]
        again = await dispatch.execute("trigger", "console")
        assert again is not None
        assert (again.status, again.message) == ("failed", "the stop event was given already")
        await dispatch.session.stopped()

    camera = VirtualCamera(DIMAX)
    settings = {**EVENT, "record_stop": "software", "frames_after_event": 100}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    with opened(tmp_path / "x.h5") as file:
        marks = {row["label"]: row["frame"] for row in file["entry/marks"]}
        assert marks[b"record stop"] == summary.frames - 100
        assert stamp(file, summary.frames - 100) == camera.ram.event_number
        # Typed just before; the camera thread takes a command every 20 ms, which are 10 frames.
        assert 0 <= marks[b"record stop"] - marks[b"now"] <= 25


async def test_stop_before_the_event_keeps_the_ring(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        assert rig.camera.recording

    camera = VirtualCamera(DIMAX)
    summary = await record(camera, tmp_path / "x.h5", EVENT, act)
    assert (summary.verdict, summary.frames, summary.marks) == ("complete", DIMAX.memory_frames, 0)
    assert (
        "stopped before the camera had recorded 50 frames after an event: no frame is marked" in caplog.text
    )


async def test_stop_just_after_the_camera_stopped_by_itself_knows_of_the_event(tmp_path: Path) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.3)
        rig.camera.pulse()
        # Sooner than the camera is asked again whether it records.
        await wait_for(lambda: not rig.camera.ram.settle())

    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", {**EVENT, "frames_after_event": 1}, act)
    with opened(tmp_path / "x.h5") as file:
        assert list(file["entry/marks"]["frame"]) == [summary.frames - 1]


@pytest.mark.parametrize(("frames", "marked"), [(80, [30]), (20, [])])
async def test_of_a_ring_with_an_event_the_last_frames_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: int, marked: list[int]
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        rig.camera.pulse()
        await dispatch.session.stopped()

    camera = VirtualCamera(DIMAX)
    summary = await record(camera, tmp_path / "x.h5", EVENT, act, frames=frames)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", frames, 0)
    assert ("came before the frames kept: no frame is marked" in caplog.text) == (not marked)
    with opened(tmp_path / "x.h5") as file:
        assert list(file["entry/marks"]["frame"]) == marked
        assert stamp(file, frames - 1) == (camera.ram.event_number or 0) + 49


async def test_an_event_frame_that_cannot_be_read_out_is_marked_on_the_next(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.3)
        rig.camera.pulse()
        rig.camera.spoiled = {rig.camera.ram.event_number: 0x80332005}  # type: ignore[dict-item]
        await dispatch.session.stopped()

    camera = VirtualCamera(DIMAX)
    summary = await record(camera, tmp_path / "x.h5", EVENT, act)
    assert (summary.verdict, summary.lost) == ("frames lost", 1)
    with opened(tmp_path / "x.h5") as file:
        (index,) = file["entry/marks"]["frame"]
        assert index == summary.frames - 49
        assert stamp(file, index) == (camera.ram.event_number or 0) + 1


async def test_an_event_with_more_frames_than_the_memory_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="holds 200 frames of this size, not one and 200 after the stop"):
        await record(VirtualCamera(DIMAX), tmp_path / "x.h5", {**EVENT, "frames_after_event": 200})


async def test_a_duration_limits_the_wait_for_an_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Longer than what the memory holds.
    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", EVENT, duration="600ms")
    assert (summary.verdict, summary.frames, summary.marks) == ("complete", DIMAX.memory_frames, 0)
    assert "no frame is marked" in caplog.text


async def test_no_event_is_left_from_the_run_before(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.3)
        rig.camera.pulse()
        refused = await dispatch.execute("trigger", "console")
        assert refused is not None
        assert (refused.status, refused.message) == (
            "failed",
            "no software trigger in trigger mode auto sequence",
        )
        await asyncio.sleep(0.3)
        assert rig.camera.recording

    camera = VirtualCamera(DIMAX)
    camera.ram.stop_mode, camera.ram.stop_delay = 2, 10
    await record(camera, tmp_path / "x.h5", RING, act)
    assert camera.ram.stop_mode == 0


FILL = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536], "timestamp": "binary"}


async def test_a_segment_is_recorded_into_and_the_others_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(DIMAX)
    halves = {**FILL, "segments": [50, 25, 25, 0]}
    summary = await record(camera, tmp_path / "a.h5", halves)
    assert (summary.verdict, summary.frames) == ("complete", 99)
    kept = list(camera.ram.segments[0].images)
    summary = await record(camera, tmp_path / "b.h5", {**halves, "segment": 3})
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 49, 0)
    # The sizes, rounded down to pages, were as asked for: nothing is divided anew, and nothing erased.
    assert camera.ram.segments[0].images == kept
    assert "erases" not in caplog.text
    assert "still holds" not in caplog.text
    with opened(tmp_path / "b.h5") as file:
        check_frames(file, camera)
        detector = file[DETECTOR]
        assert detector["ram_segment"][()] == 3
        assert detector["ram_segment_sizes"][()] == b"50,24.9,24.9,0"


async def test_dividing_the_memory_anew_tells_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(DIMAX)
    await record(camera, tmp_path / "a.h5", FILL, frames=40)
    assert "erases" not in caplog.text
    held = len(camera.ram.segment.images)
    await record(camera, tmp_path / "b.h5", {**FILL, "segments": [50, 50, 0, 0]}, frames=40)
    assert caplog.text.count("anew erases all its segments") == 1
    assert f"{held} images in segment 1 are lost" in caplog.text


async def test_images_that_nobody_has_read_out_are_told_of_before_they_are_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(replace(DIMAX, serial=4711))
    # Read out by this program: nothing to tell of.
    await record(camera, tmp_path / "a.h5", FILL)
    await record(camera, tmp_path / "b.h5", FILL)
    assert "still holds" not in caplog.text
    del camera.ram.segment.images[150:]
    for memory in ("camram sequence", "fifo"):
        caplog.clear()
        await record(camera, tmp_path / f"{memory}.h5", {**FILL, "memory": memory}, frames=20)
        told = "the camera's memory still holds 150 images in segment 1, which this recording overwrites"
        assert (told in caplog.text) == (memory == "camram sequence")
    with opened(tmp_path / "camram sequence.h5") as file:
        assert any(told in row["command"].decode() for row in file["entry/commands"])


@pytest.mark.parametrize("memory", ["camram sequence", "camram ring"])
async def test_images_of_before_are_read_out_and_stay(tmp_path: Path, memory: str) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        if memory == "camram sequence":
            rig.camera.stop()

    camera = VirtualCamera(DIMAX)
    await record(camera, tmp_path / "before.h5", {**FILL, "memory": memory, "segments": [50, 50, 0, 0]}, act)
    kept, recordings = list(camera.ram.segment.images), camera.armed_ns
    # Another region, another exposure, another division and segment are set; none of that is touched.
    settings = {"memory": "camram read", "segment": 1, "segments": [25, 25, 25, 25], "exposure": "2ms"}
    camera.ram.active = 2
    summary = await record(camera, tmp_path / "x.h5", settings)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", len(kept), 0)
    assert (camera.ram.segments[0].images, camera.armed_ns) == (kept, recordings)
    with opened(tmp_path / "before.h5") as before, opened(tmp_path / "x.h5") as file:
        assert (file["data"][:] == before["data"][:]).all()
        for column in ("frame_number", "frame_time", "exposure", "temperature"):
            assert (file[DETECTOR][column][:] == before[DETECTOR][column][:]).all(), column
        (note,) = (row["command"].decode() for row in file["entry/commands"])
        assert "recorded before this run" in note
        assert re.search(f"the first began at {time.gmtime().tm_year}-", note)
        detector = file[DETECTOR]
        assert (detector["roi"][()], detector["ram_segment"][()]) == (b"433,473,576,536", 1)
        # What is set now says nothing of images that were recorded before.
        assert not {"exposure_time", "trigger_mode", "pixel_rate"} & set(detector)
    assert sound(tmp_path / "x.h5") == len(kept)


async def test_the_first_images_of_before_are_enough_where_so_many_are_asked_for(tmp_path: Path) -> None:
    camera = VirtualCamera(DIMAX)
    await record(camera, tmp_path / "before.h5", FILL)
    summary = await record(camera, tmp_path / "x.h5", {"memory": "camram read"}, frames=30)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 30, 0)
    with opened(tmp_path / "x.h5") as file:
        assert (stamp(file, 0), stamp(file, 29)) == (1, 30)


@pytest.mark.parametrize(("metadata", "timestamp"), [(0, 1), (0, 0)], ids=["stamp", "nothing"])
async def test_images_of_another_program_may_have_their_counter_in_the_pixels_only(
    tmp_path: Path, metadata: int, timestamp: int
) -> None:
    camera = VirtualCamera(DIMAX)
    await record(camera, tmp_path / "before.h5", FILL)
    of = camera.ram.segment.settings
    assert of is not None
    of.metadata, of.timestamp = metadata, timestamp
    if timestamp:
        summary = await record(camera, tmp_path / "x.h5", {"memory": "camram read"})
        assert (summary.verdict, summary.frames, summary.lost) == ("complete", DIMAX.memory_frames, 0)
        return
    with pytest.raises(RecorderError, match=r"neither metadata nor a binary timestamp.*leave the camera on"):
        await record(camera, tmp_path / "x.h5", {"memory": "camram read"})
    assert len(camera.ram.segment.images) == DIMAX.memory_frames


async def test_an_empty_segment_is_not_read_out(tmp_path: Path) -> None:
    camera = VirtualCamera(DIMAX)
    halves = {**FILL, "segments": [50, 50, 0, 0]}
    await record(camera, tmp_path / "before.h5", {**halves, "segment": 2}, frames=40)
    images = len(camera.ram.segments[1].images)
    message = f"segment 1 of the camera's memory holds no images; segment 2 holds {images}"
    with pytest.raises(RecorderError, match=message):
        await record(camera, tmp_path / "x.h5", {"memory": "camram read", "segment": 1})
    with pytest.raises(ConfigurationError, match=r"camera.memory = camram read: this camera has no memory"):
        await record(VirtualCamera(PANDA_42), tmp_path / "x.h5", {"memory": "camram read"})
    assert not (tmp_path / "x.h5").exists()


async def test_a_segment_without_room_is_refused_before_anything_is_set(tmp_path: Path) -> None:
    camera = VirtualCamera(DIMAX)
    with pytest.raises(
        ConfigurationError, match=r"segment = 2: this segment has no room; those with room: 1"
    ):
        await record(camera, tmp_path / "x.h5", {**FILL, "segment": 2})
    with pytest.raises(ConfigurationError, match=r"camera.segment = 1: this segment has no room; .*: 3, 4"):
        await record(camera, tmp_path / "x.h5", {**FILL, "segments": [0, 0, 50, 50]})
    assert camera.ram.room(1) == DIMAX.memory_frames
    assert camera.settings.roi == (1, 1, DIMAX.width, DIMAX.height)


SEQUENCE = {"acquire": "sequence trigger", "frames_per_trigger": 20, "rate": 500}
SMALL = {DIMAX: [433, 473, 576, 536], PANDA_42: [33, 9, 128, 64]}


def check_sequences(file: h5py.File, pauses: list[int], period_s: float) -> None:
    """Frames come a period apart, but for the pauses before these indices."""
    detector = file[DETECTOR]
    steps = np.diff(detector["frame_time"][:])
    late = np.flatnonzero(steps > 1.5 * period_s) + 1
    assert late.tolist() == pauses
    assert np.allclose(np.delete(steps, late - 1), period_s, atol=3e-6)
    assert detector["acquire_mode"][()] == b"sequence trigger"
    assert detector["frames_per_trigger"][()] == 20


@pytest.mark.parametrize("model", [DIMAX, PANDA_42], ids=lambda model: model.name)
async def test_a_pulse_starts_a_sequence_through_the_fifo(tmp_path: Path, model: Model) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        camera = rig.camera
        await wait_for(camera.pulse)
        # While a sequence goes on, a pulse starts no other.
        assert not camera.pulse()
        await asyncio.sleep(0.5)
        # By software, and from outside again: the input goes on to be heard.
        for pulse in ("trigger", ""):
            if pulse:
                assert (await dispatch.execute(pulse, "console")).status == "ok"  # type: ignore[union-attr]
            else:
                assert camera.pulse()
            await asyncio.sleep(0.3)

    camera = VirtualCamera(model)
    settings = {**SEQUENCE, "roi": SMALL[model]}
    # A pause is no time-out.
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 60, 0)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        assert (file[DETECTOR]["frame_number"][:] == np.arange(1, 61)).all()
        check_sequences(file, [20, 40], camera.period_ns * 1e-9)


@pytest.mark.parametrize("memory", ["camram sequence", "camram ring"])
async def test_pulses_start_sequences_into_the_cameras_memory(tmp_path: Path, memory: str) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.4)
        assert rig.camera.pulse()
        await asyncio.sleep(0.4)
        await dispatch.execute("trigger", "console")
        await asyncio.sleep(0.3)

    camera = VirtualCamera(DIMAX)
    settings = {**SEQUENCE, "roi": SMALL[DIMAX], "memory": memory}
    # The duration counts from the first pulse's frames on the camera's clock, and refuses nothing.
    summary = await record(camera, tmp_path / "x.h5", settings, act, duration="10min")
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 40, 0)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        check_sequences(file, [20], 0.002)


async def test_a_mark_in_a_sequence_that_a_pulse_started_is_on_its_frame(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.45)
        assert rig.camera.pulse()
        await asyncio.sleep(0.1)
        await dispatch.execute("mark flash", "console")
        await asyncio.sleep(0.4)

    settings = {**SEQUENCE, "frames_per_trigger": 190, "roi": SMALL[DIMAX], "memory": "camram sequence"}
    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.frames) == ("complete", 190)
    with opened(tmp_path / "x.h5") as file:
        # The frames begin with the pulse, not with arming.
        (at,) = file["entry/marks"]["frame"]
        assert 40 <= at <= 75


@pytest.mark.parametrize("dropped", [{5}, {19, 20}], ids=["within", "at its end"])
async def test_a_sequence_with_frames_missing_ends_in_order(tmp_path: Path, dropped: set[int]) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await wait_for(rig.camera.pulse)
        await asyncio.sleep(0.3)
        rig.camera.recording = False
        async with asyncio.timeout(4):
            await dispatch.session.stopped()

    camera = VirtualCamera(PANDA_42, dropped=dropped)
    summary = await record(camera, tmp_path / "x.h5", {**SEQUENCE, "roi": SMALL[PANDA_42]}, act)
    lost = len(dropped)
    assert (summary.verdict, summary.frames, summary.lost) == ("frames lost", 20 - lost, lost)


async def test_a_camera_that_ends_with_its_sequence_ends_the_run(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        camera = rig.camera
        await wait_for(camera.pulse)
        await asyncio.sleep(0.3)
        camera.recording = False
        async with asyncio.timeout(2):
            await dispatch.session.stopped()

    camera = VirtualCamera(PANDA_42)
    summary = await record(camera, tmp_path / "x.h5", {**SEQUENCE, "roi": SMALL[PANDA_42]}, act)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 20, 0)
