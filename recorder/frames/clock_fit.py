"""The camera's clock against the computer's: how much faster it goes, and which moment is which.

A frame never arrives before its exposure has ended, and sometimes much later. So of each stretch of time only
the quickest frame tells of the clocks. The line through these is Theil's and Sen's, the median of the slopes
between each two, which a quarter of them being wrong does not move; its interval of confidence follows from
Kendall's tau (P. K. Sen, J. Am. Stat. Assoc. 63, 1379, 1968). The same while frames come as afterwards, and
for any thread; nothing blocks.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Stretches of time, at most: half as many are enough for an interval of confidence, all are few enough for
# all pairs (0.5 ms).
STRETCHES = 128

# Fewer of them have no line that is worth telling.
LEAST_STRETCHES = 8

# Of a normal distribution, 95 % is within so many standard deviations.
CONFIDENT = 1.96

# How far clocks of quartz are from each other at most; a drift that is not known much better is not told.
USUAL_PPM = 100.0
WORTH_TELLING = 0.5

# Beyond that it is no drift: frames were delivered at another rate than that of their exposures.
IMPOSSIBLE_PPM = 1000.0

# Of so many of the stretches the quickest frame may have come too early for the line: its time was wrong.
TOO_EARLY = 0.1

# Frames that come so much sooner than frames can show that the camera's clock was set, once it was known.
JUMP_NS = 100_000_000
KNOWN_AFTER_NS = 1_000_000_000

# For the moment the last one to two minutes count: a clock that warms up changes its drift.
RECENT_NS = 2**30

# How many times the clock may be set until what came before is forgotten.
SEGMENTS = 8

# A fit that so much of its time has been added to since is as good as a new one.
STILL_GOOD = 1 / 64

# Frames that are added at a time.
BATCH = 1024

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Drift:
    """How many millionths faster than the computer's the camera's clock goes; 95 % sure from low to high."""

    ppm: float
    low_ppm: float
    high_ppm: float


@dataclass(frozen=True)
class ClockFit:
    """A line through the quickest frames.

    A frame whose exposure began at `camera_ns` by the camera's clock began at `host_ns` by the computer's:
    it arrives, where it comes as soon as frames come, its exposure later. What the quickest of all take from
    the sensor into memory is in it, as nothing tells that. `drift` is None where the frames do not tell it.
    `residual_s` is how much later the quickest frame of a stretch came, the median of all; `uncertainty_s`
    what a moment of the time that was fitted may be off, 95 % sure (NaN: of one frame). `jumps` is how often
    the camera's clock was set: the line is that of the time since.
    """

    camera_ns: int
    host_ns: int
    drift: Drift | None
    residual_s: float
    uncertainty_s: float
    jumps: int = 0

    @property
    def _slope(self) -> float:
        return -self.drift.ppm * 1e-6 if self.drift else 0.0

    def host_of(self, camera_ns: int) -> int:
        """Return the moment of the computer's clock that is `camera_ns` by the camera's."""
        since_ns = camera_ns - self.camera_ns
        return self.host_ns + since_ns + round(since_ns * self._slope)

    def camera_of(self, host_ns: int) -> int:
        """Return the moment of the camera's clock that is `host_ns` by the computer's."""
        return int(self.cameras_of(np.array(host_ns)))

    def cameras_of(self, host_ns: Times) -> Times:
        """Return the moments (n,) of the camera's clock that are `host_ns` (n,) by the computer's."""
        since_ns = host_ns - self.host_ns
        less_ns: Times = np.rint(since_ns * self._slope / (1 + self._slope)).astype(np.int64)
        return self.camera_ns + since_ns - less_ns

    def late_s(self, camera_ns: Times, host_ns: Times, exposure_s: NDArray[Any]) -> NDArray[np.float64]:
        """Return how late frames (n,) arrived: 0 where they came as soon as frames come."""
        since_ns = camera_ns - self.camera_ns
        expected_ns = self.host_ns + since_ns + np.rint(since_ns * self._slope).astype(np.int64)
        late_ns: Times = host_ns - expected_ns - _in_ns(exposure_s)
        return late_ns.astype(np.float64) * 1e-9


class Envelope:
    """The quickest frame of each stretch of time, of `STRETCHES` at most, all of one length.

    Stretches become twice as long when there are too many, up to `longest_ns`; from then on the oldest are
    forgotten. Which they are follows from the first and the last frame alone, however the frames come.
    """

    def __init__(self, longest_ns: int | None = None) -> None:
        self._longest_ns = longest_ns
        self._origin_ns: int | None = None
        self._length_ns = 1
        self._quickest: dict[int, tuple[int, int]] = {}  # by stretch: time and delay

    def __len__(self) -> int:
        return len(self._quickest)

    @property
    def length_ns(self) -> int:
        """From the first of the quickest frames to the last."""
        times = [time for time, _ in self._quickest.values()]
        return times[-1] - times[0] if times else 0

    @property
    def lowest(self) -> int:
        """The shortest of the delays; there must be one."""
        return min(delay for _, delay in self._quickest.values())

    def add(self, times_ns: Times, delays_ns: Times) -> None:
        """Add frames (n,), n >= 1, whose times do not fall."""
        if self._origin_ns is None:
            self._origin_ns = int(times_ns[0])
        self._make_room(int(times_ns[-1]) - self._origin_ns)
        first = (int(times_ns[0]) - self._origin_ns) // self._length_ns
        last = (int(times_ns[-1]) - self._origin_ns) // self._length_ns
        begins = [0, len(times_ns)]
        if first != last:
            which = (times_ns - self._origin_ns) // self._length_ns
            begins = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(times_ns)]
        for begin, end in itertools.pairwise(begins):
            i = begin + int(delays_ns[begin:end].argmin())
            time_ns, delay_ns = int(times_ns[i]), int(delays_ns[i])
            stretch = (time_ns - self._origin_ns) // self._length_ns
            if stretch not in self._quickest or delay_ns < self._quickest[stretch][1]:
                self._quickest[stretch] = time_ns, delay_ns
        while self._longest_ns is not None and (oldest := next(iter(self._quickest))) <= last - STRETCHES:
            del self._quickest[oldest]

    def _make_room(self, until_ns: int) -> None:
        """Have stretches so long that those until then are not too many."""
        while until_ns // self._length_ns >= STRETCHES:
            if self._longest_ns is not None and 2 * self._length_ns > self._longest_ns:
                return
            self._length_ns *= 2
            merged: dict[int, tuple[int, int]] = {}
            for stretch, quickest in self._quickest.items():
                if stretch // 2 not in merged or quickest[1] < merged[stretch // 2][1]:
                    merged[stretch // 2] = quickest
            self._quickest = merged

    def points(self) -> tuple[Times, Times]:
        """Return time and delay of the quickest frame of each stretch."""
        times, delays = zip(*self._quickest.values(), strict=True)
        return np.array(times, np.int64), np.array(delays, np.int64)


class ClockFollower:
    """Follow the clocks of one run, or file, in bounded memory and less than 0.1 ms for each block of frames.

    `jumps` counts how often the camera's clock was set, or wrapped around: it went back, or frames came
    sooner than frames can. A step back that is shorter than the time between two frames is not seen.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._past: deque[tuple[Times, Times]] = deque(maxlen=SEGMENTS)
        self._whole, self._recent = Envelope(), Envelope(RECENT_NS)
        self._last_ns: int | None = None
        self._quickest = 0  # the shortest delay of the frames that came last
        self._now: tuple[int, ClockFit] | None = None

    def add(self, camera_ns: Times, host_ns: Times, exposure_s: NDArray[Any]) -> None:
        """Add frames (n,), n >= 1: begins of exposures, arrivals, and exposures, which count as 0 where NaN.

        The begins do not fall from the first to the last of them.
        """
        delays_ns = host_ns - camera_ns - _in_ns(exposure_s)
        first_ns, last_ns, quickest = int(camera_ns[0]), int(camera_ns[-1]), int(delays_ns.min())
        if self._last_ns is not None:
            impossible = JUMP_NS + round(IMPOSSIBLE_PPM * 1e-6 * (last_ns - self._last_ns))
            # Looking at the last one first spares looking at all.
            sooner = quickest < self._quickest - impossible and quickest < self._recent.lowest - impossible
            if sooner or first_ns < self._last_ns:
                self._begin_anew()
        self._last_ns, self._quickest = last_ns, quickest
        self._whole.add(camera_ns, delays_ns)
        self._recent.add(camera_ns, delays_ns)

    def _begin_anew(self) -> None:
        # What came too late as the run began tells nothing.
        if self._whole.length_ns >= KNOWN_AFTER_NS and len(self._whole) >= LEAST_STRETCHES:
            self._past.append(self._whole.points())
            self.jumps += 1
        self._whole, self._recent, self._now = Envelope(), Envelope(RECENT_NS), None

    def groups(self) -> list[tuple[Times, Times]]:
        """Return the quickest frames of the time between two jumps each; the last is that of now."""
        return [*self._past, *([self._whole.points()] if len(self._whole) else [])]

    def fit(self) -> ClockFit | None:
        """Return the fit of all that came; None before the first frame."""
        groups = self.groups()
        return _fit(groups[-1], _drift(groups), self.jumps) if groups else None

    def now(self) -> ClockFit | None:
        """Return the fit for moments of now, of the last minutes; None before the first frame."""
        if self._last_ns is None:
            return None
        if self._now is not None:
            since_ns = self._last_ns - self._now[0]
            if since_ns == 0 or since_ns < STILL_GOOD * self._recent.length_ns:
                return self._now[1]
        points = self._recent.points()
        self._now = self._last_ns, _fit(points, _drift([points]), self.jumps)
        return self._now[1]


