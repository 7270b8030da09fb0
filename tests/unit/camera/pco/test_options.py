import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from recorder.camera.pco.camera import PcoCamera
from recorder.camera.pco.description import details
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.options import OPTIONS
from recorder.camera.pco.setup import check, set_up
from recorder.camera.pco.validation import check_times
from recorder.errors import CameraError, ConfigurationError
from recorder.settings.model import validate
from recorder.settings.pco_camera import PcoCameraSettings
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig, installed
from tests.virtual_sc2.models import (
    DIMAX,
    EDGE_55,
    EDGE_OPTIONS,
    PCO_1400,
    PCO_1600,
    PIXELFLY,
    Model,
)


def settings_of(**settings: Any) -> PcoCameraSettings:
    camera = validate({"camera": {"kind": "pco", **settings}}).camera
    assert isinstance(camera, PcoCameraSettings)
    return camera


@contextmanager
def opened(camera: VirtualCamera, settings: PcoCameraSettings) -> Iterator[tuple[OpenCamera, Rig]]:
    import pco

    with installed(camera) as rig:
        vendor = pco.Camera()
        try:
            yield OpenCamera.of(vendor, settings), rig
        finally:
            vendor.close()


def stored(camera: VirtualCamera, **settings: Any) -> dict[str, Any]:
    """What the file says of a camera that is set up with these settings."""
    wanted = settings_of(**settings)
    with opened(camera, wanted) as (device, _):
        return details(device, set_up(device, wanted))


def refusal(model: Model, **settings: Any) -> str:
    wanted = settings_of(**settings)
    with opened(VirtualCamera(model), wanted) as (device, rig):
        before = {name for name in rig.calls if "_Set" in name}
        with pytest.raises(ConfigurationError) as refused:
            check(device, wanted)
            check_times(wanted, device.description)
        assert {name for name in rig.calls if "_Set" in name} == before
    return str(refused.value)


