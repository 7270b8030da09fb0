import logging
from dataclasses import replace
from typing import Any

import pytest

from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.setup import Readout, set_up
from recorder.errors import ConfigurationError
from recorder.settings.model import validate
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import EDGE_55, PANDA_42


def readout(camera: VirtualCamera, **settings: Any) -> Readout:
    import pco

    wanted = validate({"camera": {"kind": "pco", "exposure": "500us", **settings}}).camera
    with installed(camera):
        opened = pco.Camera()
        try:
            return set_up(OpenCamera.of(opened, wanted), wanted)  # type: ignore[arg-type]
        finally:
            opened.close()


def test_a_region_that_is_no_faster_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fast = readout(VirtualCamera(EDGE_55), roi=[1, 1017, 2560, 1144])
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        # A hundred rows at the edge of a sensor that is read out from the middle.
        edge = VirtualCamera(replace(EDGE_55, camera_type=0x1800))
        slow = readout(edge, roi=[1, 1, 2560, 100])
    assert "as slowly as the full frame" in caplog.text
    assert slow.period_s > 8 * fast.period_s


def test_a_rate_out_of_reach_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    for model in (EDGE_55, PANDA_42):
        caplog.clear()
        slow = readout(VirtualCamera(model), rate=5000)
        assert "exposure and readout leave" in caplog.text
        assert slow.period_s > 0.009


def test_the_settings_reach_the_camera() -> None:
    camera = VirtualCamera(EDGE_55)
    got = readout(
        camera,
        roi=[17, 271, 656, 810],
        binning=[2, 2],
        pixel_rate=95_333_333,
        trigger="external exposure control",
        acquire="external",
        noise_filter=True,
        cooling=-7,
        delay="3ms",
        timestamp="binary & ascii",
    )
    s = camera.settings
    assert (s.roi, s.binning, s.pixel_rate) == ((17, 271, 656, 810), (2, 2), 95_333_333)
    assert (s.trigger, s.acquire, camera.options.noise_filter, s.timestamp, s.metadata) == (3, 1, 1, 2, 1)
    assert (camera.cooling, camera.delay_ns, camera.exposure_ns) == (-7, 3_000_000, 54 * 9_259)
    assert (got.format.height, got.format.width, got.period_s) == (540, 640, 0.0)


def test_hardware_lines_are_set_and_checked() -> None:
    camera = VirtualCamera(EDGE_55)
    lines = [
        {"number": 4, "signal": "status line", "timing": "all lines", "polarity": "low level"},
        {"number": 2, "on": False},
    ]
    readout(camera, lines=lines)
    assert camera.lines[3][:5] == [1, 1, 2, 1, 1]
    assert camera.lines[3][5] == [0, 4, 0, 0]
    assert camera.lines[1][0] == 0
    for wrong, message in (
        ({"number": 1, "polarity": "low level"}, "line 1 takes rising edge or falling edge"),
        ({"number": 3, "signal": "status expos"}, "tells status busy or status line or status armed"),
        ({"number": 3, "timing": "global"}, "only line 4 has it"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            readout(VirtualCamera(EDGE_55), lines=[wrong])
