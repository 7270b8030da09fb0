"""What a run with a PCO camera counts at its end: silence, sequences, triggers, counters that begin anew."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.control.dispatcher import Dispatcher
from recorder.files.probe import probing
from recorder.files.verify import verify
from recorder.session.session import Session
from tests.system.test_pco import SMALL, check_frames, fall_silent, held_up, opened, overfill, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig
from tests.virtual_sc2.models import DIMAX, EDGE_42_CL, EDGE_55

pytestmark = pytest.mark.usefixtures("virtual_time")

TRIGGERED = {"roi": SMALL, "trigger": "external exposure start & software trigger"}
FIFO = {"roi": SMALL, "fifo": 40}
RING = {"memory": "camram ring", "rate": 500, "roi": [433, 473, 576, 536]}


def problems(path: Path) -> list[str]:
    """What `recorder verify` finds wrong with a file, besides frames that it says are missing."""
    with probing() as probe:
        found = verify(path, probe, lambda *_: None)
    return [problem.text for problem in found.problems if "entry/losses says" not in problem.text]


@pytest.mark.parametrize("end", ["stop", "duration"])
async def test_what_a_camera_missed_that_fell_silent_is_lost_however_the_run_ends(
    tmp_path: Path, end: str
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await fall_silent(dispatch, rig)
        await asyncio.sleep(0.3)
        if end == "duration":
            await dispatch.session.stopped()
        ended_ns.append(rig.camera.clock())

    ended_ns: list[int] = []
    limit: dict[str, Any] = {"duration": "1s"} if end == "duration" else {}
    camera = VirtualCamera(replace(EDGE_55, camera_type=0x1800), falls_silent=True)
    summary = await record(camera, tmp_path / "x.h5", {**FIFO, "rate": 500}, act, **limit)
    assert summary.verdict == "frames lost"
    # As many as the camera exposes in the time, by its rate: it counts nothing itself.
    seconds = 1.0 if end == "duration" else (ended_ns[0] - camera.armed_ns) * 1e-9
    assert summary.frames + summary.lost == pytest.approx(500 * seconds, abs=60)


async def test_a_camera_that_cannot_be_armed_anew_is_asked_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.camera.pco.fifo_reader.STUCK_S", 0.2)
    calls: list[str] = []

    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        note = rig.note

        def remember(name: str) -> None:
            calls.append(name)
            note(name)

        monkeypatch.setattr(rig, "note", remember)
        await fall_silent(dispatch, rig)
        rig.camera.faults["PCO_ArmCamera"] = 0x80161017
        await dispatch.session.stopped()

    camera = VirtualCamera(EDGE_55, falls_silent=True)
    summary = await record(camera, tmp_path / "x.h5", FIFO, act)
    assert summary.verdict == "failed"
    assert "the camera cannot do that in its present state" in summary.cause
    assert summary.lost > 0
    after = calls[calls.index("PCO_RecorderDelete") :]
    assert "PCO_RecorderGetStatus" not in after


async def test_the_sensors_count_may_go_on_from_a_recording_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        rig.camera.trigger()
        await asyncio.sleep(0.1)
        await overfill(dispatch, rig, 30)

    monkeypatch.setattr(VirtualCamera, "finished", lambda camera: 100 + camera.triggers)
    camera = VirtualCamera(EDGE_55)
    summary = await record(camera, tmp_path / "x.h5", {**TRIGGERED, "fifo": 20}, act)
    assert summary.frames + summary.lost == camera.triggers


@pytest.mark.parametrize("rate", [500, None], ids=["running free", "triggered"])
async def test_a_full_fifo_leaves_no_frame_with_the_pixels_of_another(
    tmp_path: Path, rate: int | None
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        for _ in range(2):
            holding = held_up(dispatch, 0.3)
            for _ in range(60):
                if rate is None:
                    rig.camera.trigger()
                await asyncio.sleep(0.002)
            await holding
            await asyncio.sleep(0.1)

    camera = VirtualCamera(EDGE_55)
    way = {"rate": rate} if rate else TRIGGERED
    settings = {"roi": SMALL, "fifo": 20, "timestamp": "binary", **way}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert summary.verdict == "frames lost"
    assert summary.frames > 20
    assert problems(tmp_path / "x.h5") == []
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)


@pytest.mark.parametrize(
    ("model", "settings"),
    [(EDGE_55, {"roi": SMALL, "timestamp": "binary"}), (EDGE_42_CL, {"roi": [1, 961, 200, 1088]})],
    ids=["metadata", "timestamps only"],
)
@pytest.mark.parametrize("first", [0, 2, 500_000])
async def test_a_counter_that_begins_elsewhere_leaves_a_sound_file(
    tmp_path: Path, model: Any, settings: dict[str, Any], first: int
) -> None:
    camera = VirtualCamera(model, first_number=first)
    summary = await record(camera, tmp_path / "x.h5", settings, frames=30)
    assert (summary.verdict, summary.lost) == ("complete", 0)
    assert problems(tmp_path / "x.h5") == []


async def test_a_camera_armed_anew_leaves_a_sound_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.camera.pco.fifo_reader.STUCK_S", 0.2)

    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await fall_silent(dispatch, rig)
        await asyncio.sleep(0.8)

    camera = VirtualCamera(EDGE_55, falls_silent=True)
    settings = {**FIFO, "timestamp": "binary", "rate": 500}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert summary.verdict == "frames lost"
    assert problems(tmp_path / "x.h5") == []


async def test_images_that_were_not_all_read_out_are_still_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(replace(DIMAX, serial=4712))
    sequence = {**RING, "memory": "camram sequence"}
    await record(camera, tmp_path / "a.h5", sequence)
    # As of another program: not those that were read out.
    del camera.ram.segment.images[150:]
    await record(camera, tmp_path / "b.h5", {**RING, "memory": "camram read"}, frames=10)
    await record(camera, tmp_path / "c.h5", sequence)
    assert "still holds 150 images" in caplog.text


async def test_triggers_are_not_missed_where_the_run_was_to_have_fewer_frames(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        for _ in range(20):
            rig.camera.trigger()
            await asyncio.sleep(0.01)
        await dispatch.session.stopped()

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", TRIGGERED, act, frames=10, triggers=20)
    assert (summary.verdict, summary.frames) == ("complete", 10)


async def test_the_frames_that_a_ring_overwrote_are_no_missed_triggers(tmp_path: Path) -> None:
    async def act(_: Dispatcher, __: Rig) -> None:
        await asyncio.sleep(0.6)

    summary = await record(VirtualCamera(DIMAX), tmp_path / "x.h5", RING, act, triggers=1000)
    assert summary.verdict == "complete"


@pytest.mark.parametrize("sent", [3, 7])
async def test_what_differs_from_the_triggers_is_in_the_file(tmp_path: Path, sent: int) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        for _trigger in range(sent):
            rig.camera.trigger()
            await asyncio.sleep(0.03)

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", TRIGGERED, act, triggers=5)
    assert summary.verdict == ("frames lost" if sent < 5 else "complete")
    with opened(tmp_path / "x.h5") as file:
        assert f"{sent} were exposed".encode() in file["entry/cause"][()]


async def test_an_abort_says_so_whatever_was_triggered(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        rig.camera.trigger()
        await asyncio.sleep(0.1)
        assert isinstance(dispatch.session, Session)
        dispatch.session.abort()

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", TRIGGERED, act, triggers=5)
    assert (summary.verdict, summary.cause) == ("interrupted", "aborted by the operator")


async def test_a_gate_is_no_trigger(tmp_path: Path) -> None:
    settings = {"roi": SMALL, "acquire": "external"}
    await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", settings, frames=100)
    with opened(tmp_path / "x.h5") as file:
        assert not any(b"triggers come" in row["command"] for row in file["entry/commands"])
        assert "maximum_trigger_rate" not in file["entry/instrument/detector"]


async def test_a_whole_frame_that_the_camera_cuts_is_taken_as_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = replace(EDGE_42_CL, real_roi_steps=(20, 1))
    summary = await record(VirtualCamera(model), tmp_path / "x.h5", {"binning": [2, 2]}, frames=5)
    assert (summary.verdict, summary.frames) == ("complete", 5)
    with opened(tmp_path / "x.h5") as file:
        assert file["data"].shape[1:] == (1024, 1020)
    assert "the camera reads out [1, 1, 1020, 1024] of its whole frame" in caplog.text
