"""The figures of a report: the one door to matplotlib, which is imported with this module alone."""

import contextlib
import io
import logging
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from recorder.files.report.plots import Histogram, Timeline

# Colours that people with any kind of sight tell apart (M. Okabe and K. Ito, 2008), black first.
LINES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARK, LOSS, BORDER = "#00694b", "#b00020", "#666666"

# What of a figure is as it is everywhere: text stays text, a "$" in a label is a "$", the same file twice is
# the same picture.
STYLE: Any = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "recorder",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
}

# Heights in inches: of a panel, of the marks, of the losses, of what is below the last panel; of a histogram.
PANEL, MARKS, LOSSES, BELOW, HISTOGRAM = 1.15, 0.8, 0.75, 0.5, 2.1

# In inches, what is left of axes for numbers and right of them, above them for a title and below for numbers.
# Fixed: to have it found out takes longer than to draw all the rest.
LEFT, RIGHT, ABOVE, UNDER = 0.7, 0.15, 0.27, 0.08

# Labels of marks: rows of them, the longest text, and what a letter of it is wide, in inches.
LABEL_ROWS, LABEL_LENGTH, LETTER = 3, 20, 0.075

# Of the picture of all: how high a line of text is in inches, and how many letters it has.
LINE, TEXT_LENGTH = 0.22, 135

# Lines through all panels: more of them hide what they are drawn over.
MAX_LINES = 150

# What an axis spans at least, as a share of its values.
LEAST_SPAN = 1e-4

DPI = 150

# Left, bottom, width, height.
_Place = tuple[float, float, float, float]


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
    return sum(_heights(what)) + BELOW


def _heights(what: Timeline) -> list[float]:
    """Return how high marks, losses and panels are, in inches."""
    strips = [MARKS] * bool(what.marks) + [LOSSES] * bool(len(what.losses[0]))
    return [*strips, *[PANEL] * len(what.panels)]


def draw_timeline(figure: FigureBase, what: Timeline, width: float) -> None:
    """Draw panels over one axis of time into a figure `width` inches wide."""
    total, top = timeline_height(what), 0.0
    axes: list[Axes] = []
    for height in _heights(what):
        place = (LEFT, total - top - height + UNDER, width - LEFT - RIGHT, height - ABOVE - UNDER)
        axes.append(figure.add_axes(_share(place, width, total), sharex=axes[0] if axes else None))
        axes[-1].tick_params(labelbottom=False)
        top += height
    axes[-1].tick_params(labelbottom=True)
    axes[-1].set_xlim(*_limits(what))
    rest = list(axes)
    if what.marks:
        _draw_marks(rest.pop(0), what, width)
    if len(what.losses[0]):
        _draw_losses(rest.pop(0), what)
    for axis, panel in zip(rest, what.panels, strict=True):
        axis.set_title(panel.title)
        for colour, (name, (x, y)) in zip(LINES, panel.lines, strict=False):
            marker = "." if len(x) == 1 else ""
            axis.plot(x, y, color=colour, marker=marker, drawstyle=panel.steps, label=name or None)
        if panel.is_log:
            axis.set_yscale("log")
            _plain(axis.yaxis)
        else:
            _keep_apart(axis)
            axis.yaxis.set_major_locator(MaxNLocator(4))
        if any(name for name, _ in panel.lines):
            # Beside the title: over the lines it would hide them.
            axis.legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.97), borderaxespad=0, ncols=4 if width > 6 else 2
            )
        for at, colour, dashes in _through(what):
            axis.axvline(at, color=colour, linewidth=0.7, linestyle=dashes, alpha=0.7, zorder=0)
    axes[-1].set_xlabel(
        "frame"
        if what.unit == "frame"
        else f"time since the first frame, by the camera's clock ({what.unit})"
    )


def _share(place: _Place, width: float, height: float) -> _Place:
    """Return a place (left, bottom, width, height) in inches as shares of a figure's width and height."""
    return place[0] / width, place[1] / height, place[2] / width, place[3] / height


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
    _only_place(axis)
    places = [x for x, _ in what.marks]
    axis.plot(places, np.full(count, -0.9), "v", color=MARK, markersize=5, clip_on=False)
    low, high = _limits(what)
    per_inch = (high - low) / max(width - 1.0, 0.5)
    free, used = [low] * LABEL_ROWS, 1
    for x, label in sorted(what.marks):
        text = label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}…"
        long = LETTER * (len(text) + 1) * per_inch
        # At the right edge it ends at its mark.
        begin = min(x, high - long)
        row = next((row for row in range(LABEL_ROWS) if free[row] <= begin), None)
        if row is not None:
            free[row], used = begin + long, max(used, row + 1)
            axis.text(begin, row, text, color=MARK, fontsize=8, va="center", clip_on=False)
    axis.set_ylim(-1.4, max(used, 2) - 0.4)


