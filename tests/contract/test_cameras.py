"""What every camera keeps to, whatever it is made of."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.assembly import Workshop
from recorder.camera.base import Camera
from recorder.config import validate
from recorder.errors import CameraError, CameraTimeoutError

BACTERIA = Path(__file__).parents[1] / "data" / "bacteria-in-droplet.tif"

CAMERAS: dict[str, dict[str, Any]] = {
    "simulated": {"kind": "simulated", "width": 64, "height": 32, "rate": 2000, "exposure": "100us"},
    "simulated, free running": {"kind": "simulated", "width": 64, "height": 32, "rate": "max"},
    "playback": {"kind": "playback", "source": str(BACTERIA), "rate": 2000, "loop": True},
    "playback, free running": {"kind": "playback", "source": str(BACTERIA), "rate": "max", "loop": True},
}


@pytest.fixture(params=list(CAMERAS.values()), ids=list(CAMERAS))
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Camera]]:
    made: list[Camera] = []

    def one() -> Camera:
        made.append(Workshop().camera(validate({"camera": request.param})))
        return made[-1]

    yield one
    for camera in made:
        camera.disarm()
        camera.close()


def opened(make: Callable[[], Camera]) -> tuple[Camera, NDArray[Any]]:
    camera = make()
    form = camera.open().format
    return camera, np.zeros((form.height, form.width), form.dtype)


def test_the_counter_begins_at_one_and_counts_every_frame(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    infos = [camera.read_into(slot, 1) for _ in range(50)]
    assert [info.number for info in infos] == list(range(1, 51))
    assert not any(info.overflowed for info in infos)


def test_the_cameras_clock_never_goes_back(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    times = [camera.read_into(slot, 1).camera_time_ns for _ in range(50)]
    assert times == sorted(times)
    assert times[0] < times[-1]


def test_a_frame_fills_its_slot_and_nothing_else(make: Callable[[], Camera]) -> None:
    camera = make()
    form = camera.open().format
    slots = np.full((3, form.height, form.width), 12345 % np.iinfo(form.dtype).max, form.dtype)
    camera.arm()
    camera.read_into(slots[1], 1)
    assert (slots[0] == slots[2]).all()
    assert (slots[1] != slots[0]).mean() > 0.9


def test_arming_again_begins_a_new_count(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    for _ in range(2):
        camera.arm()
        assert [camera.read_into(slot, 1).number for _ in range(5)] == [1, 2, 3, 4, 5]
        camera.halt()
        camera.disarm()


def test_after_halt_the_fifo_ends_with_the_last_frame_exposed(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    last = camera.read_into(slot, 1).number
    exposed = camera.halt()
    assert exposed is not None
    try:
        while True:
            last = camera.read_into(slot, 0.01).number
    except CameraTimeoutError:
        pass
    assert last == exposed


def test_what_a_camera_cannot_do_it_refuses_with_a_camera_error(make: Callable[[], Camera]) -> None:
    camera, slot = opened(make)
    camera.arm()
    try:
        assert camera.set_exposure(0.0002) == 0.0002
    except CameraError as error:
        assert str(error)
    with pytest.raises(CameraError):
        camera.trigger()
    assert camera.read_into(slot, 1).number == 1


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
