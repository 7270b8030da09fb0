"""What the file says of the camera's clock against the computer's: single values, written now and then."""

import math
from collections.abc import Mapping
from typing import Any

import h5py

from recorder.frames.clock_fit import ClockFit, Drift
from recorder.storage.nexus import describe, fixed, make_group

GROUP = "clock"

# By name: unit, and what it is. NaN where it is not known.
VALUES = {
    "offset": (
        "s",
        "a frame that comes as soon as frames come has host_time = start_time + count_time + this",
    ),
    "drift": ("ppm", "how many millionths faster than the computer's the camera's clock goes"),
    "drift_low": ("ppm", "95 % sure that drift is not less"),
    "drift_high": ("ppm", "95 % sure that drift is not more"),
    "residual": ("s", "how much later the quickest frame of a stretch of time came, median"),
    "uncertainty": ("s", "how far a moment of this run may be off by offset and drift, 95 % sure"),
    "jumps": (
        "",
        "how often the camera's clock was set during the run: the values are those of the time since",
    ),
}

# Beside them: why they will not be known.
UNKNOWN = "unknown"


def make_clock(entry: h5py.Group, unknown: str) -> None:
    """Make the values, which are not known yet, or never will be, for the reason given."""
    group = make_group(entry, GROUP, "NXcollection")
    if unknown:
        group[UNKNOWN] = fixed(unknown)
    for name, (unit, meaning) in VALUES.items():
        group[name] = math.nan
        describe(group[name], long_name=meaning, **({"units": unit} if unit else {}))


def values_of(fit: ClockFit, camera_ns: int = 0, host_ns: int = 0) -> dict[str, float]:
    """Return the values of a fit, by name, of a file whose clocks count from these moments."""
    drift = fit.drift or Drift(math.nan, math.nan, math.nan)
    return {
        "offset": (fit.host_of(camera_ns) - host_ns) * 1e-9,
        "drift": drift.ppm,
        "drift_low": drift.low_ppm,
        "drift_high": drift.high_ppm,
        "residual": fit.residual_s,
        "uncertainty": fit.uncertainty_s,
        "jumps": float(fit.jumps),
    }


def fit_of(values: Mapping[str, Any]) -> ClockFit | None:
    """Return the fit that these values tell, whose clocks count from the file's first frame; None: none."""
    found = {name: math.nan if values.get(name) is None else float(values[name]) for name in VALUES}
    if math.isnan(found["offset"]):
        return None
    drift = Drift(found["drift"], found["drift_low"], found["drift_high"])
    return ClockFit(
        camera_ns=0,
        host_ns=round(found["offset"] * 1e9),
        drift=None if math.isnan(drift.ppm) else drift,
        residual_s=found["residual"],
        uncertainty_s=found["uncertainty"],
        jumps=0 if math.isnan(found["jumps"]) else int(found["jumps"]),
    )
