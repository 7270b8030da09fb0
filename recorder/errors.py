"""The error tree, ordered by who can act on it. The message of each error is one line that says what to do.

RecorderError
├── UsageError (ValueError)           the person who typed it; nothing was touched; exit 2
│   ├── ConfigurationError            a key, value or unit in the configuration
│   └── NotOurFileError               a file that this program did not write
│       └── DamagedFileError          a file that it wrote, and that cannot be read any more
│           └── UnreadableFileError   one on which HDF5 crashes, or does not return
├── CameraError                       the person at the camera
│   ├── CameraTimeoutError (TimeoutError)  no frame came in time
│   └── CameraDisconnectedError       the cable, the power, the driver
└── StorageError                      the person who looks after the disk
    └── DiskFullError (OSError)       no room for the next frame
"""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_WORD = 200


class RecorderError(Exception):
    """Base of every error that is shown to the user as one line, without a traceback."""


class UsageError(RecorderError, ValueError):
    """The input is wrong; the message says what is allowed, and what comes nearest to the input."""


class ConfigurationError(UsageError):
    """A setting is wrong; the message names its key, its value and what is allowed."""


class NotOurFileError(UsageError):
    """A file cannot be used; the message names it and what is missing in it."""


class DamagedFileError(NotOurFileError):
    """What a file says of itself is damaged; the message says where."""


class UnreadableFileError(DamagedFileError):
    """HDF5 crashes on a file, or does not return from it."""


class CameraError(RecorderError):
    """The camera failed or refused a request; the message says what to do."""


class CameraTimeoutError(CameraError, TimeoutError):
    """No frame came within the time allowed."""


class CameraNotRunningError(CameraError):
    """A command came for a camera of which no run is under way any more, or yet."""


class CameraDisconnectedError(CameraError):
    """The connection to the camera was lost while it was in use."""


class StorageError(RecorderError):
    """A file could not be written; the message names it and the reason."""


class DiskFullError(StorageError, OSError):
    """The disk has no room left; the message names it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the known word nearest to `word`, "" where none is similar."""
    # Long words are like none that is known, and take long to compare.
    near = get_close_matches(word, list(known), n=1, cutoff=0.6) if len(word) < MAX_WORD else []
    return f"; did you mean {near[0]}?" if near else ""
