"""Whole runs of PCO cameras: the vendor's package on virtual ones, and its real libraries without any."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.control.dispatcher import Dispatcher
from recorder.errors import ConfigurationError, RecorderError
from recorder.frontends.session_context import session_context
from recorder.session.status import Summary
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.virtual_sc2.camera import DISCONNECTED, VirtualCamera
from tests.virtual_sc2.libraries import Rig, installed
from tests.virtual_sc2.models import EDGE_55, EDGE_COLOUR, PANDA_42, PCO_1400, Model

pytestmark = pytest.mark.usefixtures("virtual_time")

SMALL = [1153, 1017, 1408, 1144]

Act = Callable[[Dispatcher, Rig], Awaitable[None]]


async def record(
    camera: VirtualCamera,
    path: Path,
    settings: dict[str, Any],
    act: Act | None = None,
    storage: dict[str, Any] | None = None,
    **recording: Any,
) -> Summary:
    """Record from a virtual camera; `act` once it runs. Only one thread may call the SDK."""
    tree = {
        "recording": {"output": str(path), **recording},
        "camera": {"kind": "pco", "exposure": "500us", **settings},
        "pool": {"memory": "100MB"},
        "storage": storage or {},
    }
    with installed(camera) as rig:
        session = build_session(validate(tree), dry_run=False)
        async with session_context(session) as dispatch:
            try:
                await session.start()
                if act is not None:
                    await act(dispatch, rig)
                    session.stop()
                await session.stopped()
            finally:
                summary = await session.close()
        assert not rig.strays
        assert not camera.is_open
        assert rig.calls.get("PCO_RecorderCopyImage", 0) >= summary.frames
    return summary


def held_up(dispatch: Dispatcher, seconds: float) -> "asyncio.Future[None]":
    """Hold up the camera thread, but not the camera."""
    run = dispatch.session.run
    assert run is not None
    return run.ask_camera(lambda _: time.sleep(seconds))


async def fall_silent(dispatch: Dispatcher, rig: Rig) -> None:
    """Have the FIFO of a camera overflow that falls silent at that; it does once its FIFO is looked at."""
    await asyncio.sleep(0.2)
    await held_up(dispatch, 0.3)
    async with asyncio.timeout(20):
        while not rig.camera.fell_silent:
            await asyncio.sleep(0.002)


async def overfill(dispatch: Dispatcher, rig: Rig, triggers: int) -> None:
    """Trigger frames that nobody reads until the run is stopped."""
    holding = held_up(dispatch, 0.8)
    for _ in range(triggers):
        rig.camera.trigger()
        await asyncio.sleep(0.01)
    dispatch.session.stop()
    await holding


def opened(path: Path) -> h5py.File:
    return h5py.File(path)


def check_frames(file: h5py.File, camera: VirtualCamera) -> None:
    """Every frame is, to the pixel, the one of its number and time."""
    assert camera.sensor is not None
    detector = file[DETECTOR]
    stamped = detector["timestamp_mode"][()] != b"off"
    assert detector["data"].shape[1:] == camera.sensor.pictures[0].shape
    for i, number in enumerate(detector["frame_number"][:]):
        pixels = detector["data"][i]
        picture = camera.sensor.pictures[int(number) % 4]
        begin = 14 if stamped else 0
        assert (pixels.reshape(-1)[begin:] == picture.reshape(-1)[begin:]).all(), number
        digits = [int(v) & 0xFF for v in pixels.reshape(-1)[:4]]
        assert not stamped or int("".join(f"{v:02x}" for v in digits)) == number % 100_000_000


@pytest.mark.parametrize(
    ("model", "settings", "dtype"),
    [
        (PCO_1400, {"roi": [1, 1, 128, 64]}, np.uint16),
        (PANDA_42, {"roi": [1, 1, 128, 64], "pixel_format": "8"}, np.uint8),
        (EDGE_COLOUR, {"roi": [1154 - 1, 1018, 1408, 1143]}, np.uint16),
    ],
    ids=["no metadata", "8 bit", "colour"],
)
async def test_other_models_too(
    tmp_path: Path, model: Model, settings: dict[str, Any], dtype: type[np.generic]
) -> None:
    camera = VirtualCamera(model)
    summary = await record(camera, tmp_path / "x.h5", settings, frames=40)
    assert (summary.verdict, summary.frames) == ("complete", 40)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        detector = file[DETECTOR]
        assert detector["data"].dtype == dtype
        assert np.isnan(detector["exposure"][:]).all() == (model is PCO_1400)
        if model is EDGE_COLOUR:
            # One row down from the sensor's own RGGB.
            assert detector["color_pattern"][()] == b"GBRG"


async def test_a_live_exposure_shows_in_the_frames(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.2)
        outcome = await dispatch.execute("exposure 2ms", "console")
        assert outcome is not None
        told.append(outcome.effective_frame)
        refused = await dispatch.execute("exposure 20s", "console")
        assert refused is not None
        assert refused.status == "failed"
        assert "from 500us to 2s" in refused.message
        assert (await dispatch.execute("trigger", "console")).status == "failed"  # type: ignore[union-attr]

    told: list[int | None] = []
    await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    with opened(tmp_path / "x.h5") as file:
        assert told == [int(np.flatnonzero(file[DETECTOR]["exposure"][:] > 0.0019)[0])]


async def test_a_rate_is_kept_by_the_camera_or_by_a_delay(tmp_path: Path) -> None:
    for model in (PANDA_42, EDGE_55):
        path = tmp_path / f"{model.camera_type}.h5"
        await record(VirtualCamera(model), path, {"rate": 30, "exposure": "2ms"}, frames=10)
        with opened(path) as file:
            assert np.allclose(np.diff(file[DETECTOR]["frame_time"][:]), 1 / 30, atol=2e-5)


async def test_frames_come_when_they_are_triggered(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        for _ in range(5):
            assert (await dispatch.execute("trigger", "console")).status == "ok"  # type: ignore[union-attr]
            await asyncio.sleep(0.03)
        for _ in range(5):
            assert rig.camera.trigger()
            await asyncio.sleep(0.03)

    settings = {"roi": SMALL, "trigger": "external exposure start & software trigger"}
    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.frames) == ("complete", 10)


async def test_dropped_frames_are_the_cameras_and_an_overflow_is_the_fifos(tmp_path: Path) -> None:
    dropped = {20, 21, 50}

    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.4)
        await held_up(dispatch, 0.4)
        await asyncio.sleep(0.3)

    camera = VirtualCamera(EDGE_55, dropped=dropped)
    settings = {"roi": SMALL, "fifo": 40, "rate": 400}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        numbers = file[DETECTOR]["frame_number"][:]
        losses = file["entry/losses"][:]
        assert numbers[0] == 1
        assert numbers[-1] == len(numbers) + losses["count"].sum()
        by_cause = {
            cause: losses["count"][losses["cause"] == cause].sum()
            for cause in (b"counter gap", b"camera overflow")
        }
        assert by_cause[b"counter gap"] == len(dropped)
        assert by_cause[b"camera overflow"] > 50
    assert (summary.verdict, summary.lost) == ("frames lost", losses["count"].sum())


async def test_a_counter_may_begin_anywhere_and_wrap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(EDGE_55, first_number=99_999_990)
    settings = {"roi": SMALL, "timestamp": "binary"}
    summary = await record(camera, tmp_path / "x.h5", settings, frames=30)
    assert (summary.verdict, summary.lost) == ("complete", 0)
    assert "the camera's counter stands at 99999990 with the first frame" in caplog.text
    with opened(tmp_path / "x.h5") as file:
        assert (file[DETECTOR]["frame_number"][:] == np.arange(1, 31)).all()
        assert (file["data"][12].reshape(-1)[:4] & 0xFF).tolist() == [0, 0, 0, 2]


async def test_stop_and_start_begin_a_new_count(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.1)
        await dispatch.execute("stop", "console")
        outcome = await dispatch.execute("set camera.exposure 1ms", "console")
        assert outcome is not None
        assert outcome.status == "ok"
        await dispatch.execute("start", "console")
        await asyncio.sleep(0.1)

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    assert (summary.verdict, summary.lost) == ("complete", 0)
    with opened(tmp_path / "x_2.h5") as file:
        assert file[DETECTOR]["frame_number"][0] == 1
        assert np.allclose(file[DETECTOR]["exposure"][:], 0.001, atol=1e-5)


async def test_a_model_that_tells_no_exposure_is_not_waited_for(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, _: Rig) -> None:
        await asyncio.sleep(0.3)
        async with asyncio.timeout(2):
            outcome = await dispatch.execute("exposure 20ms", "console")
        assert outcome is not None
        assert "exposure 20ms; this camera's frames do not tell from which one on" in outcome.message
        await dispatch.execute("save new", "console")
        await asyncio.sleep(0.2)

    await record(VirtualCamera(PCO_1400), tmp_path / "x.h5", {"roi": [1, 1, 128, 64]}, act)
    with opened(tmp_path / "x_2.h5") as file:
        assert file[DETECTOR]["exposure_time"][()] == 0.02
        assert b'exposure = "20ms"' in file["entry/configuration"][()]


@pytest.mark.parametrize(
    ("interface", "settings", "is_told"),
    [
        (7, {}, True),
        (7, {"pixel_rate": 95_333_333}, False),
        (7, {"roi": [321, 1017, 2240, 1144]}, False),
        (11, {}, False),
    ],
    ids=["fast and wide", "slow", "narrow", "other interface"],
)
async def test_a_link_that_carries_fewer_bits_is_told_and_noted(
    tmp_path: Path, interface: int, settings: dict[str, Any], is_told: bool
) -> None:
    camera = VirtualCamera(replace(EDGE_55, interface=interface))
    await record(camera, tmp_path / "x.h5", settings, frames=5)
    with opened(tmp_path / "x.h5") as file:
        rows = [row["command"].decode() for row in file["entry/commands"]]
    assert any("to keep 16 set camera.pixel_rate = 95333333" in row for row in rows) == is_told


async def test_frames_triggered_into_a_full_fifo_are_no_complete_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        await overfill(dispatch, rig, 60)

    # It does not count what its sensor exposes, as the first edges do.
    camera = VirtualCamera(replace(EDGE_55, camera_type=0x1800))
    settings = {"roi": SMALL, "fifo": 20, "trigger": "external exposure start & software trigger"}
    summary = await record(camera, tmp_path / "x.h5", settings, act)
    assert (summary.verdict, summary.losses) == ("frames lost", {"camera overflow": 1})
    assert "frames triggered since then are lost" in caplog.text


async def test_what_the_fifo_lost_before_a_stop_is_counted(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        rigs.append(rig)
        await asyncio.sleep(0.3)
        holding = held_up(dispatch, 0.5)
        await asyncio.sleep(0.1)
        dispatch.session.stop()
        await holding

    rigs: list[Rig] = []
    camera = VirtualCamera(EDGE_55)
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL, "fifo": 40}, act)
    assert summary.verdict == "frames lost"
    exposed = camera.fifo
    assert exposed is not None
    assert abs(summary.frames + summary.lost - exposed._exposed) <= 5
    # What is missing is waited for in vain, for a second, but not with a whole core.
    assert 1000 < rigs[0].calls["PCO_RecorderGetStatus"] < 5000


@pytest.mark.parametrize("end", ["abort", "error"])
async def test_what_waits_in_the_fifo_is_not_lost_in_silence(tmp_path: Path, end: str) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.3)
        holding = held_up(dispatch, 0.3)
        await asyncio.sleep(0.1)
        if end == "abort":
            dispatch.session.abort()
        else:
            rig.camera.faults["PCO_RecorderGetStatus"] = DISCONNECTED
        await holding
        await dispatch.session.stopped()
        exposed.append(rig.camera.fifo._exposed)  # type: ignore[union-attr]

    exposed: list[int] = []
    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    if end == "abort":
        assert summary.losses == {"aborted": summary.lost}
        assert abs(summary.frames + summary.lost - exposed[0]) <= 5
    else:
        # The camera is gone, but not what it had delivered before.
        assert summary.verdict == "failed"
        assert summary.frames > 200


async def test_a_question_that_is_not_answered_ends_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recorder.camera.pco.camera.INTERVAL_S", 0.02)
    camera = VirtualCamera(
        EDGE_55, faults={"PCO_GetCameraHealthStatus": 0xA0160005}, after={"PCO_GetCameraHealthStatus": 6}
    )
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=500)
    assert (summary.verdict, summary.frames) == ("complete", 500)
    assert caplog.text.count("asking the camera for its health: the camera does not answer in time") == 1


async def test_a_start_that_fails_says_so(tmp_path: Path) -> None:
    async def act(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        await dispatch.execute("stop", "console")
        rig.camera.faults["PCO_ArmCamera"] = 0x8016100A
        outcome = await dispatch.execute("start", "console")
        assert outcome is not None
        assert outcome.status == "failed"
        assert "too hot" in outcome.message

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    assert summary.verdict == "failed"


FAULTS = {
    "PCO_RecorderGetStatus": "the camera is gone",
    "PCO_RecorderCopyImage": "reading frame",
}


@pytest.mark.parametrize("function", FAULTS)
async def test_a_fault_while_reading_ends_the_run_and_keeps_the_file(tmp_path: Path, function: str) -> None:
    camera = VirtualCamera(EDGE_55, faults={function: DISCONNECTED}, after={function: 30})
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL})
    assert (summary.verdict, summary.exit_code) == ("failed", 1)
    assert FAULTS[function] in summary.cause
    assert "0x80162015" in summary.cause
    with opened(tmp_path / "x.h5") as file:
        assert file["entry/verdict"][()] == b"failed"
        numbers = file[DETECTOR]["frame_number"][:]
        assert (numbers == np.arange(1, len(numbers) + 1)).all()
        assert len(numbers) > 0
        check_frames(file, camera)


async def test_a_camera_that_vanishes_ends_the_run(tmp_path: Path) -> None:
    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.2)
        rig.camera.gone = True
        await asyncio.sleep(0.3)
        rig.camera.is_open = False

    summary = await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    assert summary.verdict == "failed"
    assert "check its cable and power" in summary.cause


async def test_a_silent_camera_ends_the_run_after_its_timeout(tmp_path: Path) -> None:
    settings = {"roi": SMALL, "trigger": "external exposure control", "timeout": "300ms"}
    with pytest.raises(RecorderError, match=r"no frame for 0.3 s since it was armed: check trigger"):
        await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", settings)
    assert not (tmp_path / "x.h5").exists()


OPENING = [
    "PCO_ScanCameras", "PCO_OpenCameraDevice", "PCO_GetCameraType", "PCO_GetCameraDescription", "PCO_SetROI",
    "PCO_SetBinning", "PCO_SetPixelRate", "PCO_SetTriggerMode", "PCO_SetTimestampMode", "PCO_SetMetaDataMode",
    "PCO_SetDelayExposureTime", "PCO_GetDelayExposureTime", "PCO_GetCOCRuntime", "PCO_ArmCamera",
    "PCO_GetCameraHealthStatus", "PCO_RecorderCreate", "PCO_RecorderInit",
    "PCO_RecorderStartRecord",
]  # fmt: skip


@pytest.mark.parametrize("function", OPENING)
async def test_an_error_before_the_first_frame_is_told_and_leaves_no_file(
    tmp_path: Path, function: str
) -> None:
    camera = VirtualCamera(EDGE_55, faults={function: 0x80161009})
    with pytest.raises(RecorderError, match=r"(?s)^(?!.*Traceback).*(0x80161009|no camera found)"):
        await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=5)
    assert not list(tmp_path.glob("*.h5"))
    assert not list(tmp_path.glob("*.jsonl"))


async def test_what_a_model_does_not_tell_of_itself_is_left_out(tmp_path: Path) -> None:
    silent = ("PCO_GetAcquireMode", "PCO_GetTemperature", "PCO_GetStorageMode")
    camera = VirtualCamera(EDGE_55, faults=dict.fromkeys(silent, 0x80161020))
    camera.faults["PCO_SetStorageMode"] = 0x80161020
    summary = await record(camera, tmp_path / "x.h5", {"roi": SMALL}, frames=5)
    assert (summary.verdict, summary.frames) == ("complete", 5)
    with opened(tmp_path / "x.h5") as file:
        assert "acquire_mode" not in file[DETECTOR]
        assert file[DETECTOR]["trigger_mode"][()] == b"auto sequence"


@pytest.mark.parametrize("model", [EDGE_55, PCO_1400], ids=["metadata", "stamp"])
async def test_frames_whose_transfer_failed_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, model: Model
) -> None:
    camera = VirtualCamera(model, spoiled={1: 0x80332005, 30: 0x80332005, 31: 0x80332005})
    summary = await record(
        camera, tmp_path / "x.h5", {"roi": SMALL if model is EDGE_55 else [1, 1, 128, 64]}, frames=60
    )
    assert (summary.verdict, summary.frames, summary.losses) == ("frames lost", 60, {"counter gap": 3})
    assert "the transfer of 1 frame failed, the last time after frame 0" in caplog.text
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        assert set(range(1, 64)) - set(file[DETECTOR]["frame_number"][:]) == {1, 30, 31}


async def test_a_setting_the_camera_cannot_have_is_refused_before_anything_is_set(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_55)
    with pytest.raises(
        ConfigurationError, match=r"camera.roi = \[1, 1, 2562, 100\]: x must go up, within 1 and 2560"
    ):
        await record(camera, tmp_path / "x.h5", {"roi": [1, 1, 2562, 100]}, frames=5)
    assert camera.settings.roi == (1, 1, 2560, 2160)


async def test_shot_noise_wants_what_no_camera_tells_before_anything_is_recorded(tmp_path: Path) -> None:
    storage, path = {"compression": "shot-noise"}, tmp_path / "x.h5"
    for settings, key in (({}, "read_noise"), ({"binning": [2, 2]}, "conversion_factor")):
        camera = VirtualCamera(EDGE_55)
        with pytest.raises(ConfigurationError, match=rf"storage\.{key}: missing; .*\bset it, for example"):
            await record(camera, path, settings, storage=storage, frames=5)
        assert not camera.recording
        assert not path.exists()
    await record(
        VirtualCamera(EDGE_55), path, {"roi": SMALL}, storage=storage | {"read_noise": 1.5}, frames=5
    )
    with opened(path) as file:
        told = {name: file[DETECTOR][name][()] for name in ("conversion_factor", "read_noise", "dark_offset")}
    assert told == {"conversion_factor": 0.46, "read_noise": 1.5, "dark_offset": 100}


async def test_warnings_of_the_camera_are_told_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.camera.pco.camera.INTERVAL_S", 0.05)

    async def act(_: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(0.1)
        rig.camera.health = (0x4, 0)
        await asyncio.sleep(0.2)
        rig.camera.health = (0, 0)
        await asyncio.sleep(0.2)

    await record(VirtualCamera(EDGE_55), tmp_path / "x.h5", {"roi": SMALL}, act)
    with opened(tmp_path / "x.h5") as file:
        rows = [(row["source"], row["command"]) for row in file["entry/commands"]]
    assert rows == [
        (b"camera", b"note camera warning: camera warm"),
        (b"camera", b"note camera warning: camera warm is over"),
    ]
