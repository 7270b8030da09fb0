"""The error tree, ordered by who can act on it.

RecorderError
├── UsageError (ValueError)           the person who typed it; nothing was touched; exit 2
│   ├── ConfigurationError            a key, value or unit in the configuration
│   └── NotOurFileError               a file that this program did not write
├── CameraError                       the person at the camera
│   ├── CameraTimeoutError (TimeoutError)  no frame came in time
│   └── CameraDisconnectedError       the cable, the power, the driver
└── StorageError                      the person who looks after the disk
    └── DiskFullError (OSError)       no room for the next frame
"""

from collections.abc import Iterable
from difflib import get_close_matches


class RecorderError(Exception):
    """Base of every error that a user is told about in one line."""


class UsageError(RecorderError, ValueError):
    """Say what was typed wrong, what is allowed and what comes nearest."""


class ConfigurationError(UsageError):
    """Name the key, the value and what is allowed."""


class NotOurFileError(UsageError):
    """Name the file and what is missing in it."""


class CameraError(RecorderError):
    """Say what the camera refused, and what to do."""


class CameraTimeoutError(CameraError, TimeoutError):
    """Say that no frame came within the time allowed."""


class CameraDisconnectedError(CameraError):
    """Say that the camera went away while it was in use."""


class StorageError(RecorderError):
    """Say which file could not be written, and why."""


class DiskFullError(StorageError, OSError):
    """Say which disk has no room left."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the known word nearest to `word`, or nothing where none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
