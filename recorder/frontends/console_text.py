"""What the console writes above its prompt: answers, also those to others, tables, how a run ended."""

import asyncio
import math
from collections.abc import Callable

from recorder.control.command_types import Table
from recorder.control.dispatcher import Answer
from recorder.frontends.printing import wrapped
from recorder.frontends.terminal import VERDICT_COLOURS, summary_text
from recorder.session.session import Session
from recorder.session.status import Summary
from recorder.storage.records import Verdict
from recorder.units import format_duration

# Answers to others are shown at most so often; what ends the run always is.
OTHERS_PER_S = 5

# The prompt's styles in the colours of the terminal's verdicts.
_STYLES = {"green": "class:complete", "red": "class:failed", "yellow": "class:refused"}

# What whoever sits at the console for the first time types.
FIRST_WORDS = "type mark LABEL, exposure 2ms, stop, quit; ? lists all, Tab completes"

# Takes text and style.
Show = Callable[[str, str], None]


def table_text(table: Table, columns: int) -> str:
    """Return a table as lines of text, the figures under each other, wrapped at words."""
    width = max(len(name) for name, _ in table) + 2
    lines = []
    for name, figures in table:
        first, *more = wrapped(figures, columns - width, indent="")
        lines += [f"{name:{width}}{first}", *(" " * width + line for line in more)]
    return "\n".join(lines)


def welcome(session: Session) -> str:
    """Return three lines for whoever has begun a session: what runs, where it writes, and what to type.

    "" where no run is under way.
    """
    figures, run = session.statistics(), session.run
    if figures is None or run is None or run.description is None or not session.running:
        return ""
    camera, rate = run.description, run.description.rate
    flow = rate * figures.frame_bytes
    speed = "running free" if math.isinf(rate) else f"{rate:g} frames/s, {flow / 1e6:.0f} MB/s"
    repeats = (
        ", repeated until you stop it" if getattr(session.settings.camera, "loop", False) is True else ""
    )
    runs = f"{camera.model}, {camera.format.width} x {camera.format.height}, {speed}{repeats}"
    if figures.path is None:
        writes = "nothing is saved" if session.dry_run else "nothing is saved; save on writes a file"
    else:
        left_s = figures.disk_time_left_s(rate)
        full = "" if math.isinf(rate) or math.isinf(left_s) else f"; disk full in {format_duration(left_s)}"
        writes = f"into {figures.path}{full}"
    return f"{runs}\n{writes}\n{FIRST_WORDS}"


class ConsoleAnswers:
    """Shows the answers to all lines of a session; those to others with their source, and not too many.

    `show` prints a text in a style; `columns` returns how wide it may be. `is_left`: somebody has had the
    session left. On the event loop's thread.
    """

    def __init__(self, show: Show, columns: Callable[[], int]) -> None:
        self._show, self._columns = show, columns
        self._shown = self._left_out = 0
        self._counting: asyncio.TimerHandle | None = None
        self.is_left = False

    def on_answer(self, answer: Answer) -> None:
        """Show an answer."""
        result, command = answer.result, answer.command
        style = "" if result.status == "ok" else f"class:{result.status}"
        if command is not None and command.name.startswith("quit") and result.status == "ok":
            self.is_left = True
        if answer.source == "console":
            text = table_text(answer.table, self._columns()) if answer.table else answer.typed_text
            # Of a line that was planned nobody knows any more that it was coming.
            text = answer.text if answer.is_planned else text
            if text:
                self._show(text, style)
        elif answer.source != "camera" and not answer.only_tells:
            # What the camera remarks is logged already.
            always = command is not None and command.ends_run
            if always or self._has_room():
                self._show(f"{answer.source}: {answer.text}", style or "class:others")

    def show_end(self, summary: Summary) -> None:
        """Show how a run ended."""
        if summary.reason is None:
            return
        if summary.verdict is Verdict.FAILED:
            self._show(summary.cause, "class:failed")
        first, _, rest = summary_text(summary).partition("\n")
        self._show(first, _STYLES[VERDICT_COLOURS[summary.verdict]])
        self._show(rest, "")

    def _has_room(self) -> bool:
        """Return whether one more answer to others may be shown in this second; count those left out."""
        if self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(1.0, self._count_anew)
        self._shown += 1
        self._left_out += self._shown > OTHERS_PER_S
        return self._shown <= OTHERS_PER_S

    def _count_anew(self) -> None:
        if self._left_out:
            self._show(f"and {self._left_out} more lines of others; the journal has them all", "class:others")
        self._shown = self._left_out = 0
        self._counting = None

    def close(self) -> None:
        """Show no more."""
        if self._counting is not None:
            self._counting.cancel()
