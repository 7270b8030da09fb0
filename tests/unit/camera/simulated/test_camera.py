import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.camera.base import FrameInfo
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.camera.simulated.scene import DARK, DRIFT_ROWS, Scene
from recorder.errors import CameraDisconnectedError, CameraError, CameraTimeoutError
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.model import Settings, validate
from recorder.storage.noise_ladder import NoiseModel
from tests.conftest import Clock


def camera(clock: Clock, **keys: object) -> SimulatedCamera:
    settings: Settings = validate({"camera": {"width": 64, "height": 32, **keys}})
    assert isinstance(settings.camera, SimulatedCameraSettings)
    sensor = SimulatedCamera(settings.camera, clock, clock.wait)
    sensor.open()
    sensor.arm()
    return sensor


def slot() -> NDArray[Any]:
    return np.zeros((32, 64), np.uint16)


def read(sensor: SimulatedCamera, count: int) -> list[FrameInfo]:
    target = slot()
    return [sensor.read_into(target, 1) for _ in range(count)]


def test_frames_depend_on_the_seed_alone(clock: Clock) -> None:
    def record(seed: int) -> NDArray[Any]:
        sensor, frames = camera(Clock(), seed=seed), np.zeros((20, 32, 64), np.uint16)
        for frame in frames:
            sensor.read_into(frame, 1)
        return frames

    assert (record(3) == record(3)).all()
    assert (record(3) != record(4)).mean() > 0.5
    clock.wait(0)


def test_the_timestamp_has_counter_and_time(clock: Clock) -> None:
    sensor, frame = camera(clock), slot()
    for number in range(1, 50):
        info = sensor.read_into(frame, 1)
        stamp = timestamp.read(frame)
        assert stamp is not None
        assert stamp.number == info.number == number
        assert stamp.time_ns == info.camera_time_ns


def test_the_scene_drifts_and_has_shot_noise() -> None:
    scene = Scene(64, 64, 0, 1000)
    first, second = scene.frame(0, 0.005).astype(float), scene.frame(16, 0.005).astype(float)
    assert first.min() > DARK
    assert first.mean() > 3 * DARK
    # 16 frames later the scene stands 16 rows higher, with the same noise of the same picture.
    assert np.abs(first[16:] - second[:-16]).mean() < np.abs(first - second).mean()
    noise = scene.frame(1, 0.005)[:-1].astype(float) - scene.frame(2, 0.005)[:-1].astype(float)
    assert 5 < noise.std() < 200


def test_a_shorter_exposure_is_darker_and_a_long_one_saturates() -> None:
    scene = Scene(64, 64, 0, 1000)
    bright = scene.frame(5, 0.005).astype(float).mean() - DARK
    assert scene.frame(5, 0.001).astype(float).mean() - DARK == pytest.approx(bright / 5, rel=0.02)
    assert scene.frame(5, 10.0).max() == 65535


@pytest.mark.parametrize("exposure_s", [0.002, 0.005, 0.02])
def test_its_noise_is_that_of_what_it_tells_of_itself_at_any_exposure(
    clock: Clock, exposure_s: float
) -> None:
    told = camera(clock).open().details
    noise = NoiseModel(*(float(told[name]) for name in ("conversion_factor", "read_noise", "dark_offset")))
    scene = Scene(256, 256, 0, 1000)
    # The same rows, on the way up and on the way down, with noise of their own.
    first, second = (scene.frame(n, exposure_s).astype(float) for n in (1, 2 * DRIFT_ROWS - 1))
    assert not np.array_equal(first, second)
    expected = noise.variance((first + second) / 2).mean()
    assert (first - second).var() / 2 == pytest.approx(expected, rel=0.02)


def test_exposure_changes_live_and_the_metadata_says_from_which_frame_on(clock: Clock) -> None:
    sensor = camera(clock)
    before = read(sensor, 3)
    sensor.set_exposure(0.002)
    after = read(sensor, 4)
    assert [info.exposure_s for info in before + after] == [0.005] * 3 + [0.002] * 4


def test_free_running_frames_need_no_time(clock: Clock) -> None:
    sensor = camera(clock, rate="max")
    assert [info.number for info in read(sensor, 100)] == list(range(1, 101))
    assert clock.now_ns == Clock().now_ns


