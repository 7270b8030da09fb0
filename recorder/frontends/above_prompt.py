"""What is printed above the console's prompt, whoever has it printed: answers, events, lines of the log."""

import contextlib
import contextvars
import logging
import os
import time

from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.shortcuts import print_formatted_text
from prompt_toolkit.styles import Style

from recorder.frontends.printing import escaped, wrapped

# What stands before each text.
CLOCK = "%H:%M:%S "

# Where the terminal does not say how wide it is.
DEFAULT_COLUMNS = 70

STYLE = Style.from_dict(
    {
        "bottom-toolbar": "noreverse bg:#262626 #d0d0d0",
        "alarm": "bg:#af0000 #ffffff bold",
        "hint": "#8a8a8a",
        "refused": "#d7af00",
        "failed": "#ff5f5f bold",
        "prompt": "#5fafd7 bold",
        "complete": "#5faf5f bold",
        "others": "#87afaf",
    }
)


def text_columns() -> int:
    """Return how many columns the terminal has for a text beside the time of day."""
    for descriptor in (2, 1):
        with contextlib.suppress(OSError):
            return os.get_terminal_size(descriptor).columns - len(time.strftime(CLOCK)) - 1
    return DEFAULT_COLUMNS


class AbovePrompt(logging.Handler):
    """Prints above the prompt of the application session in which this is made, and so do records of the log.

    prompt_toolkit knows the prompt by a context variable alone, and tasks that began before the console
    (remote control, page, window) have none of it: what they print would be written over the prompt.
    """

    def __init__(self) -> None:
        super().__init__()
        self._context = contextvars.copy_context()

    def show(self, text: str, style: str = "") -> None:
        """Print lines, the first with the time of day, escaped and wrapped at words; called on any thread."""
        clock = time.strftime(CLOCK)
        parts = FormattedText()
        for line in wrapped(escaped(text, lines=True), text_columns()):
            parts += [("", "\n"), ("class:hint", " " * len(clock))] if parts else [("class:hint", clock)]
            parts.append((style, line))
        # A terminal that went away is no reason to lose a frame.
        with contextlib.suppress(OSError):
            # A context can be entered once at a time, and others may print just now.
            self._context.copy().run(print_formatted_text, parts, style=STYLE)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record of the log, on the thread that logs it."""
        self.show(record.getMessage(), "class:refused" if record.levelno >= logging.WARNING else "")
