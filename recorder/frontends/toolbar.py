"""The toolbar under the prompt: the figures of the session, as many as fit into the columns."""

import contextlib
import math
from dataclasses import dataclass

from recorder.control.completion import inner_words
from recorder.control.registry import find_by_words
from recorder.errors import UsageError
from recorder.frontends.live_status import LiveStatus
from recorder.frontends.printing import wrapped
from recorder.preview.picture import Picture
from recorder.session.status import State
from recorder.settings.reference import describe
from recorder.units import format_duration

# An alarm is shown for a pool this full (share), and for a disk that will be full this soon.
POOL_ALARM = 0.5
DISK_ALARM_S = 120.0

# A terminal of fewer columns shows this much of a file's name, so that the figures have room too.
WIDE = 110
SHORT_NAME = 17

# Of what is told of a command.
HINT_LINES = 2


@dataclass(frozen=True)
class ToolbarItem:
    """A figure of the toolbar; where not all fit, those of the highest `rank` are left out, `alarm` last."""

    text: str
    rank: int
    alarm: bool = False

    @property
    def width(self) -> int:
        """Columns that it takes, with the blanks around it and the line after it."""
        return len(self.text) + 3


def toolbar(
    now: LiveStatus, picture: Picture | None, columns: int, typed: str, camera: str
) -> list[tuple[str, str]]:
    """Return style and text of each piece: the figures, and below how to write the command being typed.

    `columns` is the width of the terminal, `typed` the line so far; `picture` the latest one of the preview,
    `camera` which kind of it there is.
    """
    if now.state == "opening":
        return [("", " opening the camera")]
    shown = line_of(figures(now, picture, columns), columns)
    return [*shown, *hint_below(hint(typed, camera), columns)]


def line_of(items: list[ToolbarItem], columns: int) -> list[tuple[str, str]]:
    """Return style and text of a line of figures, as many as fit."""
    shown: list[tuple[str, str]] = []
    for item in items_that_fit(items, columns):
        shown += [("class:alarm" if item.alarm else "", f" {item.text} "), ("class:hint", "│")]
    return shown[:-1]


def hint_below(text: str, columns: int) -> list[tuple[str, str]]:
    """Return style and text of the lines of help under the figures."""
    return [("class:hint", f"\n {line}") for line in _cut(text, columns - 1)]


def figures(now: LiveStatus, picture: Picture | None, columns: int) -> list[ToolbarItem]:
    """Return the figures of a session whose camera is open."""
    items = [
        ToolbarItem(State(now.state).plain, 0),
        ToolbarItem(
            f"saving {_short(now.saving, columns)}" if now.saving else "not saving", 2, not now.saving
        ),
        ToolbarItem(f"counter {now.number}", 7),
        ToolbarItem(f"{now.rate:.1f}/s", 3),
        ToolbarItem(f"{now.flow / 1e6:.0f} MB/s", 9),
        ToolbarItem(f"buffer {now.pool:.0%}", 6, alarm=now.pool > POOL_ALARM),
        ToolbarItem(f"lost {now.lost}", 1, alarm=now.lost > 0),
        ToolbarItem(f"exp {now.exposure}", 5),
        ToolbarItem(
            f"disk {format_duration(now.disk_time_left_s)}", 4, alarm=now.disk_time_left_s < DISK_ALARM_S
        ),
        ToolbarItem(f"preview {'on' if now.preview else 'off'}", 8),
    ]
    if now.captures:
        items[1:2] = [items[1]] * bool(now.saving) + [ToolbarItem(now.captures, 2)]
    if now.unanswered:
        items.insert(0, ToolbarItem(now.unanswered, 0, alarm=True))
    if math.isfinite(now.temperature):
        items.insert(8, ToolbarItem(f"{now.temperature:.1f}°C", 10))
    if now.packed is not None:
        items.insert(6, ToolbarItem(f"packed {now.packed:.1f}x", 9))
    if now.in_camera is not None:
        items.insert(2, ToolbarItem(f"in the camera {now.in_camera}", 3))
    if now.waits_for:
        items.insert(3, ToolbarItem(f"waits for {now.waits_for}", 4))
    if picture is not None:
        items.append(ToolbarItem(f"{picture.min}..{picture.mean:.0f}..{picture.max}", 11))
    return items + [ToolbarItem(f"{name} {value:.5g}", 12) for name, value in now.analysis.items()]


def _short(name: str, columns: int) -> str:
    """Return the end of a file's name, which tells it from the others, where there is no room for all."""
    return name if len(name) <= SHORT_NAME or columns >= WIDE else f"…{name[1 - SHORT_NAME :]}"


def _cut(text: str, columns: int) -> list[str]:
    """Return the first lines of a text, so many as there is room for under the figures."""
    lines = wrapped(text, columns)
    if len(lines) > HINT_LINES:
        lines[HINT_LINES - 1 :] = [f"{lines[HINT_LINES - 1][: columns - 1]}…"]
    return [line[:columns] for line in lines]


def items_that_fit(items: list[ToolbarItem], columns: int) -> list[ToolbarItem]:
    """Return the items that fit into `columns`, at least one; those with `alarm` are left out last."""
    kept = list(items)
    while len(kept) > 1 and sum(item.width for item in kept) - 1 > columns:
        kept.remove(max(kept, key=lambda item: (not item.alarm, item.rank)))
    return kept


def hint(typed: str, camera: str) -> str:
    """Return how to write the command that `typed` begins with, and what it does; else some general help.

    After set, what the key means that is typed, to a `camera` of this kind.
    """
    words = typed.split()
    found = find_by_words(inner_words(words)) or find_by_words(words)
    if found is None:
        return "Tab completes, help lists, quit leaves"
    if found.name == "set":
        with contextlib.suppress(UsageError, IndexError):
            key = describe(inner_words(words)[1], camera)
            told = "; ".join(part for part in (key.meaning.rstrip("."), key.values) if part)
            return f"{key.key}  —  {told}"
    return f"{found.usage}  —  {found.summary.splitlines()[0]}"
