"""What `help` tells: all commands on one screen, in groups, or a few of them in full."""

from collections.abc import Iterable

from recorder.control.command_types import Table
from recorder.control.registry import COMMANDS, Command

# The groups with the first words of their commands, in the order in which they are shown.
GROUPS = {
    "marks": ("mark", "marks", "unmark", "note", "meta", "value", "signals"),
    "files": ("save", "capture", "snapshot"),
    "camera": ("exposure", "set", "trigger"),
    "preview": ("preview", "baseline", "region"),
    "later": ("at", "in", "every", "wait"),
    "session": ("start", "stop", "status", "help", "quit"),
}
FURTHER = "help NAME tells more of one, for example help mark"

# A blank at which no line ends.
NO_BREAK = "\N{NO-BREAK SPACE}"


def help_table() -> Table:
    """Return how to write each command, a row for each group; no line ends inside of one."""
    rows = [
        (group, ", ".join(known.usage.replace(" ", NO_BREAK) for known in _beginning_with(words)))
        for group, words in GROUPS.items()
    ]
    return (*rows, ("", FURTHER))


def help_lines() -> str:
    """Return the same as lines of plain text, for programs and displays."""
    lines = [f"{group}: {usages}" if group else usages for group, usages in help_table()]
    return "\n".join(lines).replace(NO_BREAK, " ")


def described(commands: Iterable[Command]) -> str:
    """Return how to write each of these commands, and below what it does, a paragraph to a line."""
    return "\n".join(
        "\n    ".join([known.usage, *(" ".join(part.split()) for part in known.summary.split("\n\n"))])
        for known in commands
    )


def _beginning_with(words: Iterable[str]) -> list[Command]:
    return [known for word in words for known in COMMANDS.values() if known.name.split()[0] == word]
