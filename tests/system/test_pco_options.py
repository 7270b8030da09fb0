"""Whole runs of PCO cameras with options: light sheet, double images, clocks by IRIG."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorder.control.dispatcher import Dispatcher
from recorder.errors import RecorderError
from recorder.storage.layout import DETECTOR
from tests.system.test_pco import check_frames, opened, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig
from tests.virtual_sc2.models import DICAM, EDGE_55, EDGE_OPTIONS, FLIM, GLOBAL, PIXELFLY, Model

pytestmark = pytest.mark.usefixtures("virtual_time")


async def test_a_light_sheet_is_recorded_line_by_line(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    settings = {
        "line_time": "20us",
        "exposure_lines": 25,
        "delay_lines": 20,
        "pixel_rate": 95_333_333,
        "roi": [1153, 981, 1408, 1180],
    }
    summary = await record(camera, tmp_path / "x.h5", settings, frames=60)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 60, 0)
    with opened(tmp_path / "x.h5") as file:
        check_frames(file, camera)
        detector = file[DETECTOR]
        assert (detector["sequence_number"][:] == np.arange(1, 61)).all()
        # 200 rows and a pause of 20, each 20 us; a row is exposed for 25 of them.
        assert np.allclose(np.diff(detector["start_time"][:]), 220 * 20e-6, atol=2e-6)
        assert set(detector["count_time"][:]) == {0.0005}
        expected = {
            "light_sheet": b"on",
            "line_time": 20e-6,
            "exposure_lines": 25,
            "delay_lines": 20,
            "readout": b"top bottom",
            "exposure_time": 0.0005,
            "delay_time": 0.0004,
        }
        assert {name: detector[name][()] for name in expected} == expected
        assert b'line_time = "20us"' in file["entry/configuration"][()]
        assert b"\nexposure = " not in file["entry/configuration"][()]
    # The next program finds its rows in the order it is used to.
    assert camera.options.row_order == 0x0100


async def test_a_pulse_at_the_acquire_input_is_a_capture(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_55)

    async def pulse(dispatch: Dispatcher, rig: Rig) -> None:
        await asyncio.sleep(1)
        camera.acquire_input = lambda: True
        await asyncio.sleep(0.1)
        camera.acquire_input = lambda: False
        await asyncio.sleep(1)

    settings = {"rate": 100, "roi": [1153, 1017, 1408, 1144]}
    recording: dict[str, Any] = {"pretrigger": 30, "posttrigger": 20, "capture_input": True}
    summary = await record(camera, tmp_path / "x.h5", settings, pulse, **recording)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 50, 0)
    with opened(tmp_path / "x_001_input.h5") as file:
        check_frames(file, camera)
        assert (file[DETECTOR]["relative_frame"][:] == np.arange(-30, 20)).all()


async def test_an_input_that_the_camera_has_not_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording: dict[str, Any] = {"pretrigger": 5, "capture_input": True, "duration": "1s"}
    await record(VirtualCamera(PIXELFLY), tmp_path / "x.h5", {}, **recording)
    assert "recording.capture_input: this camera has no acquire input" in caplog.text


@pytest.mark.parametrize(
    ("model", "settings", "rows", "columns"),
    [
        (PIXELFLY, {}, 1040, 1392),
        (replace(EDGE_OPTIONS, shutter=GLOBAL), {"roi": [1153, 981, 1408, 1180]}, 200, 256),
    ],
    ids=["stamped", "metadata"],
)
async def test_a_pair_of_images_is_one_frame(
    tmp_path: Path, model: Model, settings: dict[str, Any], rows: int, columns: int
) -> None:
    camera = VirtualCamera(model)
    summary = await record(camera, tmp_path / "x.h5", {**settings, "double_image": True}, frames=12)
    assert (summary.verdict, summary.frames, summary.lost) == ("complete", 12, 0)
    with opened(tmp_path / "x.h5") as file:
        detector = file[DETECTOR]
        assert detector["data"].shape == (12, 2 * rows, columns)
        check_frames(file, camera)
        # A pair counts as one, and takes two readouts.
        assert (detector["sequence_number"][:] == np.arange(1, 13)).all()
        assert np.allclose(np.diff(detector["start_time"][:]), camera.period_ns * 1e-9, atol=2e-6)
        assert camera.period_ns > 2 * camera.readout_ns
        assert detector["double_image"][()] == b"on"
        assert detector["roi"][()].decode().endswith(f",{settings['roi'][3] if settings else rows}")


async def test_pairs_that_come_as_single_images_are_refused(tmp_path: Path) -> None:
    camera = VirtualCamera(replace(EDGE_OPTIONS, shutter=GLOBAL), delivered_shape=(200, 256))
    settings = {"roi": [1153, 981, 1408, 1180], "double_image": True}
    with pytest.raises(RecorderError, match="delivers frames of 256x200, where 256x400 was expected"):
        await record(camera, tmp_path / "x.h5", settings, frames=3)


async def test_what_the_camera_reckons_of_its_frames_is_in_the_file(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    settings = {"delay": "2ms", "roi": [1153, 981, 1408, 1180]}
    await record(camera, tmp_path / "x.h5", settings, frames=3)
    with opened(tmp_path / "x.h5") as file:
        detector = file[DETECTOR]
        known = {name: detector[name][()] for name in detector if name.startswith("armed_")}
    assert known == {
        "armed_frame_time": camera.period_ns / 1e9,
        # Whole line times, not the 500 us asked for.
        "armed_exposure_time": 54 * 9.259e-6,
        "armed_trigger_delay": 0.0020015,
        # It does not know its system delay.
        "armed_trigger_jitter": 250e-9,
    }


async def test_who_synchronises_the_clock_is_noted_where_it_changes(tmp_path: Path) -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    camera.options.sync = {1: (1, 0), 30: (0, 0), 40: (1, 0)}
    summary = await record(camera, tmp_path / "x.h5", {"roi": [1153, 981, 1408, 1180]}, frames=400)
    assert (summary.verdict, summary.frames) == ("complete", 400)
    with opened(tmp_path / "x.h5") as file:
        rows = [(row["source"], row["command"].decode()) for row in file["entry/commands"]]
    assert rows == [
        (b"camera", "note from number 1 on the camera's clock follows IRIG"),
        (b"camera", "note from number 30 on the camera's clock follows its own oscillator"),
        (b"camera", "note from number 40 on the camera's clock follows IRIG"),
    ]


async def test_a_timing_that_is_not_locked_from_the_start_is_noted(tmp_path: Path) -> None:
    settings = {"roi": [1153, 981, 1408, 1180], "trigger": "external synchronized"}

    async def act(_: Dispatcher, rig: Rig) -> None:
        for _trial in range(3):
            rig.camera.trigger()
            await asyncio.sleep(0.05)

    await record(VirtualCamera(EDGE_OPTIONS), tmp_path / "x.h5", settings, act)
    with opened(tmp_path / "x.h5") as file:
        (row,) = file["entry/commands"]
    assert row["command"] == b"note from number 1 on the camera is not locked to the external signal"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (FLIM, "pco.flim 61000001: this program cannot set the modulation of a pco.flim"),
        (DICAM, "pco.dicam C1 61000001: this program cannot set an image intensifier"),
        (replace(EDGE_55, has=replace(EDGE_55.has, subtype=0xDC00)), "cannot set an image intensifier"),
    ],
    ids=["flim", "dicam", "the first dicam"],
)
async def test_a_camera_that_needs_more_is_refused(tmp_path: Path, model: Model, words: str) -> None:
    camera = VirtualCamera(model)
    with pytest.raises(RecorderError, match=re.escape(words)):
        await record(camera, tmp_path / "x.h5", {}, frames=3)
    assert not camera.is_open
    assert not list(tmp_path.glob("*.h5"))
