"""Whole runs of PCO cameras with options: light sheet, double images, clocks by IRIG."""

from pathlib import Path

import numpy as np

from recorder.storage.layout import DETECTOR
from tests.system.test_pco import check_frames, opened, record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.models import EDGE_OPTIONS


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
