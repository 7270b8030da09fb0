"""`recorder info`: what a file holds and how its recording ended."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from recorder.cli.files import AS_JSON, FILES, each
from recorder.files import reader
from recorder.files.clocks import in_words
from recorder.files.probe import Probe
from recorder.files.reader import FileInfo
from recorder.frames.ledger import causes_text
from recorder.frames.metadata import TRIGGER_NUMBER
from recorder.frontends.printing import escaped, print_json, print_line
from recorder.storage.clock_values import UNKNOWN, fit_of
from recorder.storage.noise_ladder import LOSSY, lossy_text
from recorder.units import format_metres, format_seconds

# The longest name of what describes a camera.
NAME_WIDTH = 24

# How many marks, and how many changes of the exposure, are listed; --json has them all.
MAX_MARKS = 100
MAX_EXPOSURES = 8

# What has a line of its own.
_TOLD = {"description", "serial_number", "x_pixel_size", "y_pixel_size", TRIGGER_NUMBER, *LOSSY}

_COLOURS = {"complete": "green", "failed": "red", "frames lost": "red"}


@click.command()
@FILES
@AS_JSON
def info(files: tuple[Path, ...], as_json: bool) -> int:
    """Show what each FILE holds, its marks, and how its recording ended; also while it grows."""

    def show(file: Path, probe: Probe) -> int:
        found = probe.ask(reader.describe, file)
        if as_json:
            print_json(vars(found))
            return 0
        if file is not files[0]:
            print_line("")
        colours = {"verdict": _COLOURS.get(found.verdict, ""), "lost": "red" if found.lost else ""}
        for name, value in _rows(found).items():
            line = f"{escaped(name):{NAME_WIDTH}} {escaped(str(value))}"
            print_line(line, colours.get(name, ""))
        for line in _marks(found.mark_rows):
            print_line(line)
        return 0

    return each(files, show)


def _rows(found: FileInfo) -> dict[str, Any]:
    on_sample = _pixels({name: size * 1e-6 for name, size in found.optics.items()})
    on_sensor = _pixels(found.detector)
    return {
        "file": found.path,
        "verdict": found.verdict,
        "ended": found.cause or "not yet, or killed",
        "frames": f"{found.frames} of {found.width}x{found.height} {found.dtype}, {found.bytes / 1e9:.3f} GB",
        **({"capture": _capture(found.capture)} if found.capture else {}),
        "lost": f"{found.lost}" + (f" ({causes_text(found.losses)})" if found.losses else ""),
        "time": f"{found.start_time} to {found.end_time or 'now'}" if found.frames else "no frame has come",
        "rate": f"{found.rate:.3f} frames/s over {found.seconds:.3f} s of the camera's clock",
        "camera's clock": _clock(found.clock),
        "exposure": _exposures(found.exposures),
        **({"channels": f"{', '.join(found.channels)}, in turn"} if found.channels else {}),
        **({"pixel on the sample": on_sample} if on_sample else {}),
        **({"pixel size": on_sensor} if on_sensor else {}),
        **({"magnification": found.optics["magnification"]} if "magnification" in found.optics else {}),
        **{f"meta {name}": value for name, value in found.metadata.items()},
        **({"means of": ", ".join(found.regions)} if found.regions else {}),
        "marks": found.marks,
        "commands": found.commands,
        **({"signals": _signals(found.signals)} if found.signals else {}),
        "written": f"{found.storage_mode}, {found.frames_per_chunk} frames a chunk",
        **({"compression": _compression(found.compression)} if found.compression else {}),
        **({"pixels": lossy} if (lossy := lossy_text(found.detector)) else {}),
        "camera": f"{found.camera}, serial {found.serial_number}",
        **{name: value for name, value in found.detector.items() if name not in _TOLD},
    }


def _capture(found: Mapping[str, int]) -> str:
    return f"{found['before']} frames before counter {found['trigger_number']}, {found['after']} from it on"


def _clock(found: Mapping[str, Any] | None) -> str:
    fit = fit_of(found or {})
    if fit is None:
        return f"not fitted: {(found or {}).get(UNKNOWN, 'no frame tells it')}"
    return in_words(fit)


def _compression(found: Mapping[str, float]) -> str:
    share = 100 * found["as_they_are"] / max(1, found["chunks"])
    return f"{found['ratio']:.2f} times smaller, {share:.3g} % of the chunks stored as they are"


def _signals(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count} row{'s' * (count != 1)}" for name, count in rows.items())


def _pixels(sizes_m: Mapping[str, float]) -> str:
    """Return width and height of a pixel, once where they are the same."""
    sizes = [format_metres(sizes_m[name]) for name in ("x_pixel_size", "y_pixel_size") if name in sizes_m]
    return " x ".join(dict.fromkeys(sizes))


def _exposures(changes: list[tuple[int, float | None]]) -> str:
    """Return the exposure, and from which frames on it was another one."""
    told = [
        ("not known" if seconds is None else format_seconds(float(f"{seconds:.9g}")))
        + (f" from frame {frame} on" if frame else "")
        for frame, seconds in changes[:MAX_EXPOSURES]
    ]
    more = len(changes) - len(told)
    return ", ".join(told) + (f", and {more} changes more" if more else "")


def _marks(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of the marks."""
    if not rows:
        return
    head = ("frame", "time", "label", "text", "from")
    shown = [
        (
            str(row["frame"]) if row["frame"] >= 0 else "-",
            "-" if row["time_s"] is None else f"{row['time_s']:.3f} s",
            *(escaped(str(row[name])) for name in ("label", "text", "source")),
        )
        for row in rows[:MAX_MARKS]
    ]
    widths = [max(map(len, column)) for column in zip(head, *shown, strict=True)]
    yield ""
    for cells in (head, *shown):
        yield _aligned(cells, widths)
    if len(rows) > len(shown):
        yield f"and {len(rows) - len(shown)} marks more; --json has them all"


def _aligned(cells: Iterable[str], widths: list[int]) -> str:
    """Return a line of the table: numbers to the right, words to the left."""
    padded = [
        f"{cell:>{width}}" if column < 2 else f"{cell:{width}}"
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