def test_a_reader_that_is_late_finds_a_gap_after_the_fifo(clock: Clock) -> None:
    sensor = camera(clock, fifo=4)
    clock.wait(0.2)
    infos = read(sensor, 6)
    assert [info.number for info in infos][:5] == [1, 2, 3, 4, 21]
    assert [info.overflowed for info in infos] == [False] * 4 + [True, False]
    assert infos[0].backlog == 3


def test_no_frame_in_time_is_a_time_out(clock: Clock) -> None:
    sensor = camera(clock, rate=1)
    with pytest.raises(CameraTimeoutError):
        sensor.read_into(slot(), 0.001)


def test_planned_faults(clock: Clock) -> None:
    sensor = camera(
        clock, faults=[{"kind": "drop", "at": 3, "count": 2}, {"kind": "error", "at": 7, "code": 5}]
    )
    assert [info.number for info in read(sensor, 4)] == [1, 2, 5, 6]
    with pytest.raises(CameraError, match="0x00000005"):
        read(sensor, 1)

    sensor = camera(clock, faults=[{"kind": "stall", "at": 3, "duration": "1s"}], fifo=10)
    numbers = [info.number for info in [*read(sensor, 3), sensor.read_into(slot(), 2), *read(sensor, 10)]]
    assert numbers[:14] == [*range(1, 14), 104]

    sensor = camera(clock, faults=[{"kind": "silence", "at": 2}])
    read(sensor, 1)
    with pytest.raises(CameraTimeoutError):
        sensor.read_into(slot(), 100)

    sensor = camera(clock, faults=[{"kind": "disconnect", "at": 2}])
    read(sensor, 1)
    for _ in range(2):
        with pytest.raises(CameraDisconnectedError, match="cable"):
            sensor.read_into(slot(), 1)
    assert sensor.halt() is None


def test_temperature_is_a_cool_sensors(clock: Clock) -> None:
    temperatures = [info.temperature_c for info in read(camera(clock), 100)]
    assert all(6 < t < 8 and not math.isnan(t) for t in temperatures)


def test_a_clock_that_drifts_stamps_later_and_frames_come_at_their_time(clock: Clock) -> None:
    sensor = camera(clock, clock_drift=100, rate=10)
    first, *_, last = read(sensor, 101)
    assert last.camera_time_ns - first.camera_time_ns == 10_001_000_000
    assert clock.now_ns - 10**12 == 10_005_000_000


def test_jitter_delays_frames_each_by_its_own_time_and_keeps_their_order(clock: Clock) -> None:
    def delays(sensor: SimulatedCamera) -> list[int]:
        target, found = slot(), []
        for number in range(200):
            info = sensor.read_into(target, 1)
            assert info.number == number + 1
            found.append(clock.now_ns - sensor._armed_ns - number * 10_000_000 - 5_000_000)
        return found

    sensor = camera(clock, jitter="3ms")
    late = delays(sensor)
    assert 0 <= min(late) < 200_000
    assert 2_800_000 < max(late) <= 3_000_000
    assert len(set(late)) == 200
    assert late == delays(camera(clock, jitter="3ms"))
    assert set(delays(camera(clock))) == {0}


def test_a_software_trigger_exposes_one_frame(clock: Clock) -> None:
    sensor, target = camera(clock, trigger="software trigger", exposure="10ms", fifo=2), slot()
    with pytest.raises(CameraTimeoutError):
        sensor.read_into(target, 1)
    sensor.trigger()
    triggered_ns = clock.now_ns
    info = sensor.read_into(target, 1)
    assert (info.number, clock.now_ns - triggered_ns) == (1, 10_000_000)
    # Two more begin one after the other; of five at once the FIFO holds two.
    for _ in range(5):
        sensor.trigger()
    clock.wait(1)
    assert [sensor.read_into(target, 1).number for _ in range(2)] == [2, 3]
    sensor.trigger()
    after = sensor.read_into(target, 1)
    assert (after.number, after.overflowed) == (7, True)
    sensor.trigger()
    clock.wait(0.005)
    assert sensor.halt() == 7
    with pytest.raises(CameraError, match="no software trigger in trigger mode auto sequence"):
        camera(clock).trigger()