def fit_clocks(files: Sequence[tuple[Times, Times, NDArray[Any]]]) -> list[ClockFit | None]:
    """Return how the clocks went in files, None for one without a frame; the drift is that of all.

    Of each file begins of exposures and arrivals in ns, and exposures in s, (n,) each; they may count anew
    with each file.
    """
    followers = [ClockFollower() for _ in files]
    for follower, (camera_ns, host_ns, exposure_s) in zip(followers, files, strict=True):
        for part in _batches(camera_ns):
            follower.add(camera_ns[part], host_ns[part], exposure_s[part])
    drift = _drift([group for follower in followers for group in follower.groups()])
    return [
        _fit(groups[-1], drift, follower.jumps) if (groups := follower.groups()) else None
        for follower in followers
    ]


def _in_ns(exposure_s: NDArray[Any]) -> Times:
    known = exposure_s if np.isfinite(exposure_s).all() else np.nan_to_num(exposure_s)
    return np.rint(known * 1e9).astype(np.int64)


def _batches(times_ns: Times) -> Iterator[slice]:
    """Yield parts of times (n,) that are not long, and do not fall."""
    falls = np.flatnonzero(np.diff(times_ns) < 0) + 1
    begins = np.union1d(np.arange(0, len(times_ns), BATCH), falls).tolist()
    for begin, end in itertools.pairwise([*begins, len(times_ns)]):
        yield slice(begin, end)


