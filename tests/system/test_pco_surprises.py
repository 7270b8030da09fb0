"""What a lab met on its first day: cameras that behave otherwise than their descriptions say."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorder.control.dispatcher import Dispatcher
from recorder.errors import RecorderError
from recorder.storage.layout import DETECTOR
from tests.system.test_pco import SMALL, check_frames, fall_silent, held_up, opened, overfill, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig
from tests.virtual_sc2.models import EDGE_42_CL, EDGE_55, PANDA_42
from tests.virtual_time import VirtualClock

pytestmark = pytest.mark.usefixtures("virtual_time")

TRIGGERED = {"roi": SMALL, "trigger": "external exposure start & software trigger"}


@pytest.mark.parametrize("first", [0, 2])
async def test_a_counter_that_begins_a_little_off_is_a_note_and_no_loss(tmp_path: Path, first: int) -> None:
    camera = VirtualCamera(EDGE_55, first_number=first)
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=20)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 20, 0)
    with opened(tmp_path / "x.h5") as file:
        assert (file[DETECTOR]["frame_number"][:] == np.arange(1, 21)).all()
        notes = [row["command"].decode() for row in file["entry/commands"]]
    assert any(f"counter stands at {first} with the first frame, not at 1" in note for note in notes)


@pytest.mark.parametrize("missing", [2, 10])
async def test_more_than_one_frame_missing_before_the_first_is_lost(tmp_path: Path, missing: int) -> None:
    camera = VirtualCamera(EDGE_55, dropped=set(range(1, missing + 1)))
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=20)
    assert (summary.verdict, summary.losses) == ("frames lost", {"counter gap": missing})


async def test_the_sensors_own_count_tells_what_a_full_fifo_lost(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        # The count is compared with the first frame.
        rig.camera.trigger()
        await asyncio.sleep(0.1)
        await overfill(dispatch, rig, 40)

    camera = VirtualCamera(EDGE_55)
    summary = await record(camera, tmp_path / "x.h5", {**TRIGGERED, "fifo": 20}, act)
    assert summary.frames + summary.lost == camera.triggers
    assert summary.losses == {"camera overflow": camera.triggers - summary.frames}


async def test_the_sensors_count_of_an_earlier_recording_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.3)
        holding = held_up(dispatch, 0.5)
        await asyncio.sleep(0.1)
        dispatch.session.stop()
        await holding

    monkeypatch.setattr(VirtualCamera, "finished", lambda _: 1_000_000)
    camera = VirtualCamera(EDGE_55)
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL, "fifo": 40}, act)
    assert camera.fifo is not None
    assert abs(summary.frames + summary.lost - camera.fifo._exposed) <= 5


async def test_the_cameras_clock_is_set_to_utc(tmp_path: Path, virtual_time: VirtualClock) -> None:
    for model in (EDGE_55, EDGE_42_CL):
        path = tmp_path / f"{model.camera_type}.h5"
        camera = VirtualCamera(model)
        roi = SMALL if model is EDGE_55 else [1, 961, 200, 1088]
        await record(camera, path, {"roi": roi}, frames=5)
        assert camera.clock_set is not None
        set_ns, date_s = camera.clock_set
        # By the computer's clock, at the beginning of a second.
        since_ns = virtual_time.clock_ns() - set_ns
        assert abs((virtual_time.utc_ns() - since_ns) * 1e-9 - date_s) < 1e-3


async def test_a_camera_whose_clock_cannot_be_set_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(EDGE_55, faults={"PCO_SetDateTime": 0x80161017})
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=5)
    assert summary.verdict == "complete"
    assert "setting the camera's clock: the camera cannot do that" in caplog.text


async def test_limits_that_another_setting_changes_are_the_new_ones(tmp_path: Path) -> None:
    slow = (95_333_333, (1_500_000, 2_000_000_000, 27_776))
    settings: dict[str, Any] = {"roi": SMALL, "exposure": "1ms"}
    camera = VirtualCamera(EDGE_55, other_exposure=slow)
    assert (await record(camera, tmp_path / "a.h5", settings, frames=5)).verdict == "complete"
    with pytest.raises(RecorderError, match=r"camera.exposure = 1ms: must be from 1.5ms to 2s"):
        await record(
            VirtualCamera(EDGE_55, other_exposure=slow),
            tmp_path / "b.h5",
            {**settings, "pixel_rate": 95_333_333},
            frames=5,
        )


async def test_a_region_that_the_camera_changes_by_itself_ends_the_run_before_it_begins(
    tmp_path: Path,
) -> None:
    model = replace(PANDA_42, real_roi_steps=(64, 8))
    with pytest.raises(
        RecorderError, match=r"camera.roi = \[33, 9, 128, 64\]: the camera reads out \[1, 9, "
    ):
        await record(VirtualCamera(model), tmp_path / "x.h5", {"roi": [33, 9, 128, 64]}, frames=5)
    assert not list(tmp_path.iterdir())


async def test_frames_of_another_size_than_set_end_the_run_before_the_first(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_55, delivered_shape=(128, 240))
    with pytest.raises(RecorderError, match="delivers frames of 240x128, where 256x128 was expected"):
        await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=5)
    assert not list(tmp_path.glob("*.h5"))


@pytest.mark.parametrize("stamp", [None, "binary"])
async def test_no_pixel_is_overwritten_unless_asked_for(tmp_path: Path, stamp: str | None) -> None:
    camera = VirtualCamera(EDGE_55)
    settings = {"roi": SMALL} | ({"timestamp": stamp} if stamp else {})
    await record(camera, tmp_path / "x.h5", settings, frames=10)
    with opened(tmp_path / "x.h5") as file:
        assert file[DETECTOR]["timestamp_mode"][()] == (stamp or "off").encode()
        check_frames(file, camera)


async def test_a_camera_that_falls_silent_after_an_overflow_is_armed_anew_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.camera.pco.fifo_reader.STUCK_S", 0.2)

    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await fall_silent(dispatch, rig)
        silent.append(rig.camera.fifo._exposed)  # type: ignore[union-attr]
        await asyncio.sleep(0.8)

    silent: list[int] = []
    camera = VirtualCamera(EDGE_55, falls_silent=True)
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL, "fifo": 40}, act)
    assert summary.verdict == "frames lost"
    assert set(summary.losses) == {"camera overflow"}
    with opened(tmp_path / "x.h5") as file:
        detector = file[DETECTOR]
        numbers, times = detector["frame_number"][:], detector["frame_time"][:]
        # The counter goes on as if the camera had never stopped.
        assert np.allclose(times - times[0], (numbers - numbers[0]) * camera.period_ns * 1e-9, atol=6e-4)
        assert numbers[-1] > silent[0] + 100
        assert numbers[-1] == len(numbers) + summary.lost
        notes = [row["command"].decode() for row in file["entry/commands"]]
    assert sum("it is armed anew" in note for note in notes) == 1


async def test_a_camera_that_falls_silent_again_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.camera.pco.fifo_reader.STUCK_S", 0.2)

    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        for _ in range(2):
            await fall_silent(dispatch, rig)
            await asyncio.sleep(0.4)
            rig.camera.falls_silent, rig.camera.fell_silent = True, False
        await dispatch.session.stopped()

    settings = {"roi": SMALL, "fifo": 40, "timeout": "1s"}
    summary = await record(VirtualCamera(EDGE_55, falls_silent=True), tmp_path / "x.h5", settings, act)
    assert summary.verdict == "failed"
    assert "no frame for 1 s after the frame with counter" in summary.cause


async def test_triggers_at_the_limit_are_warned_of_and_missed_ones_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        sent = 0
        await asyncio.sleep(0.05)
        while sent < 60:
            assert rig.camera.recording
            # As soon as the camera takes one.
            if rig.camera.trigger():
                sent += 1
            await asyncio.sleep(rig.camera.period_ns * 1e-9 / 50)
        await asyncio.sleep(0.1)

    caplog.set_level("INFO")
    camera = VirtualCamera(EDGE_55)
    summary = await record(camera, tmp_path / "x.h5", TRIGGERED, act, triggers=62)
    assert summary.frames == 60
    assert summary.verdict == "frames lost"
    assert "62 triggers were expected, which make 62 frames, and 60 were exposed" in summary.cause
    rate = 1e9 / camera.period_ns
    assert f"triggers may come {rate:.6g} times a second at most" in caplog.text
    with opened(tmp_path / "x.h5") as file:
        assert file[DETECTOR]["maximum_trigger_rate"][()] == pytest.approx(rate)
        assert b"62 triggers" in file["entry/cause"][()]
        notes = [row["command"].decode() for row in file["entry/commands"]]
    assert any("triggers come as fast as the camera takes them" in note for note in notes)


async def test_as_many_frames_as_triggers_are_complete(tmp_path: Path) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        for _trigger in range(5):
            assert rig.camera.trigger()
            await asyncio.sleep(0.03)

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", TRIGGERED, act, triggers=5)
    assert (summary.verdict, summary.frames) == ("complete", 5)
