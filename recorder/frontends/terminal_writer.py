"""Writes to the terminal on a thread of its own: one that is not read holds up nobody but this thread.

A pseudo-terminal takes some kB more than is read of it, over a connection that is gone for minutes, say; then
whoever writes waits. The event loop must not: frames would be lost.
"""

import contextlib
import queue
import threading
from typing import TextIO

# How long the end of a console waits for a terminal that is not read.
LAST_S = 1.0


class TerminalWriter:
    """A text stream in front of `stream`, whose `write` returns at once; `close` ends its thread.

    What cannot be written, as the terminal is gone, is left out.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # Waits for the terminal, perhaps for ever: no end of the program waits for it.
        self._thread = threading.Thread(target=self._write_all, name="terminal", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Have a text written after those before it; does not wait."""
        self._queue.put(text)
        return len(text)

    @property
    def is_behind(self) -> bool:
        """Whether a text waits for those before it."""
        return not self._queue.empty()

    def flush(self) -> None:
        """Do nothing: every text is written as soon as the terminal takes it."""

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._stream.isatty()

    def close(self) -> None:
        """Wait until all is written, for `LAST_S` at most."""
        self._queue.put(None)
        self._thread.join(LAST_S)

    def _write_all(self) -> None:
        while (text := self._queue.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                data = text.encode(self.encoding, "replace")
                self._stream.buffer.write(data)
                self._stream.flush()
