"""A bar that shows how far something is, on a terminal; nothing elsewhere."""

import sys

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from recorder.frontends.terminal import SafeConsole


def progress_bar() -> Progress:
    """Return a bar on standard error, gone once it is left."""
    console = SafeConsole(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
    )
    return Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty()
    )