@pytest.mark.parametrize(
    ("model", "settings", "kept"),
    [
        (EDGE_OPTIONS, {"hot_pixel_correction": True}, {"hot_pixel_correction": "on", "noise_filter": "off"}),
        (EDGE_OPTIONS, {"noise_filter": True}, {"hot_pixel_correction": "off", "noise_filter": "on"}),
        (
            PCO_1600,
            {"noise_filter": True, "hot_pixel_correction": True},
            {"noise_filter": "on & hot pixel correction", "hot_pixel_correction": "on"},
        ),
        (PCO_1600, {"noise_filter": True}, {"noise_filter": "on", "hot_pixel_correction": "off"}),
        (
            EDGE_OPTIONS,
            {"binning": [2, 2], "binning_mode": "average"},
            {"binning": "2x2", "binning_mode": "average"},
        ),
        (EDGE_OPTIONS, {"binning": [2, 2]}, {"binning": "2x2", "binning_mode": "sum"}),
        (EDGE_OPTIONS, {"fan": 40, "status_led": False}, {"fan": "40", "status_led": "off"}),
        (EDGE_OPTIONS, {"fan": "auto", "status_led": True}, {"fan": "auto", "status_led": "on"}),
        (EDGE_OPTIONS, {}, {"sensor_format": "standard", "sensor_width": 2560, "sensor_height": 2160}),
        (
            EDGE_OPTIONS,
            {"sensor_format": "extended"},
            {
                "sensor_format": "extended",
                "sensor_width": 2592,
                "sensor_height": 2192,
                "roi": "1,1,2592,2192",
            },
        ),
        (
            PIXELFLY,
            {"sensor_format": "extended", "exposure": "1ms"},
            {"sensor_width": 800, "roi": "1,1,800,600"},
        ),
        (
            PIXELFLY,
            {"ir_sensitivity": True, "exposure": "30s"},
            {"ir_sensitivity": "on", "exposure_time": 30},
        ),
        (PIXELFLY, {}, {"ir_sensitivity": "off", "double_image": "off", "hot_pixel_correction": "off"}),
        (PCO_1600, {"adcs": 2}, {"adcs": "2", "offset_mode": "auto"}),
        (PCO_1600, {"offset_mode": "off"}, {"adcs": "1", "offset_mode": "off"}),
    ],
)
def test_what_is_set_is_what_the_file_says(
    model: Model, settings: dict[str, Any], kept: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    known = stored(VirtualCamera(model), **settings)
    assert {key: known[key] for key in kept} == kept
    assert not caplog.records


def test_a_camera_without_an_option_says_nothing_of_it() -> None:
    known = stored(VirtualCamera(PCO_1400))
    assert not {option.key for option in OPTIONS} & known.keys() - {"sensor_format"}


def test_corrections_are_never_left_as_they_were_found() -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    camera.options.hot_pixel_correction = camera.options.noise_filter = 1
    assert stored(camera)["hot_pixel_correction"] == "off"
    assert (camera.options.hot_pixel_correction, camera.options.noise_filter) == (0, 0)


def test_what_is_set_already_is_not_set_again() -> None:
    wanted = settings_of()
    with opened(VirtualCamera(EDGE_OPTIONS), wanted) as (device, rig):
        set_up(device, wanted)
        assert not rig.calls.keys() & {"PCO_SetSensorFormat", "PCO_SetHotPixelCorrectionMode"}
        assert not rig.calls.keys() & {"PCO_SetFanControlParameters", "PCO_SetHWLEDSignal"}


def test_what_the_camera_does_not_take_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tests.virtual_sc2.options.OptionFunctions.sethotpixelcorrectionmode", lambda *_: 0)
    with caplog.at_level(logging.WARNING):
        known = stored(VirtualCamera(EDGE_OPTIONS), hot_pixel_correction=True)
    assert known["hot_pixel_correction"] == "off"
    assert "camera.hot_pixel_correction: asked for on, the camera has off" in caplog.text


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (EDGE_55, {"hot_pixel_correction": True}, "camera.hot_pixel_correction = true: this camera has no hot-pixel correction"),
        (PCO_1400, {"noise_filter": True}, "camera.noise_filter = true: this camera has no noise filter"),
        (PCO_1600, {"hot_pixel_correction": True}, "camera.hot_pixel_correction = true: this camera corrects hot pixels with its noise filter only; set camera.noise_filter = true too"),
        (EDGE_55, {"ir_sensitivity": True}, "camera.ir_sensitivity = true: this camera has no mode for infrared light"),
        (PIXELFLY, {"ir_sensitivity": True, "exposure": "1ms"}, "camera.exposure = 1ms: must be from 5ms to 1min on this camera"),
        (EDGE_55, {"adcs": 2}, "camera.adcs = 2: this camera has one converter only"),
        (PCO_1600, {"adcs": 2, "roi": [1, 1, 1000, 1200]}, "camera.roi = [1, 1, 1000, 1200]: x must be symmetric about the middle; the smallest that holds it is [1, 1, 1600, 1200]"),
        (EDGE_55, {"offset_mode": "off"}, "camera.offset_mode = off: this camera's offset cannot be regulated"),
        (EDGE_55, {"binning_mode": "average"}, "camera.binning_mode = average: this camera adds up the pixels that it bins; it must be sum"),
        (DIMAX, {"fan": 50}, "camera.fan = 50: this camera's fan cannot be set"),
        (DIMAX, {"status_led": False}, "camera.status_led = false: this camera's lights cannot be switched"),
        (replace(DIMAX, has=replace(DIMAX.has, extended=(1008, 1008))), {"sensor_format": "extended"}, "camera.sensor_format = extended: this camera has its standard format only"),
        (EDGE_OPTIONS, {"roi": [1, 1, 2592, 2192]}, "camera.roi = [1, 1, 2592, 2192]: x must go up, within 1 and 2560"),
        (EDGE_OPTIONS, {"sensor_format": "extended", "roi": [1, 1, 96, 2192]}, "camera.roi = [1, 1, 96, 2192]: its width of 96 is less than the least, 160; the smallest that holds it is [1, 1, 160, 2192]"),
        (EDGE_55, {"double_image": True}, "camera.double_image = true: this camera takes no pairs of images, or not with this shutter"),
        (EDGE_55, {"lines": [{"number": 1, "type": "contact mode"}]}, "camera.lines.type = contact mode: line 1 of this camera can be TTL"),
        (EDGE_OPTIONS, {"lines": [{"number": 1, "type": "contact mode"}]}, "camera.lines.type = contact mode: line 1 of this camera can be TTL or RS485 differential"),
        (EDGE_55, {"lines": [{"number": 1, "filter": "high"}]}, "camera.lines.filter = high: line 1 of this camera can be off"),
    ],
)  # fmt: skip
def test_what_a_camera_lacks_is_refused_with_the_reason(
    model: Model, settings: dict[str, Any], message: str
) -> None:
    assert refusal(model, **settings) == message


def test_lines_are_set_and_stored() -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    lines = [
        {"number": 1, "type": "RS485 differential", "filter": "medium"},
        {"number": 4, "timing": "all lines"},
    ]
    known = stored(camera, lines=lines)
    assert camera.lines[0][1:4] == [8, 4, 2]
    assert known["line_1"] == "on, RS485 differential, rising edge, filter medium, exposure trigger"
    assert known["line_2"] == "on, TTL, high level, filter off, acquire enable"
    assert known["line_4"] == "on, TTL, high level, filter off, status expos, all lines"


def test_a_live_exposure_keeps_to_the_limits_of_infrared() -> None:
    with installed(VirtualCamera(PIXELFLY)) as rig:
        device = PcoCamera(settings_of(ir_sensitivity=True))
        device.open()
        with pytest.raises(CameraError, match=r"camera\.exposure = 1ms: must be from 5ms to 1min"):
            device.set_exposure(0.001)
        assert device.set_exposure(0.02) == 0.02
        assert rig.camera.exposure_ns == 20_000_000
        device.close()


def test_the_size_of_a_pixel_is_that_of_a_binned_one_where_the_camera_tells_it() -> None:
    known = stored(VirtualCamera(EDGE_OPTIONS), binning=[2, 1])
    assert (known["x_pixel_size"], known["y_pixel_size"]) == (13e-6, 6.5e-6)
    assert "x_pixel_size" not in stored(VirtualCamera(EDGE_55))
