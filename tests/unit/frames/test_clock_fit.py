"""The fit of two clocks finds the drift that is there, whatever happens to the frames on their way."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.frames.clock_fit import (
    JUMP_NS,
    LEAST_STRETCHES,
    RECENT_NS,
    STRETCHES,
    ClockFit,
    ClockFollower,
    Envelope,
    Times,
    fit_clocks,
)

EXPOSURE_S = 0.005
# Camera and computer count from moments far apart, and no frame comes sooner than this after its exposure.
CAMERA_NS, HOST_NS, TRANSFER_NS = 1_767_225_600 * 10**9, 5 * 10**12, 2_000_000

Delays = Callable[[np.random.Generator, int], NDArray[np.float64]]


class Run:
    """Frames (n,) that began at `true_s` by the computer's clock, whose camera's clock is `ppm` faster."""

    def __init__(self, true_s: NDArray[Any], ppm: float, late_s: NDArray[Any]) -> None:
        self.true_ns = HOST_NS + np.rint(true_s * 1e9).astype(np.int64)
        self.camera_ns: Times = CAMERA_NS + np.rint(true_s * (1 + ppm * 1e-6) * 1e9).astype(np.int64)
        arrived = self.true_ns + TRANSFER_NS + np.rint((late_s + EXPOSURE_S) * 1e9).astype(np.int64)
        self.host_ns: Times = np.maximum.accumulate(arrived)
        self.exposure_s = np.full(len(true_s), EXPOSURE_S)

    def followed(self, block: int = 50) -> ClockFollower:
        follower = ClockFollower()
        for begin in range(0, len(self.camera_ns), block):
            part = slice(begin, begin + block)
            follower.add(self.camera_ns[part], self.host_ns[part], self.exposure_s[part])
        return follower

    def fitted(self) -> ClockFit:
        fit = self.followed().fit()
        assert fit is not None
        return fit

    def error_ns(self, fit: ClockFit, i: int) -> int:
        """Return how far the moment of frame i is from where the fit has it."""
        return fit.host_of(int(self.camera_ns[i])) - int(self.true_ns[i]) - TRANSFER_NS


def exponential(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.exponential(0.003, count)


def uniform(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.uniform(0, 0.003, count)


@pytest.mark.parametrize("delays", [exponential, uniform])
@pytest.mark.parametrize("ppm", [37.0, -37.0, 0.0])
def test_the_drift_is_right_to_1_ppm_after_a_minute_with_3_ms_of_jitter(delays: Delays, ppm: float) -> None:
    sure = right = 0
    for seed in range(6):
        run = Run(np.arange(6000) * 0.01, ppm, delays(np.random.default_rng(seed), 6000))
        fit = run.fitted()
        assert fit.drift is not None
        assert fit.drift.ppm == pytest.approx(ppm, abs=1)
        assert fit.drift.high_ppm - fit.drift.low_ppm < 2
        sure += fit.drift.low_ppm <= ppm <= fit.drift.high_ppm
        assert fit.uncertainty_s < 150e-6
        right += sum(abs(run.error_ns(fit, i)) <= fit.uncertainty_s * 1e9 for i in (0, 3000, 5999))
    assert sure >= 5
    assert right >= 17


def test_a_disk_that_stands_still_changes_nothing_and_shows_in_the_frames_arrival() -> None:
    late_s = np.random.default_rng(1).exponential(200e-6, 20_000)
    # For 2 s nobody reads, and then it catches up: a sixth of all frames come late.
    late_s[5000:8000] += np.linspace(2, 0, 3000)
    run = Run(np.arange(20_000) * 0.01, -45, late_s)
    fit = run.fitted()
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(-45, abs=0.1)
    assert fit.jumps == 0
    assert fit.residual_s < 10e-6
    found = fit.late_s(run.camera_ns, run.host_ns, run.exposure_s)
    np.testing.assert_allclose(found, (run.host_ns - run.true_ns - TRANSFER_NS) * 1e-9 - 0.005, atol=40e-6)


def test_a_confident_interval_is_right_nineteen_times_in_twenty() -> None:
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        # One frame in each stretch, so that their delays are independent and normal.
        camera_ns = np.arange(STRETCHES) * 1_000_000_000
        host_ns = camera_ns - np.rint(camera_ns * 20e-6 - rng.normal(0, 1e5, STRETCHES)).astype(np.int64)
        (fit,) = fit_clocks([(camera_ns, host_ns, np.zeros(STRETCHES))])
        assert fit is not None
        assert fit.drift is not None
        inside += fit.drift.low_ppm <= 20 <= fit.drift.high_ppm
    assert 88 <= inside <= 100


def test_it_is_the_same_however_the_frames_come_and_when_they_are_read_from_a_file() -> None:
    run = Run(np.arange(5000) * 0.002, 12, exponential(np.random.default_rng(3), 5000))
    fits = [run.followed(block).fit() for block in (1, 8, 5000)]
    times = run.camera_ns - run.camera_ns[0], run.host_ns - run.host_ns[0]
    (afterwards,) = fit_clocks([(*times, run.exposure_s)])
    assert fits[0] == fits[1] == fits[2]
    assert afterwards is not None
    assert fits[0] is not None
    assert afterwards.drift == fits[0].drift
    assert afterwards.host_of(0) + run.host_ns[0] == pytest.approx(
        fits[0].host_of(int(run.camera_ns[0])), abs=2
    )


def test_files_have_offsets_of_their_own_and_one_drift() -> None:
    camera_ns = np.arange(3000) * 10_000_000
    host_ns = camera_ns + camera_ns * 30 // 1_000_000
    files = [slice(0, 1000), slice(1000, 3000), slice(3000, 3000)]
    parts = [(camera_ns[p], host_ns[p], np.zeros(len(camera_ns[p]))) for p in files]
    # Host time counts anew with each file.
    parts[1] = (parts[1][0], parts[1][1] - 7_000_000_000, parts[1][2])
    first, second, empty = fit_clocks(parts)
    assert empty is None
    assert first is not None
    assert second is not None
    assert first.drift == second.drift
    assert first.drift is not None
    assert first.drift.ppm == pytest.approx(-30, abs=1e-3)
    assert first.host_of(0) == pytest.approx(0, abs=100)
    assert second.host_of(10_000_000_000) == pytest.approx(3_000_300_000, abs=100)


def test_too_few_frames_tell_no_drift_and_what_they_may_be_off() -> None:
    run = Run(np.arange(3) * 0.01, 37, np.array([0.0, 0.002, 0.001]))
    fit = run.fitted()
    assert fit.drift is None
    assert fit.uncertainty_s >= 0.001
    assert abs(run.error_ns(fit, 0)) < 10_000
    assert Run(np.arange(LEAST_STRETCHES - 1) * 1.0, 37, np.zeros(7)).fitted().drift is None
    assert np.isnan(Run(np.zeros(1), 37, np.zeros(1)).fitted().uncertainty_s)
    assert ClockFollower().fit() is None
    assert ClockFollower().now() is None


def test_a_drift_that_is_hardly_known_or_none_at_all_is_not_told() -> None:
    rng = np.random.default_rng(0)
    assert Run(np.arange(100) * 0.01, 37, rng.exponential(0.003, 100)).fitted().drift is None
    # Frames that are played at half their rate.
    times = np.arange(1000) * 10_000_000
    assert fit_clocks([(times, 2 * times, np.zeros(1000))])[0] is not None
    assert fit_clocks([(times, 2 * times, np.zeros(1000))])[0].drift is None  # type: ignore[union-attr]


@pytest.mark.parametrize("jump_ns", [-3_600_000_000_000, 5 * JUMP_NS, 10**15])
def test_a_clock_that_is_set_or_wraps_counts_from_there_and_the_drift_stays(jump_ns: int) -> None:
    run = Run(np.arange(6000) * 0.01, 37, uniform(np.random.default_rng(2), 6000))
    run.camera_ns[2000:] += jump_ns
    fit = run.fitted()
    assert fit.jumps == 1
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(37, abs=1.5)
    # The zero of the camera's clock has moved by the jump.
    assert abs(run.error_ns(fit, 5999)) < 100_000
    assert abs(run.error_ns(fit, 2000)) < 100_000
    assert abs(run.error_ns(fit, 1999)) > JUMP_NS


def test_a_run_whose_first_frames_come_late_has_no_jump() -> None:
    late_s = np.zeros(3000)
    late_s[:50] = 0.4
    run = Run(np.arange(3000) * 0.01, 37, late_s)
    fit = run.fitted()
    assert fit.jumps == 0
    assert abs(run.error_ns(fit, 2999)) < 10_000


def test_moments_of_now_follow_a_clock_that_warms_up() -> None:
    true_s = np.arange(0, 1200, 0.1)
    # 20 ppm at first, none after ten minutes: 6 ms in all, and a line is 1 ms off.
    run = Run(true_s, 0, uniform(np.random.default_rng(4), len(true_s)))
    gained_s = 20e-6 * np.where(true_s < 600, true_s - true_s**2 / 1200, 300)
    run.camera_ns += np.rint(gained_s * 1e9).astype(np.int64)
    follower = run.followed()
    now, whole = follower.now(), follower.fit()
    assert now is not None
    assert whole is not None
    assert abs(run.error_ns(now, -1)) < 200_000 < abs(run.error_ns(whole, -1))
    assert now.drift is not None
    assert now.drift.ppm == pytest.approx(0, abs=1)


def test_both_ways_from_one_clock_to_the_other() -> None:
    fit = Run(np.arange(6000) * 0.01, 37, np.zeros(6000)).fitted()
    for moment_ns in (0, CAMERA_NS, CAMERA_NS + 3_600 * 10**9):
        assert fit.camera_of(fit.host_of(moment_ns)) == pytest.approx(moment_ns, abs=2)


def test_hours_take_no_more_memory_and_the_oldest_of_now_are_forgotten() -> None:
    whole, recent = Envelope(), Envelope(RECENT_NS)
    for second in range(20_000):
        times = np.array([second * 1_000_000_000], np.int64)
        for envelope in (whole, recent):
            envelope.add(times, times % 7)
            assert len(envelope) <= STRETCHES
    assert len(whole) > STRETCHES // 3
    assert whole.length_ns > 19_000 * 10**9
    assert STRETCHES // 2 * RECENT_NS < recent.length_ns < STRETCHES * RECENT_NS
