"""A terminal in memory: what the console shows, and where."""

import time
from pathlib import Path

import pyte

from tests.system.test_console import Terminal


class Screen(Terminal):
    """A recorder in a terminal that knows what stands where; `size` in lines and columns."""

    def __init__(self, folder: Path, *arguments: str, size: tuple[int, int]) -> None:
        self.screen = pyte.Screen(size[1], size[0])
        self._stream = pyte.Stream(self.screen)
        super().__init__(folder, *arguments, size=size, environment={"TERM": "xterm-256color"})

    def take(self, text: str) -> None:
        """Show a piece of what comes."""
        self._stream.feed(text)
        super().take(text)

    def cursor(self) -> tuple[int, int]:
        """Line and column of the cursor, from 1 on."""
        return self.screen.cursor.y + 1, self.screen.cursor.x + 1

    def stands(self, text: str, seconds: float = 40) -> None:
        """Wait until `text` stands there, whatever lines it is broken into."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, "\n".join([f"{text!r} did not stand there:", *self.lines])
            self.read()

    @property
    def text(self) -> str:
        """All that stands there, as one line."""
        return " ".join(" ".join(self.lines).split())

    @property
    def lines(self) -> list[str]:
        """The lines that stand there, without those that are empty at the end."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines
