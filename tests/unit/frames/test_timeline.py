import asyncio

import numpy as np
import pytest

from recorder.frames.metadata import METADATA
from recorder.frames.timeline import REMEMBERED, FrameRef, Timeline

MS = 1_000_000
# The camera's clock starts elsewhere, and each frame of 5 ms arrives at least 1 ms after its end.
OFFSET = 7_000 * MS


def metadata(
    first: int, count: int, exposure_s: float = 0.005, late_ms: int = 1
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    rows = np.zeros(count, METADATA)
    rows["frame_number"] = np.arange(first, first + count)
    rows["camera_time_ns"] = rows["frame_number"].astype(np.int64) * 10 * MS
    rows["host_time_ns"] = rows["camera_time_ns"] + OFFSET + (5 + late_ms) * MS
    rows["exposure_s"] = exposure_s
    return rows


@pytest.mark.parametrize("moment_ms", [31, 35, 39])
async def test_the_frame_exposed_at_a_moment_is_found_once_a_later_one_came(moment_ms: int) -> None:
    timeline = Timeline()
    timeline.note(metadata(1, 3), 0, 0)
    asked = timeline.frame_at(OFFSET + moment_ms * MS + 1 * MS)
    assert not asked.done()
    timeline.note(metadata(4, 1, late_ms=9), 0, 3)
    assert asked.result() == FrameRef(3, 0, 2)


async def test_moments_before_the_first_and_after_the_last() -> None:
    timeline = Timeline()
    early = timeline.frame_at(0)
    timeline.note(metadata(1, 3), 0, 0)
    assert early.result() == FrameRef(1, 0, 0)
    late = timeline.frame_at(OFFSET + 10_000 * MS)
    exposure = timeline.first_exposed_for(0.001, 3)
    timeline.close()
    assert late.result() == FrameRef(3, 0, 2)
    assert exposure.result() is None


async def test_the_first_frame_that_shows_an_exposure() -> None:
    timeline = Timeline()
    timeline.note(metadata(1, 3), 0, 0)
    asked = timeline.first_exposed_for(0.002, 3)
    timeline.note(metadata(4, 2), 0, 3)
    assert not asked.done()
    timeline.note(metadata(6, 2, 0.002), 1, 0)
    assert await asked == FrameRef(6, 1, 0)


async def test_a_counter_to_come_and_one_that_came() -> None:
    timeline = Timeline()
    asked = timeline.delivered(5)
    timeline.note(metadata(1, 4), 0, 0)
    await asyncio.sleep(0)
    assert not asked.done()
    timeline.note(metadata(5, 4), 0, 4)
    assert asked.result() == FrameRef(5, 0, 4)
    assert timeline.delivered(2).result() == FrameRef(2, 0, 1)


async def test_a_frame_too_long_ago_is_none_instead_of_another() -> None:
    timeline = Timeline()
    for number in range(1, REMEMBERED + 11):
        rows = np.zeros(1, METADATA)
        rows["frame_number"] = number
        timeline.note(rows, 0, number - 1)
    assert await timeline.delivered(10) is None
    found = await timeline.delivered(11)
    assert found is not None
    assert (found.number, found.index) == (11, 10)


async def test_a_question_after_the_end_is_answered_at_once() -> None:
    timeline = Timeline()
    timeline.close()
    assert await timeline.delivered(1) is None
    assert await timeline.frame_at(0) is None


async def test_the_rate_is_that_of_frames_exposed_as_the_newest_while_they_come() -> None:
    timeline = Timeline()
    assert timeline.rate(0) == 0.0
    timeline.note(metadata(1, 50), 0, 0)
    now_ns = OFFSET + 510 * MS
    assert timeline.rate(now_ns) == pytest.approx(100)
    changed = metadata(51, 1, exposure_s=0.02)
    timeline.note(changed, 0, 50)
    assert timeline.rate(now_ns) == 0.0
    later = metadata(52, 4, exposure_s=0.02)
    later["camera_time_ns"] = changed["camera_time_ns"] + np.arange(1, 5) * 20 * MS
    timeline.note(later, 0, 51)
    assert timeline.rate(now_ns) == pytest.approx(50)
    assert timeline.rate(now_ns + 2_000 * MS) == 0.0


async def test_frames_are_found_after_the_cameras_clock_was_set_back() -> None:
    timeline = Timeline()
    for first in range(1, 301, 10):
        timeline.note(metadata(first, 10), 0, first - 1)
    # An hour back, between two frames of one span.
    rows = metadata(301, 10)
    rows["camera_time_ns"][5:] -= 3_600_000 * MS
    timeline.note(rows, 0, 300)
    later = metadata(311, 10)
    later["camera_time_ns"] -= 3_600_000 * MS
    asked = timeline.frame_at(OFFSET + 3141 * MS + 1 * MS)
    timeline.note(later, 0, 310)
    assert asked.result() == FrameRef(314, 0, 313)
    assert timeline.frame_at(OFFSET + 3081 * MS + 1 * MS).result() == FrameRef(308, 0, 307)
    assert timeline.clocks.jumps == 1
