"""Print a line on standard output or standard error; one that cannot be written is ignored."""

import contextlib
import os
import sys
from pathlib import Path

import click


def print_line(text: str) -> None:
    """Print on standard output; once that has failed, print nothing more: the exit code is left."""
    try:
        print(text, flush=True)  # noqa: T201 - the one place
    except OSError:
        # What is left in its buffer would fail again at exit.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def print_error(message: str) -> None:
    """Print one line on standard error, after the program's name; an error in doing so is ignored."""
    with contextlib.suppress(OSError):
        click.echo(f"recorder: {message}", err=True)
