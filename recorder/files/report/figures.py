"""The figures of a report: the one door to matplotlib, which is imported with this module alone."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from recorder.files.report.plots import Histogram, Timeline
from recorder.files.report.samples import Samples

# Colours that people with any kind of sight tell apart (M. Okabe and K. Ito, 2008), black first.
LINES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARK, LOSS, BORDER = "#00694b", "#b00020", "#666666"

# What of a figure is as it is everywhere: text stays text, a "$" in a label is a "$", the same file twice is
# the same picture.
STYLE: dict[str, Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "recorder",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.prop_cycle": mpl.cycler(color=LINES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.constrained_layout.use": True,
}

# Sizes in inches: of a panel, of a row of labels, of what is below the last panel.
PANEL, LABEL_ROW, BELOW = 1.15, 0.2, 0.45

# Labels of marks: rows of them, the longest text, and what a letter of it is wide, in inches.
LABEL_ROWS, LABEL_LENGTH, LETTER = 3, 20, 0.072

# Lines through all panels: more of them hide what they are drawn over.
MAX_LINES = 150

DPI = 150


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw in the style of a report during `with`, without what the library says meanwhile.

    Letters that its font lacks are boxes in a PNG; that is not worth a line on the terminal for each.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def as_svg(figure: Figure) -> bytes:
    """Return a figure as SVG."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def timeline_figure(what: Timeline, width: float) -> Figure:
    """Return a figure of what happened over time, `width` inches wide."""
    figure = Figure(figsize=(width, timeline_height(what)))
    draw_timeline(figure, what, width)
    return figure


def timeline_height(what: Timeline) -> float:
    """Return how high the figure is, in inches."""
    return _strip_height(what) + PANEL * len(what.panels) + BELOW


def _strip_height(what: Timeline) -> float:
    rows = (LABEL_ROWS + 1 if what.marks else 0) + (3 if len(what.losses[0]) else 0)
    return LABEL_ROW * rows


def draw_timeline(figure: FigureBase, what: Timeline, width: float) -> None:
    """Draw panels over one axis of time into a figure `width` inches wide."""
    heights = [LABEL_ROW * (LABEL_ROWS + 1)] * bool(what.marks) + [LABEL_ROW * 3] * bool(len(what.losses[0]))
    grid = [*heights, *[PANEL] * len(what.panels)]
    axes = figure.subplots(len(grid), 1, sharex=True, squeeze=False, height_ratios=grid)[:, 0]
    rest = list(axes)
    rest[-1].set_xlim(*_limits(what))
    if what.marks:
        _draw_marks(rest.pop(0), what, width)
    if len(what.losses[0]):
        _draw_losses(rest.pop(0), what)
    for axis, panel in zip(rest, what.panels, strict=True):
        axis.set_title(panel.title)
        for name, (x, y) in panel.lines:
            style = "." if len(x) == 1 else "-"
            axis.plot(x, y, style, label=name or None)
        if panel.is_log:
            axis.set_yscale("log")
        else:
            axis.yaxis.set_major_locator(MaxNLocator(4))
        if any(name for name, _ in panel.lines):
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0) if width > 6 else None)
        for x, colour, dashes in _through(what):
            axis.axvline(x, color=colour, linewidth=0.7, linestyle=dashes, alpha=0.7, zorder=0)
    axes[-1].set_xlabel(
        "frame" if what.unit == "frame" else f"time since the first frame, by the camera's clock ({what.unit})"
    )


def _limits(what: Timeline) -> tuple[float, float]:
    length = what.end - what.begin
    return (what.begin - 0.01 * length, what.end + 0.01 * length) if length else (-0.5, 0.5)


def _through(what: Timeline) -> Iterator[tuple[float, str, str]]:
    """Yield place, colour and kind of each line through all panels."""
    if len(what.marks) <= MAX_LINES:
        for x, _ in what.marks:
            yield x, MARK, ":"
    if len(what.losses[0]) <= MAX_LINES:
        for x in what.losses[0].tolist():
            yield x, LOSS, "-"
    for x in what.borders[:MAX_LINES]:
        yield x, BORDER, "--"


