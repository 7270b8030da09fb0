"""Make the page about a recording, and the picture of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder.errors import UsageError
from recorder.files.export.target import partial, require_new
from recorder.files.opened.recording import OpenedRecording
from recorder.files.report import words
from recorder.files.report.found import Found, find
from recorder.files.report.page import Drawn, captions, page, title_of
from recorder.files.report.plots import Histogram, Timeline, histograms, shown, timeline

# Inches: a figure on a wide page is as wide as the page, at 96 dots an inch; on a telephone's as narrow.
WIDE, NARROW = 11.0, 4.0

# Of the verdict, on white.
_COLOURS = {"good": "#0a5c27", "bad": "#a0001c", "open": "#6b4700"}


def require_matplotlib() -> Any:  # noqa: ANN401 - a module
    """Return the module that draws; raises UsageError where its library is missing."""
    try:
        from recorder.files.report import figures  # noqa: PLC0415 - only where it is asked for
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "recorder":
            raise
        raise UsageError(
            f"a report needs the package {error.name}: pip install 'recorder[report]' beside this recorder"
        ) from None
    return figures


def write_report(
    recording: OpenedRecording,
    out: Path,
    png: Path | None = None,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> None:
    """Write the page `out`, and the picture `png` where one is wanted; blocks for some seconds.

    `progress` hears how many frames of how many were read. Raises UsageError where one of them exists or
    matplotlib is missing, DamagedFileError, and StorageError; then nothing is left behind.
    """
    figures = require_matplotlib()
    for path in (out, *([png] if png else [])):
        require_new(path)
    found = find(recording, progress)
    what = timeline(found) if found.samples is not None else None
    which = histograms(found)
    with figures.drawing():
        text = page(found, _drawn(figures, found, what, which), datetime.now(UTC))
        picture = _overview(figures, found, what, which) if png else b""
    # The page's last, so that where the picture cannot be written there is no page either.
    with partial(out) as hidden:
        hidden.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        if png:
            with partial(png) as hidden_png:
                hidden_png.write_bytes(picture)


def _drawn(figures: Any, found: Found, what: Timeline | None, which: list[Histogram]) -> Drawn:  # noqa: ANN401
    over_time = beside = None
    if what is not None:
        wide, narrow = (figures.as_svg(figures.timeline_figure(what, width)) for width in (WIDE, NARROW))
        seen = ", ".join(panel.alt for panel in what.panels)
        marks = f" with {len(what.marks)} marks" if what.marks else ""
        over_time = (wide, narrow, f"Over time: {seen}{marks}. {words.interval_text(found)}")
    if which:
        wide = figures.as_svg(figures.histogram_figure(which, WIDE, is_column=False))
        narrow = figures.as_svg(figures.histogram_figure(which, NARROW, is_column=True))
        beside = (wide, narrow, f"Histograms: {', '.join(one.alt for one in which)}.")
    return Drawn(over_time, beside)


def _overview(figures: Any, found: Found, what: Timeline | None, which: list[Histogram]) -> bytes:  # noqa: ANN401
    told, facts = words.verdict(found), words.facts(found)
    rows = (
        ("frames", "began", "length"),
        ("rate", "lost", "exposure", "sensor"),
        ("camera", "pixel", "marks"),
    )
    lines = [
        shown(" ".join([f"{told.word.capitalize()}.", *told.sentences])),
        *(shown(";  ".join(f"{name}: {facts[name]}" for name in row if name in facts)) for row in rows),
    ]
    samples = found.samples
    pictures = zip(captions(found), (one.greys for one in samples.pictures), strict=True) if samples else ()
    drawn: bytes = figures.overview(title_of(found), lines, _COLOURS[told.mood], list(pictures), what, which)
    return drawn
