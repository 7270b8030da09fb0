"""Print a line on standard output or standard error; one that cannot be written is ignored."""

import contextlib
import json
import os
import sys
import unicodedata
from pathlib import Path

import click

# Characters that command a terminal (Cc, ESC among them), hide or turn round what is beside them (Cf), break
# lines, or cannot be written at all (Cs, half a character).
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


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


def print_line(text: str, colour: str = "") -> None:
    """Print on standard output; once that has failed, print nothing more: the exit code is left.

    Control characters are escaped, but for line breaks and tabs. On a terminal the first line has the
    `colour`, unless NO_COLOR is set.
    """
    shown = escaped(text, lines=True)
    try:
        if colour and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            first, end, rest = shown.partition("\n")
            click.echo(f"{click.style(first, fg=colour)}{end}{rest}", color=True)
        else:
            print(shown, flush=True)  # noqa: T201 - the one place
    except OSError:
        # What is left in its buffer would fail again at exit.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def print_json(value: object) -> None:
    """Print a line of JSON on standard output, as `print_line` does; what JSON has no form for, as text."""
    # All but DEL is escaped by JSON itself, and in its own way.
    print_line(json.dumps(value, default=str).replace("\x7f", "\\u007f"))


def print_error(message: str) -> None:
    """Print one line on standard error, after the program's name; an error in doing so is ignored."""
    with contextlib.suppress(OSError):
        click.echo(f"recorder: {escaped(message)}", err=True)
