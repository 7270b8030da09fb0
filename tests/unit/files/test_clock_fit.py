"""The fit of two clocks finds the drift that is there, whatever happens to the frames on their way."""

import numpy as np
import pytest

from recorder.files.clock_fit import LEAST_STRETCHES, STRETCHES, ClockFit, Seconds, fit_clocks

EXPOSURE_S = 0.005


def fitted(camera_s: Seconds, host_s: Seconds, files: list[slice] | None = None) -> ClockFit:
    exposures = np.full(len(camera_s), EXPOSURE_S)
    fit = fit_clocks(camera_s, host_s, exposures, files or [slice(0, len(camera_s))])
    assert fit is not None
    return fit


@pytest.mark.parametrize("ppm", [0.0, 12.3, -45.0])
def test_the_drift_is_found_beneath_late_arrivals_and_a_backlog(ppm: float) -> None:
    rng = np.random.default_rng(1)
    camera_s = np.arange(20_000) * 0.01
    late_s = rng.exponential(200e-6, len(camera_s))
    # A disk that stands still for 2 s, and then catches up: a sixth of all frames come late, by up to 2 s.
    late_s[5000:8000] += np.linspace(2, 0, 3000)
    host_s = camera_s * (1 - ppm * 1e-6) + EXPOSURE_S + 0.25 + late_s
    fit = fitted(camera_s, host_s)
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(ppm, abs=0.1)
    assert fit.drift.low_ppm <= fit.drift.ppm <= fit.drift.high_ppm
    assert fit.drift.low_ppm - 0.1 <= ppm <= fit.drift.high_ppm + 0.1
    assert fit.drift.high_ppm - fit.drift.low_ppm < 1
    assert fit.offsets_s[0] == pytest.approx(0.25, abs=20e-6)
    assert fit.residual_s < 5e-6
    np.testing.assert_allclose(fit.late_s, late_s, atol=40e-6)


def test_a_confident_interval_is_right_nineteen_times_in_twenty() -> None:
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        camera_s = np.arange(1000) * 0.01
        # One frame in each stretch, so that their delays are independent and normal.
        host_s = camera_s * (1 - 20e-6) + rng.normal(0, 1e-4, 1000)
        at = np.linspace(0, 999, STRETCHES).astype(int)
        fit = fit_clocks(camera_s[at], host_s[at], np.zeros(STRETCHES), [slice(0, STRETCHES)])
        assert fit is not None
        assert fit.drift is not None
        inside += fit.drift.low_ppm <= 20 <= fit.drift.high_ppm
    assert 88 <= inside <= 100


def test_files_have_offsets_of_their_own_and_one_drift() -> None:
    times = np.arange(3000) * 0.01
    files = [slice(0, 1000), slice(1000, 3000)]
    host_s = times * (1 + 30e-6) + EXPOSURE_S
    # Host time counts anew with each file.
    host_s[1000:] -= 7.0
    fit = fitted(times, host_s, files)
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(-30, abs=1e-3)
    assert fit.offsets_s == pytest.approx((0.0, -7.0), abs=1e-6)
    np.testing.assert_allclose(fit.late_s, 0, atol=1e-6)


def test_too_few_frames_tell_how_late_they_were_and_no_drift() -> None:
    count = LEAST_STRETCHES - 1
    camera_s = np.arange(count) * 0.01
    fit = fitted(camera_s, camera_s + EXPOSURE_S + 1.0)
    assert fit.drift is None
    assert fit.offsets_s == pytest.approx((1.0,))
    assert fit.residual_s == pytest.approx(0, abs=1e-9)


def test_what_is_not_known_is_left_out() -> None:
    camera_s = np.arange(100) * 0.01
    host_s = camera_s.copy()
    host_s[::3] = np.nan
    fit = fit_clocks(camera_s, host_s, np.full(100, np.nan), [slice(0, 100), slice(100, 100)])
    assert fit is not None
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(0, abs=1e-6)
    assert np.isnan(fit.late_s[::3]).all()
    assert np.isnan(fit.offsets_s[1])
    assert fit_clocks(camera_s, np.full(100, np.nan), camera_s, [slice(0, 100)]) is None
    assert fit_clocks(camera_s[:0], camera_s[:0], camera_s[:0], [slice(0, 0)]) is None
