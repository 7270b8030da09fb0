"""What the program prints: its summary and its log, on a terminal that may have gone away."""

import contextlib
import logging
import os
import sys
from datetime import datetime

from rich.console import Console

from recorder.frames.ledger import causes_text
from recorder.frontends.printing import escaped, print_error, print_wrapped
from recorder.session.status import Summary
from recorder.storage.records import Verdict
from recorder.units import format_percent

# How many files the summary names.
MAX_FILES = 5

# In which colour a terminal shows how a run ended.
VERDICT_COLOURS = {
    Verdict.COMPLETE: "green",
    Verdict.FRAMES_LOST: "red",
    Verdict.INTERRUPTED: "yellow",
    Verdict.FAILED: "red",
}


def summary_text(summary: Summary) -> str:
    """Return how a session ended, in two lines; the frames of each file are those that it holds."""
    what = f"{summary.verdict}: {_frames(summary)}"
    if summary.lost:
        of = f"{summary.lost} of {summary.frames + summary.unsaved + summary.lost}"
        lost = "" if summary.verdict is Verdict.FRAMES_LOST else " lost"
        what = f"{summary.verdict}: {of}{lost} ({causes_text(summary.losses)}); {_frames(summary)}"
    elif summary.verdict is Verdict.FRAMES_LOST and summary.cause:
        # Triggers that gave no frame: no counter has missed any.
        what = f"{summary.verdict}: {summary.cause}; {_frames(summary)}"
    figures = summary.for_json()
    size = f"{summary.bytes / 1e9:.3f} GB in {summary.seconds:.2f} s"
    parts = [f"{size}, {figures['fps']:.1f} frames/s, {figures['MBps']:.0f} MB/s"]
    if summary.packing:
        parts.append(f"compression {summary.packing}")
    if summary.signals:
        parts.append(f"signals {summary.signals}")
    if not summary.lost and not summary.signals.lost:
        parts.append("nothing lost")
    if summary.blocks:
        most = format_percent(summary.blocks - summary.lowest_free, summary.blocks)
        parts.append(f"buffer never fuller than {most}")
        parts.append(f"never longer than {summary.longest_pause_s * 1e3:.1f} ms without reading the camera")
    return f"{what}\n{'; '.join(parts)}"


def _frames(summary: Summary) -> str:
    """Return how many frames there are, and where, and how many are in no file."""
    if not summary.files:
        armed = ", as no capture asked for them" if summary.captures == 0 else ""
        return f"{summary.frames + summary.unsaved} frames in no file{armed}"
    files = [f"{path}" if len(summary.files) == 1 else f"{path} ({frames})" for path, frames in summary.files]
    more = f" and {len(files) - MAX_FILES} more before these" if len(files) > MAX_FILES else ""
    were = "was" if summary.unsaved == 1 else "were"
    why = "exposed while saving was off" if summary.captures is None else "not asked for by a capture"
    unsaved = f"; {summary.unsaved} more {were} {why}" if summary.unsaved else ""
    return f"{summary.frames} frames in {', '.join(files[-MAX_FILES:])}{more}{unsaved}"


def print_summary(summary: Summary) -> None:
    """Print how a session ended, the reason of a failure first; on a terminal wrapped at words."""
    if summary.verdict is Verdict.FAILED:
        print_error(summary.cause, is_failure=True)
    first, figures = summary_text(summary).split("\n")
    print_wrapped(first, VERDICT_COLOURS[summary.verdict])
    print_wrapped(figures)


class SafeConsole(Console):
    """A console of rich that raises an OSError where its pipe is closed, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich calls this where nobody reads its output any more."""
        raise BrokenPipeError("nobody reads what is printed")


class ConsoleHandler(logging.Handler):
    """A log handler that prints each record above the progress bar, with the time of day."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, on the thread that logs it; where the console cannot be written, do nothing."""
        style = "yellow" if record.levelno >= logging.WARNING else None
        # The lines after the first are set in, so that no text can pass for a record of its own.
        text = escaped(record.getMessage(), lines=True).replace("\n", "\n  ")
        line = f"{datetime.fromtimestamp(record.created):%H:%M:%S} {text}"
        # A terminal that went away, or a full disk behind a redirection, is no reason to lose a frame.
        with contextlib.suppress(OSError, ValueError):
            self._console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def reserve_stdout() -> None:
    """Keep standard output for our own lines: what C libraries print goes to standard error from now on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        ours = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdout = open(ours, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115, PTH123


def reserve_output() -> None:
    """Keep our streams apart from what C libraries print, so that it can be caught; before they are used."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            ours = os.dup(stream.fileno())
            line_buffered = 1 if stream.line_buffering else -1
            own = open(ours, "w", line_buffered, encoding=stream.encoding, errors=stream.errors)  # noqa: SIM115, PTH123
            stream.flush()
            setattr(sys, name, own)


def log_to(console: Console) -> None:
    """Print all that is logged, from INFO on, on `console`; replaces the handlers of before."""
    logging.basicConfig(level=logging.INFO, handlers=[ConsoleHandler(console)], force=True)
