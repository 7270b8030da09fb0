"""The camera's clock against the computer's: how much faster it goes, and how late each frame arrived.

A frame never arrives before its exposure has ended, and sometimes much later. So of each stretch of time only
the quickest frame tells of the clocks. The line through these is Theil's and Sen's, the median of the slopes
between each two, which a quarter of them being wrong does not move; its interval of confidence follows from
Kendall's tau (P. K. Sen, J. Am. Stat. Assoc. 63, 1379, 1968). Plain functions, for any thread.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Stretches of time, of all files together: enough for an interval of confidence, few enough for all pairs.
STRETCHES = 64

# Fewer of them have no line that is worth telling.
LEAST_STRETCHES = 8

# Of a normal distribution, 95 % is within so many standard deviations.
CONFIDENT = 1.96

Seconds = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Drift:
    """How many millionths faster than the computer's the camera's clock goes; 95 % sure from low to high."""

    ppm: float
    low_ppm: float
    high_ppm: float


@dataclass(frozen=True)
class ClockFit:
    """What the arrival of frames says of two clocks.

    Arrival = time + exposure + `offsets_s[file]` - drift * time + `late_s[frame]`: a frame that came as soon
    as frames come is 0 s late; NaN where it is not known. `drift` is None where the frames are too few to
    tell. `residual_s` is how far the quickest frame of a stretch is from the line, the median of all.
    """

    drift: Drift | None
    offsets_s: tuple[float, ...]
    residual_s: float
    late_s: NDArray[np.float64]


def fit_clocks(
    camera_s: Seconds,
    host_s: Seconds,
    exposure_s: Seconds,
    files: Sequence[slice],
) -> ClockFit | None:
    """Return how the clocks went in `files`, parts of the frames (N,); None where no frame tells it.

    `camera_s` are begins of exposures, `host_s` arrivals; both may count anew with each file. An exposure
    that is not known counts as 0 s.
    """
    delays = host_s - camera_s - np.nan_to_num(exposure_s)
    total_s = sum(_length(camera_s[part]) for part in files)
    quickest = [_quickest(camera_s[part], delays[part], total_s) for part in files]
    if not any(len(at) for at, _ in quickest):
        return None
    drift = _drift(quickest)
    slope = 0.0 if drift is None else -drift.ppm * 1e-6
    left = [delay - slope * at for at, delay in quickest]
    offsets = [float(np.median(each)) if len(each) else math.nan for each in left]
    residuals = np.concatenate([each - offset for each, offset in zip(left, offsets, strict=True)])
    late_s = np.full(len(delays), np.nan)
    for part, offset in zip(files, offsets, strict=True):
        late_s[part] = delays[part] - slope * camera_s[part] - offset
    return ClockFit(drift, tuple(offsets), float(np.median(np.abs(residuals))), late_s)


def _length(times: Seconds) -> float:
    known = times[np.isfinite(times)]
    return float(known.max() - known.min()) if len(known) else 0.0


def _quickest(times: Seconds, delays: Seconds, total_s: float) -> tuple[Seconds, Seconds]:
    """Return time and delay of the quickest frame in each stretch of a file's share of the time."""
    known = np.isfinite(times) & np.isfinite(delays)
    if not known.all():
        times, delays = times[known], delays[known]
    if not len(times):
        return times, delays
    length_s = _length(times)
    stretches = max(1, round(STRETCHES * length_s / total_s)) if total_s > 0 else 1
    # Which stretch each frame is in; then, in the order of their delays, the first of each.
    which = np.minimum((times - times.min()) * (stretches / max(length_s, 1e-12)), stretches - 1).astype(int)
    least = np.full(stretches, np.inf)
    np.minimum.at(least, which, delays)
    is_least = delays == least[which]
    _, first = np.unique(which[is_least], return_index=True)
    return times[is_least][first], delays[is_least][first]


def _drift(quickest: Sequence[tuple[Seconds, Seconds]]) -> Drift | None:
    """Return the median of the slopes between each two of one file, and from which to which it surely is."""
    slopes, variance = [np.zeros(0)], 0.0
    for at, delay in quickest:
        count = len(at)
        first, second = np.triu_indices(count, 1)
        slopes.append((delay[second] - delay[first]) / (at[second] - at[first]))
        variance += count * (count - 1) * (2 * count + 5) / 18
    ppm = np.sort(np.concatenate(slopes)) * -1e6
    if sum(len(at) for at, _ in quickest) < LEAST_STRETCHES or not len(ppm):
        return None
    margin = CONFIDENT * math.sqrt(variance)
    first_rank = max(0, math.floor((len(ppm) - margin) / 2))
    last_rank = min(len(ppm) - 1, math.ceil((len(ppm) + margin) / 2))
    return Drift(float(np.median(ppm)), float(ppm[last_rank]), float(ppm[first_rank]))
