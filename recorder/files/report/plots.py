"""What is plotted, reduced to what can be seen; no plotting library in it."""

import itertools
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recorder.files.report.found import Found

# A line of more points is drawn by the least and the greatest of so many stretches, each narrower than a dot.
COLUMNS = 1200

# Bins of a histogram.
BINS = 80

# Where the longest is so many times what is usual, the scale is logarithmic: the usual stays to be seen.
WIDE = 5.0

# Regions in one plot: more lines than colours tell nothing.
MAX_REGIONS = 7

Series = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Panel:
    """Lines over time, each with its name ("": the only one); `alt` says what is seen, in words.

    `steps` is how matplotlib calls the way from one point to the next.
    """

    title: str
    alt: str
    lines: tuple[tuple[str, Series], ...]
    is_log: bool = False
    steps: str = "default"


@dataclass(frozen=True)
class Timeline:
    """Panels over one axis of time, from `begin` to `end` in `unit`.

    `marks` are moments with labels, `losses` moments with how many frames are missing there, `borders` where
    a further file begins.
    """

    unit: str
    begin: float
    end: float
    panels: tuple[Panel, ...]
    marks: tuple[tuple[float, str], ...]
    losses: Series
    borders: tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """How often there is which value: `counts` (n,) between `edges` (n + 1,)."""

    title: str
    alt: str
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    is_log_scale: bool = False


def shown(text: str) -> str:
    """Return a text as pages and figures may have it: what commands, or turns text round, is a box.

    XML, and with it SVG, cannot have the most of it at all.
    """
    return "".join(
        "\ufffd" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t" else c for c in text
    )


def envelope(x: NDArray[np.float64], y: NDArray[np.float64], columns: int = COLUMNS) -> Series:
    """Return the points of a line that looks like that through (x, y) (n,), `columns` dots wide.

    Of each dot's width it has the least value and the greatest: no single point that sticks out is left out.
    `x` rises; what is not finite is left out.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if not known.all():
        x, y = x[known], y[known]
    if len(x) <= 2 * columns:
        return x, y
    edges = np.linspace(x[0], x[-1], columns, endpoint=False)
    starts = np.unique(np.searchsorted(x, edges))
    starts = starts[starts < len(x)]
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return np.repeat(x[starts], 2), np.stack([low, high], axis=1).reshape(-1)


def timeline(found: Found) -> Timeline:
    """Return what is plotted over time; there must be a frame."""
    recording = found.recording
    times = recording.time
    known = times[np.isfinite(times)]
    is_time = len(known) == len(times) and bool((np.diff(times) >= 0).all())
    if not is_time:
        # Of a damaged file.
        times = np.arange(len(times), dtype=np.float64)
    factor, unit = _unit(float(times[-1] - times[0])) if is_time else (1.0, "frame")
    x = times / factor
    lost = recording.losses
    at_loss = x[np.clip(lost["after_frame"], 0, len(x) - 1)]
    marks = [row for row in recording.marks if 0 <= row["frame"] < len(x)]
    return Timeline(
        unit,
        float(x[0]),
        float(x[-1]),
        tuple(_panels(found, x)),
        tuple((float(x[row["frame"]]), shown(str(row["label"]))) for row in marks),
        _per_column(at_loss, lost["count"].astype(np.float64)),
        tuple(float(x[part.start]) for part in found.parts[1:] if part.start < len(x)),
    )


def _unit(seconds: float) -> tuple[float, str]:
    """Return what a recording's time is told in."""
    if seconds <= 600:
        return 1.0, "s"
    return (60.0, "min") if seconds <= 3 * 3600 else (3600.0, "h")


def _per_column(x: NDArray[np.float64], counts: NDArray[np.float64]) -> Series:
    """Return the sums of what is at nearly the same place."""
    if len(x) <= COLUMNS:
        return x, counts
    order = np.argsort(x, kind="stable")
    edges = np.linspace(x.min(), x.max(), COLUMNS, endpoint=False)
    starts = np.unique(np.searchsorted(x[order], edges))
    return x[order][starts], np.add.reduceat(counts[order], starts)


def _panels(found: Found, x: NDArray[np.float64]) -> list[Panel]:
    recording, intervals = found.recording, found.intervals
    panels = []
    if len(intervals.seconds):
        ms = intervals.seconds * 1e3
        line = envelope(x[intervals.after + 1], ms)
        is_log = _is_wide(ms)
        panels.append(
            Panel("frame interval (ms)", "the time between frames", (("", line),), is_log, "steps-pre")
        )
    if found.samples is not None:
        samples = found.samples
        line = envelope(x[samples.indices], samples.means)
        panels.append(Panel("mean of the frame (counts)", "the mean of the frame", (("", line),)))
    if recording.regions:
        named = list(recording.regions.items())[:MAX_REGIONS]
        lines = tuple((shown(name), envelope(x, means)) for name, means in named)
        panels.append(Panel("mean of regions (counts)", "the means of regions", lines))
    if len(found.exposures) > 1:
        line = envelope(x, recording.exposure * 1e3)
        panels.append(Panel("exposure (ms)", "the exposure", (("", line),), _is_wide(line[1]), "steps-post"))
    if len(known := found.temperature) and known.min() < known.max():
        line = envelope(x, recording.temperature.astype(np.float64))
        panels.append(Panel("sensor (°C)", "the sensor's temperature", (("", line),)))
    if np.isfinite(found.late_s).any() and len(x) > 1:
        line = envelope(x, found.late_s * 1e3)
        panels.append(
            Panel("arrived late by (ms)", "how much later than the quickest frames came", (("", line),))
        )
    return panels


def _is_wide(values: NDArray[np.float64]) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0 and known.max() > WIDE * np.median(known))


def histograms(found: Found) -> list[Histogram]:
    """Return the histograms there are of a recording."""
    made = []
    if len(regular := found.intervals.regular):
        made.append(
            _histogram("frame interval (ms)", "how often the time between frames was how long", regular * 1e3)
        )
    late = np.maximum(found.late_s[np.isfinite(found.late_s)], 0.0) * 1e3
    if len(late) > 1:
        made.append(_histogram("arrived late by (ms)", "how often frames arrived how late", late))
    if found.samples is not None:
        counts = found.samples.values
        used = np.flatnonzero(counts)
        first, stop = int(used[0]), max(int(used[-1]) + 1, int(used[0]) + 8)
        step = -(-(stop - first) // BINS)
        edges = np.arange(first, stop + step, step)
        summed = [int(counts[low:high].sum()) for low, high in itertools.pairwise(edges.tolist())]
        alt = "how many pixels of the frames shown have which value"
        made.append(
            Histogram(
                "pixel values (counts)", alt, np.array(summed, np.int64), edges.astype(np.float64) - 0.5
            )
        )
    return made


def _histogram(title: str, alt: str, values: NDArray[np.float64]) -> Histogram:
    """Return a histogram of values (n,), n >= 1, on a logarithmic scale where they differ that much."""
    low, high = float(values.min()), float(values.max())
    positive = values[values > 0]
    if low >= 0 and len(positive) and high > 20 * max(np.median(values), 1e-9):
        floor = max(float(positive.min()), high * 1e-5)
        edges = np.geomspace(floor, high * 1.0001, BINS + 1)
        counts, _ = np.histogram(np.maximum(values, floor), edges)
        return Histogram(title, alt, counts, edges, is_log_scale=True)
    margin = max((high - low) * 0.02, abs(high) * 1e-3, 1e-6)
    counts, edges = np.histogram(values, BINS, (low - margin, high + margin))
    return Histogram(title, alt, counts, edges)
