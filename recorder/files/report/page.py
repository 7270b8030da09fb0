"""The page: one file of HTML that asks for nothing else, for a screen of any width and for paper."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import recorder
from recorder.files.report import words
from recorder.files.report.found import Found
from recorder.files.report.plots import shown
from recorder.files.report.words import MAX_ROWS, VerdictText

# Pictures of fewer pixels are enlarged, each pixel a square.
SMALL = 200

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: #fff; color: #111;
  font: 16px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1, p, dd, pre, footer, td:last-child { overflow-wrap: anywhere; }
h1 { margin: 0 0 .6rem; font-size: 1.5rem; line-height: 1.2; }
h2 { margin: 2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid #999; font-size: 1.15rem; }
p { margin: .4rem 0; }
.verdict { padding: .6rem .9rem; border: 2px solid; border-left-width: .8rem; border-radius: 4px; }
.verdict strong { font-size: 1.25rem; }
.good { border-color: #0a6b2d; background: #e9f6ed; } .good strong { color: #0a5c27; }
.bad { border-color: #b00020; background: #fdecee; } .bad strong { color: #a0001c; }
.open { border-color: #7a5200; background: #fdf5e3; } .open strong { color: #6b4700; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: .8rem 0; }
dt { color: #444; } dd { margin: 0; }
dl.two { grid-template-columns: max-content 1fr max-content 1fr; }
.pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: .8rem; }
figure { margin: 0; break-inside: avoid; }
figcaption { margin-top: .2rem; color: #444; font-size: .88rem; }
img { display: block; width: 100%; height: auto; }
.pictures img { border: 1px solid #999; }
.small { image-rendering: pixelated; }
table { max-width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { margin: .6rem 0; columns: 2 18rem; white-space: pre-wrap; font: .82rem/1.4 ui-monospace, Consolas,
  "DejaVu Sans Mono", monospace; }
footer { margin-top: 2rem; padding-top: .5rem; border-top: 1px solid #999; color: #444; font-size: .88rem; }
@media screen and (max-width: 48rem) { dl.two { grid-template-columns: max-content 1fr; } }
@media screen and (max-width: 36rem) {
  body { padding: .7rem; } .pictures { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
  dl, dl.two { grid-template-columns: minmax(4.5rem, 34%) 1fr; gap: .2rem .8rem; }
  table { font-size: .82rem; } th, td { padding-right: .4rem; }
  .answers :is(th, td):nth-child(4) { display: none; } .answers td:last-child { min-width: 8.5rem; }
}
@media print {
  @page { margin: 14mm; } html { font-size: 9pt; } body { padding: 0; max-width: none; font-size: 1rem; }
  h2 { margin-top: 1.2rem; break-after: avoid; } tr { break-inside: avoid; }
  .pictures { grid-template-columns: repeat(6, 1fr); gap: .4rem; } .verdict { print-color-adjust: exact; }
}
"""


@dataclass(frozen=True)
class Drawn:
    """The figures as SVG, for a wide and for a narrow page, with what is seen in words; None: none."""

    timeline: tuple[bytes, bytes, str] | None
    histograms: tuple[bytes, bytes, str] | None


def page(found: Found, drawn: Drawn, made: datetime) -> str:
    """Return the page about a recording."""
    recording = found.recording
    title = title_of(found)
    parts = [
        _verdict(words.verdict(found)),
        _facts(words.facts(found), "two"),
        _said(found),
        _files(found),
        _pictures(found),
        _over_time(found, drawn),
        _clocks(found),
        _disk(found),
        _marks(found),
        _losses(found),
        _commands(found),
        _configuration(found),
    ]
    names = ", ".join(str(file.path) for file in recording.files[:3])
    more = f" and {len(recording.files) - 3} more" if len(recording.files) > 3 else ""
    foot = f"recorder {recorder.__version__}, {made.astimezone(UTC):%Y-%m-%d %H:%M} UTC, from {names}{more}"
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}: report</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{_text(title)}</h1>\n{body}\n</main><footer>{_text(foot)}</footer></body></html>\n"
    )


def title_of(found: Found) -> str:
    """Return what the recording is called: its title, and the name of its file where that says more."""
    path = found.recording.files[0].path
    title = str(found.recording.metadata.get("title", ""))
    return shown(path.name if title in {"", path.stem} else f"{title} ({path.name})")


def captions(found: Found) -> list[str]:
    """Return when each of the frames that are shown was exposed."""
    if found.samples is None:
        return []
    times = found.recording.time
    return [f"frame {one.index:,}, {times[one.index]:.3f} s" for one in found.samples.pictures]


def _text(text: object) -> str:
    return html.escape(shown(str(text)))


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{title}</h2>\n{''.join(parts)}</section>"


def _verdict(told: VerdictText) -> str:
    sentences = "".join(f"<p>{_text(sentence)}</p>" for sentence in told.sentences)
    word = f"<p><strong>{_text(told.word.capitalize())}</strong></p>"
    return f'<div class="verdict {told.mood}">{word}{sentences}</div>'


def _facts(told: Mapping[str, object], kind: str = "") -> str:
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in told.items())
    return f'<dl class="{kind}">{rows}</dl>' if rows else ""


