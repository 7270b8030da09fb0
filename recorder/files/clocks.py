"""How the clocks of camera and computer went: as a file says, or as its frames tell; and in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.clock_fit import ClockFit, Drift, fit_clocks
from recorder.storage.clock_values import GROUP, UNKNOWN, fit_of
from recorder.units import seconds_text

# Of one file: camera time, host time and exposure of its frames (n,) in s, as its columns have them.
Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def clocks_of(values: Sequence[Mapping[str, Any]], columns: Sequence[Columns]) -> tuple[ClockFit | None, ...]:
    """Return how the clocks went in each file, both counted from its first frame; None where nothing tells.

    `values` are the single values of each by their path in /entry. Files that do not say it, as those of
    older versions, have the drift of all of these.
    """
    said = [fit_of(_under(GROUP, each)) for each in values]
    found = arrivals_of(
        [
            each if fit is None and unknown_of(one) is None else None
            for one, each, fit in zip(values, columns, said, strict=True)
        ]
    )
    return tuple(one or other for one, other in zip(said, found, strict=True))


def arrivals_of(columns: Sequence[Columns | None]) -> list[ClockFit | None]:
    """Return what the arrival of frames tells, file by file; None for None, and where no frame tells it."""
    times = [_times(each) if each is not None else _NONE for each in columns]
    return fit_clocks(times)


_NONE = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _times(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Return the times that are known, in ns, and exposures."""
    camera_s, host_s, exposure_s = columns
    known = np.isfinite(camera_s) & np.isfinite(host_s)
    camera_ns, host_ns = (np.rint(times[known] * 1e9).astype(np.int64) for times in (camera_s, host_s))
    return camera_ns, host_ns, exposure_s[known]


def late_s(fit: ClockFit | None, columns: Columns) -> NDArray[np.float64]:
    """Return how late the frames of a file (n,) arrived, in s; NaN where it is not known."""
    late = np.full(len(columns[0]), np.nan)
    if fit is not None:
        known = np.isfinite(columns[0]) & np.isfinite(columns[1])
        late[known] = fit.late_s(*_times(columns))
    return late


def all_late_s(clocks: Sequence[ClockFit | None], columns: Sequence[Columns]) -> list[NDArray[np.float64]]:
    """Return `late_s` of each file, also of one that says that its clock is not known: by arrivals alone."""
    fits = [said or found for said, found in zip(clocks, arrivals_of(columns), strict=True)]
    return [late_s(fit, each) for fit, each in zip(fits, columns, strict=True)]


def unknown_of(values: Mapping[str, Any]) -> str | None:
    """Return why a file says that nothing is found out, None where it does not."""
    return values.get(f"{GROUP}/{UNKNOWN}")


def _under(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(f"{group}/"): value for name, value in values.items()}


def in_words(fit: ClockFit) -> str:
    """Return a fit in a line, for people."""
    jumps = "" if not fit.jumps else f"; it was set {fit.jumps} times, this is the time since"
    if math.isnan(fit.uncertainty_s):
        return "a single frame tells nothing of it"
    residual, unsure = seconds_text(fit.residual_s, 3), seconds_text(fit.uncertainty_s, 3)
    return f"{drift_text(fit.drift)}; residual {residual}, moments are right to {unsure}{jumps}"


def drift_text(drift: Drift | None) -> str:
    """Return how fast the camera's clock goes, for people."""
    if drift is None:
        return "its frames do not tell a drift"
    sure = f"95 % sure: {drift.low_ppm:.3g} to {drift.high_ppm:.3g}"
    if drift.low_ppm <= 0 <= drift.high_ppm:
        return f"no drift that can be seen: {drift.ppm:.3g} ppm ({sure})"
    faster = "faster" if drift.ppm > 0 else "slower"
    hour = seconds_text(abs(drift.ppm) * 1e-6 * 3600)
    return f"{abs(drift.ppm):.3g} ppm {faster} than the computer's, {hour} in an hour ({sure} ppm)"
