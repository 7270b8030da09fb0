"""Names of the files of captures: that of the session, a number, and the label."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from recorder.errors import UsageError
from recorder.settings.model import Settings

# Of a label, so much is in a file's name.
MAX_LABEL = 40

_NOT_PLAIN = re.compile(r"[^\w.-]+")


class CapturingSession(Protocol):
    """What names files: the session's settings, its first file (None: a dry run), whom a new one is told."""

    settings: Settings
    path: Path | None
    on_next_file: list[Callable[[Path], Awaitable[None]]]


class CaptureNames:
    """Name one file after the other; used on the event loop's thread."""

    def __init__(self, session: CapturingSession) -> None:
        self._session = session
        self._number = 0

    async def __call__(self, label: str) -> tuple[Settings, Path | None]:
        """Return the settings of now, and a new file beside the session's: its name, a number, the label.

        None in a dry run. Raises UsageError where the folder cannot be looked at.
        """
        session = self._session
        if session.path is None:
            return session.settings, None
        path = self._next(session.path, label)
        for tell in session.on_next_file:
            await tell(path)
        return session.settings, path

    def _next(self, first: Path, label: str) -> Path:
        """Characters of the label that are no letters or digits become dashes."""
        plain = _NOT_PLAIN.sub("-", label)[:MAX_LABEL].strip("-.")
        try:
            while True:
                self._number += 1
                path = first.with_name(f"{first.stem}_{self._number:03}{f'_{plain}' if plain else ''}.h5")
                if not path.exists():
                    return path
        except OSError as error:
            raise UsageError(f"{first.parent}: cannot be used: {error.strerror}") from None
