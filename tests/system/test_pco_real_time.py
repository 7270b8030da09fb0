"""PCO cameras on the clock that everybody has: a run, what is done without one, and the real libraries."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.camera.pco.camera import PcoCamera
from recorder.errors import RecorderError
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.system.conftest import ROOT, Recorder
from tests.system.test_pco import check_frames, opened, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import EDGE_42, EDGE_55


async def test_full_frames_arrive_bit_exact_with_their_metadata(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_55)
    # Slow enough for a busy computer, whose FIFO it would overflow.
    summary = await record(camera, tmp_path / "x.h5", {"rate": 20}, frames=30)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 30, 0)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        detector = file[DETECTOR]
        assert (detector["frame_number"][:] == np.arange(1, 31)).all()
        assert set(detector["exposure"][:]) == {54 * 9_259e-9}
        assert set(detector["temperature"][:]) == {7.0}
        assert np.allclose(np.diff(detector["frame_time"][:]), camera.period_ns * 1e-9, atol=2e-6)
        assert detector["description"][()] == b"pco.edge 5.5 M CLHS"
        assert detector["serial_number"][()] == b"61000001"
        assert detector["firmware"][()] == b"main uP 1.22"
        assert detector["cooling_setpoint"][()] == 5.0


@pytest.mark.usefixtures("seconds_begin_at_once")
def test_a_live_exposure_asks_only_what_may_have_changed() -> None:
    settings = {"kind": "pco", "exposure": "6s", "rate": 0.15}
    with installed(VirtualCamera(EDGE_42)) as rig:
        device = PcoCamera(validate({"camera": settings}).camera)  # type: ignore[arg-type]
        device.open()
        device.arm()
        before = rig.calls.copy()
        # Longer than cameras can that keep a rate themselves; this one is kept by a delay.
        assert device.set_exposure(5.8) == pytest.approx(5.8, abs=1e-5)
        after = {name: count - before.get(name, 0) for name, count in rig.calls.items()}
        assert {name: count for name, count in after.items() if count} == {
            "PCO_SetDelayExposureTime": 2,
            "PCO_GetDelayExposureTime": 3,
            "PCO_GetCOCRuntime": 2,
        }
        assert abs(rig.camera.period_ns - 1e9 / 0.15) < 1e4
        device.disarm()
        device.close()


@pytest.mark.usefixtures("seconds_begin_at_once")
async def test_another_shutter_restarts_that_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.camera.pco.shutter.RESTART_S", 0.01)
    camera = VirtualCamera(EDGE_55)
    other = VirtualCamera(replace(EDGE_55, serial=7))
    settings = validate({"camera": {"kind": "pco", "shutter": "global shutter"}}).camera
    with installed(camera, other) as rig:
        for reboots in (1, 1):
            device = PcoCamera(settings)  # type: ignore[arg-type]
            device.open()
            device.close()
            assert rig.calls["PCO_RebootCamera"] == reboots
    assert (camera.shutter, other.shutter) == (2, 1)


async def test_a_restart_for_another_shutter_hears_a_stop(tmp_path: Path) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"kind": "pco", "shutter": "global shutter"},
        "pool": {"memory": "100MB"},
    }
    with installed(VirtualCamera(EDGE_55)) as rig:
        session = build_session(validate(tree), dry_run=False)
        async with session_context(session):
            starting = asyncio.ensure_future(session.start())
            async with asyncio.timeout(5):
                while not rig.calls.get("PCO_RebootCamera"):
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.2)
                began_s = time.monotonic()
                session.stop()
                await starting
                with pytest.raises(RecorderError, match="stopped while the camera restarts"):
                    await session.close()
            assert time.monotonic() - began_s < 1
    assert not list(tmp_path.glob("*.h5"))


def test_cameras_with_the_real_libraries_and_no_camera_end_in_words(recorder: Recorder) -> None:
    done = recorder("cameras", seconds=20)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "no camera found: check its cable" in done.err or "libusb-1.0" in done.err


def test_a_run_with_the_real_libraries_and_no_camera_leaves_no_file(
    recorder: Recorder, tmp_path: Path
) -> None:
    done = recorder("run", ROOT / "configs" / "edge55.toml", "--headless", "--json", seconds=20)
    assert done.code == 1
    assert done.json["verdict"] == "failed"
    assert "no camera found" in done.err or "libusb-1.0" in done.err
    assert not list(tmp_path.iterdir())
