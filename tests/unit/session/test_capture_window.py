"""Which frames a capture asks for."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.frames.metadata import METADATA
from recorder.session.capture_window import CapturePlan, Moment
from recorder.settings.model import RecordingSettings

PERIOD_NS = 10**7


def rows(*numbers: int, jitter_ns: int = 0) -> NDArray[Any]:
    found = np.zeros(len(numbers), METADATA)
    found["frame_number"] = numbers
    found["camera_time_ns"] = np.array(numbers, np.int64) * PERIOD_NS
    found["camera_time_ns"][::2] += jitter_ns
    return found


def plan(before: int | str, after: int | str, rate: float = 100.0) -> CapturePlan:
    return CapturePlan.of(RecordingSettings(pretrigger=before, posttrigger=after), rate)


def at(number: int) -> Moment:
    return Moment(number, number * PERIOD_NS)


@pytest.mark.parametrize(("before", "after"), [(20, 30), ("200ms", "300ms"), (20, "300ms"), ("200ms", 30)])
@pytest.mark.parametrize("jitter_ns", [0, 4_000_000, -4_000_000])
def test_a_window_has_as_many_frames_as_asked_for(
    before: int | str, after: int | str, jitter_ns: int
) -> None:
    window = plan(before, after).window(at(100))
    all_of_them = rows(*range(1, 200), jitter_ns=jitter_ns)
    found = all_of_them[window.part_of(all_of_them)]["frame_number"]
    assert list(found) == list(range(80, 130))


@pytest.mark.parametrize("after", [30, "300ms"])
def test_another_trigger_makes_it_longer_and_never_shorter(after: int | str) -> None:
    window = plan(5, after).window(at(100))
    window.extend(at(110))
    window.extend(at(90))
    found = rows(*range(1, 200))
    assert window.part_of(found) == slice(94, 139)


@pytest.mark.parametrize("extent", [20, "200ms"])
@pytest.mark.parametrize(
    ("gone", "first", "asked"),
    [
        (None, 95, 80),  # all that was lost since the run began, and is not too old
        (at(79), 80, 80),
        (at(70), 90, 80),
        (at(85), 90, 86),  # 85 has left the ring: it was not held long enough
    ],
)
def test_of_what_is_missing_before_the_first_frame_what_is_inside_was_asked_for(
    extent: int | str, gone: Moment | None, first: int, asked: int
) -> None:
    window = plan(extent, extent).window(at(100))
    if gone is None and isinstance(extent, str):
        # When they came nobody knows.
        asked = 1
    assert window.first_asked(gone, at(first)) == asked


@pytest.mark.parametrize("extent", [20, "200ms"])
@pytest.mark.parametrize(("last", "beyond"), [(119, 120), (110, 120), (110, 150), (119, 121)])
def test_of_what_is_missing_behind_the_last_frame_what_is_inside_was_asked_for(
    extent: int | str, last: int, beyond: int
) -> None:
    window = plan(extent, extent).window(at(100))
    assert window.last_asked(at(last), at(beyond)) == 119


def test_what_is_not_known_is_not_said() -> None:
    window = plan("200ms", "200ms").window(at(100))
    assert window.last_asked(at(110), None) is None
    assert not window.is_complete_with(at(119))
    assert window.missing_after(at(109)) == "0.1 s"
    assert window.missing_after(at(119)) == ""
    assert plan(20, 20).window(at(100)).is_complete_with(at(119))
    assert plan("200ms", 5, rate=float("inf")).window(at(100)).asked_before == 0
