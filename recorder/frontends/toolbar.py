"""The toolbar under the prompt: what matters at a glance, in as many columns as there are."""

import math
from dataclasses import dataclass

from recorder.control.registry import COMMANDS
from recorder.frontends.live_status import LiveStatus
from recorder.frontends.rate_meter import format_duration
from recorder.preview.picture import Picture

# What needs attention: a pool this full, a disk that is full this soon.
POOL_ALARM = 0.5
DISK_ALARM_S = 120.0


@dataclass(frozen=True)
class Part:
    """A figure of the toolbar; where there is no room for all, the greatest `rank` goes first."""

    text: str
    rank: int
    alarm: bool = False

    @property
    def width(self) -> int:
        """Columns it takes, with the blanks around it and the line after it."""
        return len(self.text) + 3


def toolbar(now: LiveStatus, picture: Picture | None, columns: int, typed: str) -> list[tuple[str, str]]:
    """Return style and text of each piece: the figures, and how to write the command being typed."""
    if now.state == "opening":
        return [("", " opening the camera")]
    parts = [
        Part(now.state, 0),
        Part(f"saving {now.saving}" if now.saving else "not saving", 2, alarm=not now.saving),
        Part(f"frame {now.number}", 4),
        Part(f"{now.rate:.1f}/s", 3),
        Part(f"{now.flow / 1e6:.0f} MB/s", 7),
        Part(f"pool {now.pool:.0%}", 5, alarm=now.pool > POOL_ALARM),
        Part(f"lost {now.lost}", 1, alarm=now.lost > 0),
        Part(f"exp {now.exposure}", 6),
        Part(f"disk {format_duration(now.disk_time_left_s)}", 8, alarm=now.disk_time_left_s < DISK_ALARM_S),
        Part(f"preview {'on' if now.preview else 'off'}", 9),
    ]
    if math.isfinite(now.temperature):
        parts.insert(8, Part(f"{now.temperature:.1f}°C", 10))
    if now.in_camera is not None:
        parts.insert(2, Part(f"in the camera {now.in_camera}", 3))
    if picture is not None:
        parts.append(Part(f"{picture.min}..{picture.mean:.0f}..{picture.max}", 11))
    parts += [Part(f"{name} {value:.5g}", 12) for name, value in now.analysis.items()]
    shown: list[tuple[str, str]] = []
    for part in fitting(parts, columns):
        shown += [("class:alarm" if part.alarm else "", f" {part.text} "), ("class:hint", "│")]
    return [*shown[:-1], ("class:hint", f"\n {hint(typed)}")]


def fitting(parts: list[Part], columns: int) -> list[Part]:
    """Return the parts that have room in `columns`; what needs attention stays longest."""
    kept = list(parts)
    while len(kept) > 1 and sum(part.width for part in kept) - 1 > columns:
        kept.remove(max(kept, key=lambda part: (not part.alarm, part.rank)))
    return kept


def hint(typed: str) -> str:
    """Say how to write the command that `typed` begins with."""
    words = typed.split()
    found = COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(words[0] if words else "")
    if found is None:
        return "Tab completes, help lists, quit leaves"
    return f"{found.usage}  —  {found.summary.splitlines()[0]}"
