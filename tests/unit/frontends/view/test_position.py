"""Which frame is seen when: play speed, steps, pauses, the edge of a recording that grows."""

import math

import numpy as np
import pytest

from recorder.frontends.view.position import Position, other


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def at_100_hz(frames: int, *, grows: bool = False) -> tuple[Position, Clock]:
    clock = Clock()
    position = Position(clock)
    position.have(np.arange(frames) / 100, grows=grows)
    return position, clock


@pytest.mark.parametrize(("speed", "seconds", "frame"), [(1, 0.5, 50), (0.1, 1, 10), (4, 0.25, 100)])
def test_it_plays_by_the_times_of_the_frames(speed: float, seconds: float, frame: int) -> None:
    position, clock = at_100_hz(1000)
    position.set_speed(speed)
    position.play()
    clock.now += seconds + 1e-6
    assert position.now() == frame
    assert position.wait_s() == pytest.approx(0.01 / speed, abs=1e-4)
    position.stand()
    clock.now += 10
    assert position.now() == frame
    assert position.wait_s() == math.inf


def test_another_speed_goes_on_from_where_it_is() -> None:
    position, clock = at_100_hz(1000)
    position.play()
    clock.now += 1.004
    position.set_speed(10)
    assert position.now() == 100
    clock.now += 0.1
    assert position.now() == 200
    for wrong in (0.0, -1.0, math.inf, math.nan, 1e9):
        with pytest.raises(ValueError, match="speed"):
            position.set_speed(wrong)
    assert position.speed == 10


def test_the_end_is_an_end_and_playing_begins_again() -> None:
    position, clock = at_100_hz(100)
    position.go(90)
    position.play()
    clock.now += 5
    assert (position.now(), position.plays, position.at_edge) == (99, False, False)
    position.play()
    assert (position.now(), position.plays) == (0, True)


def test_steps_stand_and_do_not_leave_the_recording() -> None:
    position, _ = at_100_hz(100)
    position.play()
    position.step(10)
    assert (position.now(), position.plays) == (10, False)
    position.step(-20)
    assert position.now() == 0
    position.step(1000)
    assert position.now() == 99
    position.go_to_time(0.334)
    assert position.now() == 33
    position.go_to_time(-5)
    assert position.now() == 0
    position.go_to_time(1e9)
    assert position.now() == 99
    position.skip(-0.5)
    assert position.now() == 49


def test_a_second_in_a_slow_recording_is_one_frame_at_least() -> None:
    position = Position(Clock())
    position.have(np.arange(5, dtype=np.float64) * 60, grows=False)
    position.skip(1)
    assert position.now() == 1
    position.skip(-1)
    assert position.now() == 0


def test_a_long_pause_is_passed_over_after_a_second() -> None:
    clock = Clock()
    position = Position(clock)
    position.have(np.array([*np.arange(100) / 100, *(3600 + np.arange(100) / 100)]), grows=False)
    position.play()
    clock.now += 1.5
    assert position.now() == 99
    assert position.wait_s() <= 1
    clock.now += 0.5
    assert position.now() == 100
    clock.now += 0.5
    assert position.now() == 150


def test_slow_frames_are_no_pause() -> None:
    position, clock = at_100_hz(100)
    position.set_speed(0.001)
    position.play()
    clock.now += 9
    assert position.now() == 0
    clock.now += 1.1
    assert position.now() == 1


def test_the_edge_follows_what_comes_until_somebody_goes_back() -> None:
    position, clock = at_100_hz(100, grows=True)
    position.go_to_edge()
    assert position.now() == 99
    position.have(np.arange(250) / 100, grows=True)
    assert position.now() == 249
    position.step(-1)
    position.have(np.arange(300) / 100, grows=True)
    assert (position.now(), position.at_edge) == (248, False)
    # Who plays up to the newest frame is at the edge, and stays there.
    position.play()
    clock.now += 10
    assert (position.now(), position.plays, position.at_edge) == (299, False, True)
    position.have(np.arange(310) / 100, grows=True)
    assert position.now() == 309
    position.have(np.arange(320) / 100, grows=False)
    assert (position.now(), position.at_edge) == (309, False)


def test_nothing_there_yet_and_times_that_make_no_sense_are_borne() -> None:
    clock = Clock()
    position = Position(clock)
    position.play()
    position.step(1)
    position.go_to_time(3)
    position.skip(1)
    position.go_to_edge()
    assert position.now() <= 0
    position.have(np.array([0.0, np.nan, 5.0, -np.inf, 1.0, np.inf]), grows=False)
    assert np.all(np.diff(position.times) >= 0)
    position.go(0)
    position.play()
    for _ in range(20):
        clock.now += 1
        assert 0 <= position.now() <= 5


def test_the_next_mark_and_the_one_before() -> None:
    frames = np.array([3, 10, 10, 40], np.int64)
    assert [other(frames, at, 1) for at in (0, 3, 10, 40)] == [3, 10, 40, None]
    assert [other(frames, at, -1) for at in (0, 3, 10, 41)] == [None, None, 3, 40]