def _said(found: Found) -> str:
    said = found.recording.said
    return _section("What was recorded", _facts(said, "two")) if said else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: int, kind: str = "") -> str:
    """Return a table, whose first columns are numbers; `kind` says how it is shown."""

    def cells(kind: str, row: Sequence[object]) -> str:
        scope = ' scope="col"' if kind == "th" else ""
        return "".join(
            f"<{kind}{scope}{' class=number' if i < numbers else ''}>{_text(cell)}</{kind}>"
            for i, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table class='{kind}'><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def _more(count: int) -> str:
    return f"<p>And {count - MAX_ROWS:,} more.</p>" if count > MAX_ROWS else ""


def _files(found: Found) -> str:
    files = found.recording.files
    if len(files) == 1:
        return ""
    rows = [
        (f"{file.first:,}", f"{file.frames:,}", file.path.name, file.verdict) for file in files[:MAX_ROWS]
    ]
    table = _table(("first frame", "frames", "file", "verdict"), rows, 2)
    return _section(f"{len(files)} files", table, _more(len(files)))


def _pictures(found: Found) -> str:
    samples = found.samples
    if samples is None:
        return ""
    figures = []
    for one, caption in zip(samples.pictures, captions(found), strict=True):
        height, width = one.greys.shape
        kind = "small" if max(height, width) < SMALL else ""
        figures.append(
            f'<figure><img class="{kind}" width="{width}" height="{height}" alt="{_text(caption)}" '
            f'src="{_data("image/png", _png(one.greys))}"><figcaption>{_text(caption)}</figcaption></figure>'
        )
    low, high = samples.levels
    told = f"Black is {low} counts, white {high}, in all of them."
    return _section("Frames", f'<div class="pictures">{"".join(figures)}</div>', f"<p>{told}</p>")


def _png(greys: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(greys).save(content, "PNG", optimize=True)
    return content.getvalue()


def _over_time(found: Found, drawn: Drawn) -> str:
    if drawn.timeline is None:
        return ""
    parts = [_figure(drawn.timeline)]
    if found.samples is not None:
        parts.append(f"<p>{_text(words.sample_text(found.samples))}</p>")
    if told := words.interval_text(found):
        parts.append(f"<p>{_text(told)}</p>")
    if drawn.histograms is not None:
        parts.append(_figure(drawn.histograms))
    return _section("Over time", *parts)


def _figure(drawn: tuple[bytes, bytes, str]) -> str:
    wide, narrow, alt = drawn
    on_narrow = f'media="screen and (max-width: 36rem)" srcset="{_data("image/svg+xml", narrow)}"'
    return (
        f"<figure><picture><source {on_narrow}>"
        f'<img alt="{_text(alt)}" src="{_data("image/svg+xml", wide)}"></picture></figure>'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _clocks(found: Found) -> str:
    told = words.clock_facts(found)
    return _section("The camera's clock", _facts(told)) if told else ""


def _disk(found: Found) -> str:
    told = words.disk_facts(found)
    return _section("Disk and memory", _facts(told)) if told else ""


def _marks(found: Found) -> str:
    marks = found.recording.marks
    times = found.recording.time
    rows = [
        (
            f"{row['frame']:,}" if row["frame"] >= 0 else "-",
            f"{times[row['frame']]:.3f} s" if 0 <= row["frame"] < len(times) else "-",
            *(row[name] for name in ("label", "text", "source")),
        )
        for row in marks[:MAX_ROWS]
    ]
    head = ("frame", "time", "label", "text", "from")
    return _section("Marks", _table(head, rows, 2), _more(len(marks))) if rows else ""


def _losses(found: Found) -> str:
    losses = found.recording.losses
    rows = [
        (f"{row['after_frame']:,}" if row["after_frame"] >= 0 else "-", f"{row['count']:,}", row["cause"],
         words.CAUSES.get(str(row["cause"]), ""))
        for row in losses[:MAX_ROWS]
    ]  # fmt: skip
    head = ("behind frame", "lost", "cause", "what that means")
    return _section("Frames lost", _table(head, rows, 2), _more(len(losses))) if rows else ""


def _commands(found: Found) -> str:
    rows = found.recording.commands
    shown = [
        (f"{row['frame']:,}" if row["frame"] >= 0 else "-", row["time"][11:23], row["command"],
         row["source"], row["message"] or row["status"])
        for row in rows[:MAX_ROWS]
    ]  # fmt: skip
    head = ("frame", "UTC", "command", "from", "answer")
    return _section("Commands", _table(head, shown, 2, "answers"), _more(len(rows))) if shown else ""


def _configuration(found: Found) -> str:
    text = str(found.recording.metadata.get("configuration", "")).strip()
    where = "instrument/detector/"
    details = {
        name.removeprefix(where).replace("_", " "): value
        for name, value in found.recording.metadata.items()
        if name.startswith(where) and name.removeprefix(where) not in words.TOLD
    }
    camera = _section("Camera", _facts(details, "two")) if details else ""
    return camera + (_section("Configuration", f"<pre>{_text(text)}</pre>") if text else "")