def _draw_marks(axis: Axes, what: Timeline, width: float) -> None:
    count = len(what.marks)
    axis.set_title(f"marks ({count})", color=MARK)
    axis.set_ylim(-1, LABEL_ROWS)
    _only_place(axis)
    places = [x for x, _ in what.marks]
    axis.plot(places, np.full(count, -0.6), "v", color=MARK, markersize=5, clip_on=False)
    low, high = _limits(what)
    per_inch = (high - low) / max(width - 1.0, 0.5)
    free = [low] * LABEL_ROWS
    for x, label in sorted(what.marks):
        text = label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}…"
        long = LETTER * (len(text) + 1) * per_inch
        # At the right edge it ends at its mark.
        begin = min(x, high - long)
        row = next((row for row in range(LABEL_ROWS) if free[row] <= begin), None)
        if row is not None:
            free[row] = begin + long
            axis.text(begin, row, text, color=MARK, fontsize=8, va="center", clip_on=False)


def _draw_losses(axis: Axes, what: Timeline) -> None:
    x, counts = what.losses
    axis.set_title(f"frames lost ({int(counts.sum())})", color=LOSS)
    axis.vlines(x, 0, counts, color=LOSS, linewidth=2)
    axis.plot(x, counts, ".", color=LOSS)
    axis.set_ylim(0, float(counts.max()) * 1.2)
    axis.yaxis.set_major_locator(MaxNLocator(2, integer=True))


def _only_place(axis: Axes) -> None:
    axis.yaxis.set_visible(False)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(bottom=False)


def histogram_figure(which: Sequence[Histogram], width: float, *, is_column: bool) -> Figure:
    """Return a figure of histograms, beside each other or in a column, `width` inches wide."""
    height = 2.1
    figure = Figure(figsize=(width, height * (len(which) if is_column else 1)))
    draw_histograms(figure, which, is_column=is_column)
    return figure


def draw_histograms(figure: FigureBase, which: Sequence[Histogram], *, is_column: bool = False) -> None:
    """Draw histograms into a figure."""
    shape = (len(which), 1) if is_column else (1, len(which))
    for axis, one in zip(figure.subplots(*shape, squeeze=False).reshape(-1), which, strict=True):
        axis.set_title(one.title)
        axis.stairs(one.counts, one.edges, fill=True, color=LINES[1])
        # That a single one shows.
        axis.set_yscale("log")
        axis.set_ylim(0.5, max(2.0, 2.0 * float(one.counts.max())))
        if one.is_log_scale:
            axis.set_xscale("log")
        else:
            axis.xaxis.set_major_locator(MaxNLocator(5))


def overview(title: str, lines: Sequence[str], colour: str, samples: Samples | None, captions: Sequence[str],
             what: Timeline | None, which: Sequence[Histogram]) -> bytes:  # fmt: skip
    """Return all of it as one picture (PNG): title, lines of text below it, of which the first has the colour."""
    width = 11.0
    heights = [0.5 + 0.22 * len(lines)]
    heights += [2.4] if samples is not None else []
    heights += [timeline_height(what)] if what is not None else []
    heights += [2.1] if which else []
    figure = Figure(figsize=(width, sum(heights)), layout=None)
    parts = list(np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights)))
    _draw_text(parts.pop(0), title, lines, colour, heights[0])
    if samples is not None:
        axes = parts.pop(0).subplots(1, len(samples.pictures), squeeze=False)[0]
        for axis, picture, caption in zip(axes, samples.pictures, captions, strict=True):
            axis.imshow(picture.greys, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_title(caption, fontsize=8)
            axis.set_axis_off()
    if what is not None:
        draw_timeline(parts.pop(0), what, width)
    if which:
        draw_histograms(parts.pop(0), which)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    return content.getvalue()


def _draw_text(part: FigureBase, title: str, lines: Sequence[str], colour: str, height: float) -> None:
    part.text(0.01, 1 - 0.25 / height, title, fontsize=14, fontweight="bold", va="center")
    for i, line in enumerate(lines):
        weight = "bold" if i == 0 else "normal"
        place = 1 - (0.55 + 0.22 * i) / height
        part.text(0.01, place, line, color=colour if i == 0 else "#000000", fontweight=weight, va="center")
