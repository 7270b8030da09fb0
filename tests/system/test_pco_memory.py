"""Runs into the memory of a camera and out of it, and triggered sequences, on a virtual dimax."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.control.dispatcher import Dispatcher
from recorder.errors import ConfigurationError, RecorderError
from recorder.storage.layout import DETECTOR
from tests.system.test_pco import check_frames, opened, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig
from tests.virtual_sc2.models import DIMAX, PANDA_42, Model


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
    settings = {"memory": memory, "rate": 500, "roi": [433, 473, 576, 536]}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", DIMAX.memory_frames, 0)
    with opened(tmp_path / "x.h5") as file:
        numbers = file[DETECTOR]["frame_number"][:]
        assert (numbers == np.arange(1, 201)).all()
        if memory == "camram sequence":
            check_frames(file, camera)
            # Typed a tenth of a second after the start, of a camera that makes 500 frames/s.
            (at,) = file["entry/marks"]["frame"]
            assert 45 <= at <= 75


async def test_the_cameras_own_memory_stops_with_the_limits(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536]}
    summary = await record(VirtualCamera(DIMAX), tmp_path / "a.h5", settings, frames=50)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)
    summary = await record(VirtualCamera(DIMAX), tmp_path / "b.h5", settings, duration="100ms")
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)


async def test_more_than_the_cameras_memory_holds_is_refused(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536]}
    for limit in ({"frames": 201}, {"duration": "1s"}):
        with pytest.raises(RecorderError, match="the camera's memory holds 200 frames of this size, not"):
            await record(VirtualCamera(DIMAX), tmp_path / "x.h5", settings, **limit)


async def test_of_a_ring_the_last_frames_are_kept(tmp_path: Path) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.6)
        cameras.append(rig.camera)

    cameras: list[VirtualCamera] = []
    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536]}
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
    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536]}
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

    settings = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536]}
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
        await record(camera, tmp_path / "x.h5", {**settings, "roi": [433, 473, 576, 536]})


@pytest.mark.parametrize(("memory", "mode"), [("fifo", 1), ("camram sequence", 0)])
async def test_a_camera_with_a_memory_streams_every_frame(tmp_path: Path, memory: str, mode: int) -> None:
    camera = VirtualCamera(DIMAX)
    settings = {"memory": memory, "rate": 500, "roi": [433, 473, 576, 536]}
    await record(camera, tmp_path / "x.h5", settings, frames=5)
    assert camera.settings.storage_mode == mode


async def test_frames_of_the_cameras_memory_whose_transfer_fails_are_counted(tmp_path: Path) -> None:
    settings = {"memory": "camram sequence", "rate": 500, "roi": [433, 473, 576, 536]}
    camera = VirtualCamera(DIMAX, spoiled=dict.fromkeys((20, 21, 200), 0x80332005))
    summary = await record(camera, tmp_path / "x.h5", settings)
    assert (summary.verdict, summary.frames, summary.losses) == ("failed", 197, {"counter gap": 3})
    assert "the last 1 frames in the camera's memory cannot be read out" in summary.cause


RING = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536]}
EVENT = {**RING, "record_stop": "external", "frames_after_event": 50}


def stamp(file: h5py.File, index: int) -> int:
    """The camera's own counter, from the binary timestamp in a frame's pixels."""
    digits = file["data"][index].reshape(-1)[:4] & 0xFF
    return int("".join(f"{v:02x}" for v in digits))


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
        await wait_for(lambda: not (rig.camera.ram.settle() or rig.camera.recording))

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
