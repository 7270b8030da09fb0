"""Pictures against a baseline: what is taken, what is shown, and what begins it anew."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.preview.baseline import Baseline
from recorder.preview.levels import BLACK, SATURATED, UNDER, WHITE
from recorder.preview.picture import Comparison, Picture, Renderer

RNG = np.random.default_rng(1)


class Show:
    """Frames of 40 x 60 on their way through baseline and renderer, one every 0.1 s."""

    def __init__(self, baseline: Baseline, mode: Any = "dff", **more: Any) -> None:
        self.baseline, self.mode, self.more = baseline, mode, more
        self.renderer = Renderer(40, 60, np.dtype(np.uint16), 16)
        self.at_s = 0.0

    def __call__(self, frame: NDArray[Any], *, most: Any = 10.0, exposure_s: float = 0.01) -> Picture:
        self.baseline.see(frame, self.at_s, exposure_s)
        self.at_s += 0.1
        compare = Comparison(self.mode, most, self.baseline)
        return self.renderer.render(frame, 1, "auto", comparison=compare, **self.more)


def flat(level: float) -> NDArray[Any]:
    return np.full((40, 60), level, np.uint16)


def noisy(level: float) -> NDArray[Any]:
    noise: NDArray[Any] = (level + RNG.integers(-20, 21, (40, 60))).astype(np.uint16)
    return noise


def test_a_captured_baseline_is_the_mean_of_its_seconds_and_then_stays() -> None:
    show = Show(Baseline(1.0, running=False))
    # A little more than a second, for 0.1 is no sum of powers of two.
    frames = [noisy(1000) for _ in range(12)]
    modes = [show(frame).mode for frame in frames]
    count = modes.index("dff") + 1
    assert modes == ["raw"] * (count - 1) + ["dff"] * (12 - count + 1)
    assert count in {11, 12}
    assert not show.baseline.is_being_taken
    mean = np.mean(frames[:count], axis=0)
    later = noisy(1100)
    picture = show(later)
    assert np.allclose(picture.values, (later - mean) / mean * 100, atol=1e-3)
    assert (picture.unit, picture.low, picture.high) == ("%", -10, 10)
    assert picture.baseline == f"mean of 1s ({count} frames)"
    assert picture.value_at(3, 2) == pytest.approx((later[2, 3] - mean[2, 3]) / mean[2, 3] * 100, abs=1e-3)


@pytest.mark.parametrize("mean", [False, True])
def test_a_captured_baseline_serves_every_part_of_the_frame(mean: bool) -> None:
    baseline = Baseline(0.05, running=False)
    renderer = Renderer(1200, 1600, np.dtype(np.uint16), 16)
    frame = RNG.integers(500, 1500, (1200, 1600)).astype(np.uint16)
    baseline.see(frame, 0.0, 0.01)
    baseline.see(frame, 0.1, 0.01)
    for region in (None, (100, 200, 300, 250), (7, 9, 1400, 1100)):
        compare = Comparison("difference", "full", baseline)
        picture = renderer.render(frame, 1, "auto", region, mean=mean, comparison=compare)
        # Means of whole numbers are cut off to whole numbers.
        assert np.abs(picture.values).max() < 1
        assert (picture.low, picture.high) == (-65535, 65535)


def test_a_running_baseline_follows_in_its_time() -> None:
    show = Show(Baseline(1.0, running=True), "difference")
    for _ in range(50):
        still = show(flat(1000))
    assert abs(still.mean) < 1e-3
    steps = [show(flat(1100)).mean for _ in range(21)]
    # After n frames of 0.1 s, what is left of a step is exp(-0.1 n / 1 s).
    assert steps == pytest.approx([100 * math.exp(-0.1 * (i + 1)) for i in range(21)], rel=1e-3)


def test_the_first_frames_of_a_running_baseline_count_alike() -> None:
    show = Show(Baseline(100.0, running=True), "difference")
    means = [show(flat(level)).mean for level in (100, 200, 600)]
    assert means == pytest.approx([0, 200 - 150, 600 - 300], abs=1e-3)


def test_another_exposure_begins_anew() -> None:
    show = Show(Baseline(0.05, running=False))
    modes = [show(noisy(1000), exposure_s=exposure_s).mode for exposure_s in (0.01, 0.01, 0.02, 0.02)]
    assert modes == ["raw", "dff", "raw", "dff"]
    # Frames that do not tell their exposure have not changed it.
    modes = [show(noisy(1000), exposure_s=math.nan).mode for _ in range(3)]
    assert modes == ["raw", "dff", "dff"]


def test_another_part_begins_a_running_baseline_anew() -> None:
    running = Baseline(1.0, running=True)
    renderer = Renderer(1000, 1000, np.dtype(np.uint16), 16)
    for i, region in enumerate([None, None, (10, 10, 400, 400)]):
        frame = np.full((1000, 1000), 100 + 10 * i, np.uint16)
        running.see(frame, i * 0.1, 0.01)
        compare = Comparison("difference", "auto", running)
        picture = renderer.render(frame, i, "auto", region, comparison=compare)
        assert picture.mean == pytest.approx(5 if i == 1 else 0)


def test_shades_are_symmetric_around_no_difference() -> None:
    show = Show(Baseline(0.05, running=False), "difference", overlay=True)
    show(flat(1000))
    show(flat(1000))
    frame = flat(1000)
    frame[0, :6] = (990, 1010, 1005, 0, 65535, 2000)
    picture = show(frame)
    shown = np.frombuffer(picture.pixels, np.uint8)
    assert shown[:6].tolist() == [BLACK, WHITE, 191, UNDER, SATURATED, WHITE]
    assert shown[10] in {127, 128}


def test_an_automatic_range_follows_and_is_never_too_small() -> None:
    show = Show(Baseline(0.05, running=False))
    for _ in range(3):
        picture = show(flat(1000), most="auto")
    assert (picture.low, picture.high) == (-1, 1)
    highs = [show(flat(1500), most="auto").high for _ in range(30)]
    assert highs == sorted(highs)
    assert highs[-1] == pytest.approx(50, rel=0.01)
    picture = show(noisy(1200))
    assert sum(picture.histogram.counts) == 40 * 60
    # Displays are told by JSON, which knows no numbers of numpy.
    assert json.dumps([vars(picture.histogram), picture.low, picture.min, picture.value_at(1, 1)])