def _fit(quickest: tuple[Times, Times], drift: Drift | None, jumps: int) -> ClockFit:
    """Return the line of this slope beneath the quickest frames."""
    times, delays = quickest
    middle = int(times[0] + times[-1]) // 2
    lowest = int(delays.min())
    slope = -drift.ppm * 1e-6 if drift else 0.0
    above = (delays - lowest) - slope * (times - middle)
    level = float(np.quantile(above, TOO_EARLY, method="lower"))
    residual_s = float(np.median(np.abs(above - level))) * 1e-9
    unsure_ppm = (drift.high_ppm - drift.low_ppm) / 2 if drift else USUAL_PPM
    uncertainty_s = residual_s + unsure_ppm * 1e-6 * int(times[-1] - times[0]) * 0.5e-9
    if len(times) == 1:
        uncertainty_s = math.nan
    return ClockFit(middle, middle + lowest + round(level), drift, residual_s, uncertainty_s, jumps)


def _drift(groups: Sequence[tuple[Times, Times]]) -> Drift | None:
    """Return the median of the slopes between each two of one group, and from which to which it surely is."""
    slopes, variance = [np.zeros(0)], 0.0
    for times, delays in groups:
        count = len(times)
        first, second = np.triu_indices(count, 1)
        slopes.append((delays[second] - delays[first]) / (times[second] - times[first]))
        variance += count * (count - 1) * (2 * count + 5) / 18
    ppm = np.sort(np.concatenate(slopes)) * -1e6
    if sum(len(times) for times, _ in groups) < LEAST_STRETCHES or not len(ppm):
        return None
    margin = CONFIDENT * math.sqrt(variance)
    first_rank = max(0, math.floor((len(ppm) - margin) / 2))
    last_rank = min(len(ppm) - 1, math.ceil((len(ppm) + margin) / 2))
    drift = Drift(float(np.median(ppm)), float(ppm[last_rank]), float(ppm[first_rank]))
    is_known = drift.high_ppm - drift.low_ppm <= 2 * USUAL_PPM * WORTH_TELLING
    return drift if is_known and abs(drift.ppm) <= IMPOSSIBLE_PPM else None
