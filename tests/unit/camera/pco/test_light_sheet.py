import logging
from dataclasses import replace
from typing import Any

import pytest

from recorder.camera.pco.camera import PcoCamera
from recorder.errors import CameraError, ConfigurationError
from recorder.settings.model import override, validate
from recorder.units import format_seconds
from tests.unit.camera.pco.test_options import refusal, settings_of, stored
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import EDGE_55, EDGE_OPTIONS, PANDA_42, Model

SHEET: dict[str, Any] = {"line_time": "44.364us", "exposure_lines": 128, "pixel_rate": 95_333_333}
FAST = replace(EDGE_OPTIONS, has=replace(EDGE_OPTIONS.has, fast_lines=True))


def test_lines_make_the_exposure_and_the_frame_time() -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    known = stored(camera, **SHEET, delay_lines=40)
    # The package would cut off a nanosecond.
    assert camera.options.line_time_ns == 44_364
    assert camera.options.lines == (128, 40)
    assert camera.options.row_order == 0
    # From one end of the sensor to the other, and the pause.
    assert camera.period_ns == (2160 + 40) * 44_364
    expected = {
        "light_sheet": "on",
        "line_time": 44.364e-6,
        "exposure_lines": 128,
        "delay_lines": 40,
        "readout": "top bottom",
        "exposure_time": 0.005678592,
        "delay_time": 0.00177456,
    }
    assert {key: known[key] for key in expected} == expected


def test_two_halves_that_are_read_at_once_take_half_the_time() -> None:
    camera = VirtualCamera(FAST)
    known = stored(
        camera,
        line_time="20us",
        exposure_lines=10,
        readout="center top center bottom",
        roi=[1, 981, 2560, 1180],
    )
    assert camera.period_ns == 100 * 20_000
    assert known["readout"] == "center top center bottom"


def test_an_order_of_rows_that_is_refused_matters_where_it_was_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = dict.fromkeys(("PCO_SetInterfaceOutputFormat", "PCO_GetInterfaceOutputFormat"), 0x80161020)
    with caplog.at_level(logging.WARNING):
        known = stored(VirtualCamera(EDGE_OPTIONS, faults=dict(faults)), **SHEET)
    assert "the order in which the camera reads its rows stays as it is" in caplog.text
    assert "readout" not in known
    with pytest.raises(ValueError, match="0x80161020"):
        stored(VirtualCamera(EDGE_OPTIONS, faults=dict(faults)), **SHEET, readout="top bottom")


def test_the_line_timing_of_somebody_before_is_switched_off() -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    camera.options.line_timing = 1
    known = stored(camera, exposure="2ms")
    assert (known["light_sheet"], known["readout"]) == ("off", "top center bottom center")
    assert known["exposure_time"] == pytest.approx(0.002, abs=1e-5)
    assert camera.options.line_timing == 0


