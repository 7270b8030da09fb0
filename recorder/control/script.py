"""Scripts: text files of command lines, checked before the run begins."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from recorder.control.dispatcher import Dispatcher
from recorder.control.registry import parse
from recorder.errors import UsageError

log = logging.getLogger(__name__)


def read_script(path: Path, read_line: Callable[[str], object] = parse) -> list[str]:
    """Read a script (`path` "-": standard input) and return its lines, without empty ones and comments.

    `read_line` returns None for an empty line, and raises UsageError for a wrong one. Blocks until all is
    read. Raises UsageError that names the first wrong line, or why it cannot be read.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"--script {name}: cannot be read: {reason}") from None
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if read_line(line) is not None:
                lines.append(line)
        except UsageError as error:
            raise UsageError(f"--script {name}, line {number}: {error}") from None
    return lines


async def run_script(lines: list[str], dispatch: Dispatcher) -> None:
    """Execute the lines, one after the other, until the last one is done or the session is left.

    A line that is refused or fails is logged as a warning, and the next one follows.
    """
    for line in lines:
        result = await dispatch.execute(line, "script")
        if result is not None and result.status != "ok":
            log.warning("%s: %s: %s", line, result.status, result.message)
        if dispatch.session.leaving.is_set():
            return