def _draw_losses(axis: Axes, what: Timeline) -> None:
    x, counts = what.losses
    axis.set_title(f"frames lost ({int(counts.sum())})", color=LOSS)
    axis.vlines(x, 0, counts, color=LOSS, linewidth=2)
    axis.plot(x, counts, ".", color=LOSS)
    axis.set_ylim(0, float(counts.max()) * 1.2)
    axis.yaxis.set_major_locator(MaxNLocator(2, integer=True))


def _keep_apart(axis: Axes) -> None:
    """Have values that are the same but for rounding drawn as one: what differs less is no news."""
    low, high = axis.get_ylim()
    middle, least = (low + high) / 2, LEAST_SPAN * max(abs(low), abs(high))
    if high - low < least:
        axis.set_ylim(middle - least / 2, middle + least / 2)


def _plain(axis: Axis) -> None:
    """Have the powers of ten of a logarithmic axis written as numbers."""
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _only_place(axis: Axes) -> None:
    axis.yaxis.set_visible(False)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(bottom=False)


def histogram_figure(which: Sequence[Histogram], width: float, *, is_column: bool) -> Figure:
    """Return a figure of histograms, beside each other or in a column, `width` inches wide."""
    figure = Figure(figsize=(width, HISTOGRAM * (len(which) if is_column else 1)))
    draw_histograms(figure, which, width, is_column=is_column)
    return figure


def draw_histograms(
    figure: FigureBase, which: Sequence[Histogram], width: float, *, is_column: bool = False
) -> None:
    """Draw histograms, beside each other or in a column, into a figure `width` inches wide."""
    count = len(which)
    each, total = (width, HISTOGRAM * count) if is_column else (width / count, HISTOGRAM)
    for i, one in enumerate(which):
        left, bottom = (0.0, HISTOGRAM * (count - 1 - i)) if is_column else (each * i, 0.0)
        place = (left + LEFT, bottom + 0.35, each - LEFT - RIGHT, HISTOGRAM - ABOVE - 0.35)
        axis = figure.add_axes(_share(place, width, total))
        axis.set_title(one.title)
        axis.stairs(one.counts, one.edges, fill=True, color=LINES[1])
        # That a single one shows.
        axis.set_yscale("log")
        axis.set_ylim(0.5, max(2.0, 2.0 * float(one.counts.max())))
        _plain(axis.yaxis)
        if one.is_log_scale:
            axis.set_xscale("log")
            _plain(axis.xaxis)
        else:
            axis.xaxis.set_major_locator(MaxNLocator(4))


def overview(
    title: str,
    lines: Sequence[str],
    colour: str,
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
    what: Timeline | None,
    which: Sequence[Histogram],
) -> bytes:
    """Return all of it as one picture (PNG): a title, lines of text, the first in the colour, and figures.

    `pictures` are frames in greys (h, w) with what stands above them.
    """
    width = 11.0
    wrapped = [(part, i == 0) for i, line in enumerate(lines) for part in textwrap.wrap(line, TEXT_LENGTH)]
    heights = [0.55 + LINE * len(wrapped)]
    heights += [2.2] if pictures else []
    heights += [timeline_height(what)] if what is not None else []
    heights += [HISTOGRAM] if which else []
    figure = Figure(figsize=(width, sum(heights)))
    parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    _draw_text(parts.pop(0), title, wrapped, colour, heights[0])
    if pictures:
        room = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 0.88, "wspace": 0.05}
        axes = parts.pop(0).subplots(1, len(pictures), squeeze=False, gridspec_kw=room)[0]
        for axis, (caption, greys) in zip(axes, pictures, strict=True):
            axis.imshow(greys, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_title(caption, fontsize=8)
            axis.set_axis_off()
    if what is not None:
        draw_timeline(parts.pop(0), what, width)
    if which:
        draw_histograms(parts.pop(0), which, width)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    return content.getvalue()


def _draw_text(
    part: FigureBase, title: str, lines: Sequence[tuple[str, bool]], colour: str, height: float
) -> None:
    part.text(0.01, 1 - 0.25 / height, title, fontsize=14, fontweight="bold", va="center")
    for i, (line, is_verdict) in enumerate(lines):
        place = 1 - (0.55 + LINE * i) / height
        look: dict[str, Any] = {"color": colour, "fontweight": "bold"} if is_verdict else {}
        part.text(0.01, place, line, va="center", **look)