def test_a_line_time_that_the_camera_rounds_much_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = VirtualCamera(EDGE_OPTIONS)
    monkeypatch.setattr(
        "tests.virtual_sc2.options.OptionFunctions.setcmoslineexposuredelay",
        lambda self, _, exposed, pause, *rest: self._set(True, lines=(exposed.value // 2, pause.value)),
    )
    with caplog.at_level(logging.WARNING):
        known = stored(camera, **SHEET)
    assert "the lines make 5.678592ms of exposure, the camera took 2.839296ms" in caplog.text
    assert known["exposure_time"] == 0.002839296


NO_LIMITS = replace(EDGE_OPTIONS, has=replace(EDGE_OPTIONS.has, line_time_ns=None))


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (PANDA_42, {"exposure": "5.678592ms"}, "camera.line_time = 44.364us: only a pco.edge has a light-sheet mode"),
        (NO_LIMITS, {}, "camera.line_time = 44.364us: this pco.edge has no light-sheet mode"),
        (EDGE_OPTIONS, {"line_time": None}, "camera.exposure_lines = 128: camera.line_time says how long a line takes, and is omitted"),
        (EDGE_OPTIONS, {"exposure_lines": None}, "camera.line_time = 44.364us: camera.exposure_lines says how long a row is exposed, and is omitted"),
        (EDGE_OPTIONS, {"line_time": None, "exposure_lines": None, "delay_lines": 3}, "camera.delay_lines = 3: camera.line_time says how long a line takes, and is omitted"),
        (EDGE_OPTIONS, {"line_time": "10us"}, "camera.line_time = 10us: must be from 17us to 100ms on this camera"),
        (EDGE_OPTIONS, {"line_time": "200ms", "exposure_lines": 2}, "camera.line_time = 200ms: must be from 17us to 100ms on this camera"),
        (EDGE_OPTIONS, {"pixel_rate": None}, "camera.pixel_rate = 286000000: with camera.line_time this camera has 95333333 only"),
        (EDGE_OPTIONS, {"rate": 5}, "camera.rate = 5: with camera.line_time the lines decide; omit it, and lengthen the pause with camera.delay_lines"),
        (EDGE_OPTIONS, {"delay": "1ms"}, "camera.delay = 1ms: with camera.line_time it is counted in camera.delay_lines; omit it"),
        (EDGE_OPTIONS, {"trigger": "external exposure control"}, "camera.trigger = external exposure control: the length of a pulse and camera.exposure_lines cannot both decide the exposure"),
        (EDGE_OPTIONS, {"shutter": "global shutter"}, "camera.shutter = global shutter: with camera.line_time rows are exposed one after the other; it must be rolling shutter"),
        (replace(EDGE_OPTIONS, shutter=2), {}, 'camera.line_time = 44.364us: the camera has its global shutter; set camera.shutter = "rolling shutter", or omit it'),
        (replace(EDGE_OPTIONS, shutter=2), {"double_image": True}, "camera.double_image = true: camera.line_time is for single images; leave one out"),
        (PANDA_42, {"line_time": None, "exposure_lines": None, "pixel_rate": None, "readout": "inverse"}, "camera.readout = inverse: only a pco.edge reads its rows in another order; omit it"),
    ],
)  # fmt: skip
def test_what_contradicts_the_lines_is_refused(model: Model, settings: dict[str, Any], message: str) -> None:
    tree = {key: value for key, value in {**SHEET, **settings}.items() if value is not None}
    assert refusal(model, **tree) == message


def test_limits_that_are_not_told_are_left_to_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    known = "tests.virtual_sc2.options.OptionFunctions.getcmoslinetiming"
    monkeypatch.setattr(known, lambda *_: 0)
    settings = {**SHEET, "line_time": "1us", "pixel_rate": 286_000_000}
    with pytest.raises(ValueError, match="0x80161016"):
        stored(VirtualCamera(EDGE_OPTIONS), **settings)


def test_a_live_exposure_is_refused() -> None:
    with installed(VirtualCamera(EDGE_OPTIONS)):
        device = PcoCamera(settings_of(**SHEET))
        device.open()
        with pytest.raises(CameraError, match=r"set camera\.exposure_lines N"):
            device.set_exposure(0.002)
        device.close()


def test_each_of_the_two_can_be_changed_alone() -> None:
    settings = validate({"camera": {"kind": "pco", **SHEET}})
    for key, value, exposure_s in (("exposure_lines", "64", 0.002839296), ("line_time", "20us", 0.00256)):
        changed = override(settings, f"camera.{key}={value}")
        assert changed.camera.exposure == pytest.approx(exposure_s)  # type: ignore[union-attr]
        assert validate(changed.to_tree()) == changed


@pytest.mark.parametrize("key", ["camera.exposure", "exposure"])
def test_another_exposure_than_the_lines_make_is_refused_before_the_next_start(key: str) -> None:
    settings = validate({"camera": {"kind": "pco", **SHEET}})
    message = "camera.exposure_lines = 128: makes an exposure of 5.678592ms, not of 2ms; omit camera.exposure"
    with pytest.raises(ConfigurationError, match=message):
        if key == "exposure":
            validate({"camera": {"kind": "pco", "exposure": "2ms", **SHEET}})
        override(settings, f"{key}=2ms")
    # The one that they make is no other.
    assert override(settings, "camera.exposure=5.678592ms") == settings


@pytest.mark.parametrize("lines", range(1, 200))
def test_the_exposure_that_lines_make_is_a_round_number(lines: int) -> None:
    settings = settings_of(line_time="20us", exposure_lines=lines)
    assert format_seconds(settings.exposure) == f"{lines * 20}us" or lines >= 50
    assert len(format_seconds(settings.exposure)) <= len("3.98ms")


def test_a_wrong_time_is_told_by_its_own_key() -> None:
    with pytest.raises(ConfigurationError, match=r'camera.line_time = "44": a time needs a unit'):
        validate({"camera": {"kind": "pco", "line_time": "44", "exposure_lines": 3}})


def test_without_line_timing_other_edges_are_set_up_as_ever() -> None:
    assert "light_sheet" not in stored(VirtualCamera(EDGE_55))
