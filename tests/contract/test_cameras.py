"""The contract of every camera, checked on each kind of it."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.assembly import make_camera
from recorder.camera.base import Camera, EndOfSourceError, FrameInfo, StillRecordingError
from recorder.errors import CameraError, CameraTimeoutError
from recorder.settings.model import validate
from recorder.units import parse_seconds
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import DIMAX, EDGE_55, EDGE_OPTIONS, GLOBAL, MODELS, PANDA_42, PCO_1400, Model

BACTERIA = Path(__file__).parents[1] / "data" / "bacteria-in-droplet.tif"

CAMERAS: dict[str, dict[str, Any]] = {
    "simulated": {"kind": "simulated", "width": 64, "height": 32, "rate": 2000, "exposure": "100us"},
    "simulated, free running": {"kind": "simulated", "width": 64, "height": 32, "rate": "max"},
    "playback": {"kind": "playback", "source": str(BACTERIA), "rate": 2000, "loop": True},
    "playback, free running": {"kind": "playback", "source": str(BACTERIA), "rate": "max", "loop": True},
}
PCO = {"kind": "pco", "exposure": "500us"}
FAST = 0.2  # GB/s
CAMERAS |= {name: {**PCO, "model": model} for name, model in MODELS.items()}
CAMERAS["edge 5.5, small region"] = {**PCO, "model": EDGE_55, "roi": [1153, 1017, 1408, 1144]}
CAMERAS["panda 4.2, 8 bit"] = {**PCO, "model": PANDA_42, "pixel_format": "8"}
CAMERAS["pco.1400, region"] = {**PCO, "model": PCO_1400, "roi": [1, 1, 64, 64]}
CAMERAS["edge 5.5, pairs"] = {
    **PCO,
    "model": replace(EDGE_OPTIONS, shutter=GLOBAL),
    "double_image": True,
    "roi": [1153, 1017, 1408, 1144],
}
CAMERAS["light sheet"] = {
    "kind": "pco",
    "model": EDGE_OPTIONS,
    "line_time": "20us",
    "exposure_lines": 100,
    "pixel_rate": 95_333_333,
    "roi": [1153, 1017, 1408, 1144],
}
CAMERAS["dimax, own memory"] = {**PCO, "model": DIMAX, "memory": "camram sequence"}
CAMERAS["dimax, own memory as a ring"] = {**PCO, "model": DIMAX, "memory": "camram ring"}

# Cameras that cannot be exposed for 300 us, or at all, by how their names begin, and what they say.
UNEXPOSABLE = {
    "playback": "its frames were taken before",
    "light sheet": "camera.exposure_lines decides",
    "pco.1400": "camera.exposure = 300us: must be from 500us",
}


@pytest.fixture(params=list(CAMERAS.values()), ids=list(CAMERAS))
def settings(request: pytest.FixtureRequest, seconds_begin_at_once: None) -> Iterator[dict[str, Any]]:
    """The [camera] section, with the virtual camera it needs in place."""
    wanted = dict(request.param)
    model: Model | None = wanted.pop("model", None)
    if model is None:
        yield wanted
        return
    # Its time runs four times as fast, but half as fast where that is much: a busy computer has to keep up.
    gigabytes_per_s = 2 * model.width / model.row_ns
    speed = 0.5 if "roi" not in wanted and gigabytes_per_s > FAST else 4
    with installed(VirtualCamera(model, clock=lambda: round(time.perf_counter_ns() * speed))) as rig:
        yield wanted
    assert not rig.strays


@pytest.fixture
def make(settings: dict[str, Any]) -> Iterator[Callable[[], Camera]]:
    made: list[Camera] = []

    def one() -> Camera:
        made.append(make_camera(validate({"camera": settings})))
        return made[-1]

    yield one
    for camera in made:
        camera.disarm()
        camera.close()


def opened(make: Callable[[], Camera]) -> tuple[Camera, NDArray[Any]]:
    camera = make()
    form = camera.open().format
    return camera, np.zeros((form.height, form.width), form.dtype)


def read(camera: Camera, slot: NDArray[Any], timeout_s: float = 1) -> FrameInfo:
    """Read a frame; one that records into its own memory is waited for, a ring stopped after a while."""
    while True:
        try:
            return camera.read_into(slot, timeout_s)
        except StillRecordingError as inside:
            if not inside.wanted and inside.images > 60:
                camera.halt()


def test_the_counter_begins_at_one_and_counts_every_frame(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    infos = [read(camera, slot) for _ in range(50)]
    assert [info.number for info in infos] == list(range(1, 51))
    assert not any(info.overflowed for info in infos)


def test_an_input_has_a_level_or_a_reason_why_there_is_none(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    read(camera, slot)
    try:
        assert camera.input_is_high() is False
    except CameraError as error:
        assert "input" in str(error)


def test_the_cameras_clock_never_goes_back(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    times = [read(camera, slot).camera_time_ns for _ in range(50)]
    assert times == sorted(times)
    assert times[0] < times[-1]


def test_a_frame_fills_its_slot_and_nothing_else(make: Callable[[], Camera]) -> None:
    camera = make()
    form = camera.open().format
    slots = np.full((3, form.height, form.width), 12345 % np.iinfo(form.dtype).max, form.dtype)
    camera.arm()
    read(camera, slots[1])
    assert (slots[0] == slots[2]).all()
    assert (slots[1] != slots[0]).mean() > 0.9


def test_arming_again_begins_a_new_count(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    for _ in range(2):
        camera.arm()
        assert [read(camera, slot).number for _ in range(5)] == [1, 2, 3, 4, 5]
        camera.halt()
        camera.disarm()


def test_after_halt_the_fifo_ends_with_the_last_frame_exposed(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    first = last = read(camera, slot).number
    exposed = camera.halt()
    try:
        while True:
            last = camera.read_into(slot, 0.01).number
    except (CameraTimeoutError, EndOfSourceError):
        pass
    assert last >= first
    if exposed is not None:
        assert last == exposed


def test_an_exposure_shows_in_the_frames_or_is_refused_with_a_reason(
    make: Callable[[], Camera], settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    camera, slot = opened(make)
    camera.arm()
    name = request.node.callspec.id
    refusal = next((words for known, words in UNEXPOSABLE.items() if name.startswith(known)), None)
    if refusal is not None:
        with pytest.raises(CameraError, match=refusal):
            camera.set_exposure(0.0003)
        assert [read(camera, slot).number for _ in range(3)] == [1, 2, 3]
        return
    # Many a sensor exposes for whole line times.
    actual_s = camera.set_exposure(0.0007)
    assert actual_s == pytest.approx(0.0007, abs=1e-5)
    if name == "edge 4.2 CL":
        assert all(math.isnan(read(camera, slot).exposure_s) for _ in range(5))
        return
    # Frames that had begun by then come first, and no old one comes after a new one.
    seen = [read(camera, slot).exposure_s]
    while seen[-1] != pytest.approx(actual_s) and len(seen) < 3000:
        seen.append(read(camera, slot).exposure_s)
    seen += [read(camera, slot).exposure_s for _ in range(5)]
    configured_s = parse_seconds(settings.get("exposure", "5ms"))
    assert seen[:-6] == pytest.approx([configured_s] * (len(seen) - 6), abs=1e-5)
    assert seen[-6:] == pytest.approx([actual_s] * 6)


def test_a_trigger_is_refused_by_who_takes_none_and_frames_go_on(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    with pytest.raises(CameraError, match=r"no software trigger in trigger mode|a playback takes no trigger"):
        camera.trigger()
    assert [read(camera, slot).number for _ in range(5)] == [1, 2, 3, 4, 5]


def test_disarm_and_close_may_come_at_any_time_and_twice(make: Callable[[], Camera]) -> None:
    camera = make()
    camera.disarm()
    camera.open()
    camera.disarm()
    camera.arm()
    for _ in range(2):
        camera.disarm()
    for _ in range(2):
        camera.close()
