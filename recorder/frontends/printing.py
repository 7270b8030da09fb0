"""Print a line on standard output or standard error; one that cannot be written is ignored."""

import contextlib
import json
import os
import re
import sys
import textwrap
import unicodedata
from pathlib import Path
from typing import TextIO

import click

from recorder.frontends.terminal_kind import colour_bits
from recorder.units import BYTES, METRES, SECONDS

# Of a text, at the least, however narrow the terminal is.
LEAST_COLUMNS = 20

# Characters that command a terminal (Cc, ESC among them), hide or turn round what is beside them (Cf), break
# lines, or cannot be written at all (Cs, half a character).
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

# The blank between a number and its unit.
_UNITS = ("%", "°C", "frames", *SECONDS, *METRES, *BYTES)
_BEFORE_UNIT = re.compile(rf"(?<=\d) (?=(?:{'|'.join(map(re.escape, _UNITS))})(?!\w))")


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Return a text as a terminal may have it: control characters as in code, such as \x1b.

    `lines`: line breaks and tabs stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = {"\n", "\t"} if lines else set()
    return "".join(_code(c) if unicodedata.category(c) in _NOT_SHOWN and c not in kept else c for c in text)


def _code(character: str) -> str:
    """Return a character as it is written in Python and, from 256 on, in JSON."""
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def wrapped(text: str, columns: int, indent: str = "  ") -> list[str]:
    """Return the lines of a text, no wider than `columns` but for long words; those added are set in.

    No line ends between a number and its unit.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        before = line[: len(line) - len(line.lstrip())]
        parts = textwrap.wrap(
            _BEFORE_UNIT.sub("\xa0", line),
            max(columns, LEAST_COLUMNS),
            subsequent_indent=before + indent,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [part.replace("\xa0", " ") for part in parts] or [""]
    return lines


def print_line(text: str, colour: str = "") -> None:
    """Print on standard output; once that has failed, print nothing more: the exit code is left.

    Control characters are escaped, but for line breaks and tabs. `colour` is for a terminal that has some.
    """
    shown = escaped(text, lines=True)
    try:
        if colour and _has_colours(sys.stdout):
            click.echo(click.style(shown, fg=colour), color=True)
        else:
            print(shown, flush=True)  # noqa: T201 - the one place
    except OSError:
        # What is left in its buffer would fail again at exit.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def print_wrapped(text: str, colour: str = "") -> None:
    """Print on standard output as `print_line` does; on a terminal its lines end between words."""
    columns = columns_of(sys.stdout)
    print_line("\n".join(wrapped(text, columns)) if columns else text, colour)


def print_json(value: object) -> None:
    """Print a line of JSON on standard output, as `print_line` does; what JSON has no form for, as text."""
    # All but DEL is escaped by JSON itself, and in its own way.
    print_line(json.dumps(value, default=str).replace("\x7f", "\\u007f"))


def print_error(message: str, *, is_failure: bool = False) -> None:
    """Print a message on standard error, after the program's name; an error in doing so is ignored.

    It is one line, on a terminal wrapped at words, and red where it is why a recording failed (`is_failure`).
    """
    text = f"recorder: {escaped(message)}"
    with contextlib.suppress(OSError):
        if columns := columns_of(sys.stderr):
            text = "\n".join(wrapped(text, columns))
        red = is_failure and _has_colours(sys.stderr)
        click.echo(click.style(text, fg="red") if red else text, err=True, color=red or None)


def columns_of(stream: TextIO) -> int:
    """Return how many columns the terminal behind a stream has, 0 where there is none."""
    with contextlib.suppress(OSError, ValueError):
        if stream.isatty():
            return os.get_terminal_size(stream.fileno()).columns
    return 0


def _has_colours(stream: TextIO) -> bool:
    return stream.isatty() and colour_bits(os.environ) != 1
