"""What a crash may leave behind that keeps a PCO camera locked, and how to get rid of it; Linux only.

The vendor's libraries keep the list of cameras in shared memory, and lock frame grabbers with named
semaphores, which a kill does not give back (decision 8).
"""

import os
from pathlib import Path

# By their names in /dev/shm: shared memory, and semaphores, whose files the C library calls "sem.NAME".
_LEFT = ("pco_shm*", "pco_clhs_*", "sem.ME4_LOCKPORT_*", "sem.ME5_LOCKPORT_*", "sem.KAYA_MASTER*")

_RESTART = "restart the computer"


def why_in_use(process: int, folder: Path = Path("/dev/shm")) -> str:
    """Return why a camera that `process` is said to have attached cannot be opened, and what to do.

    `folder` is where shared memory is.
    """
    if process <= 0:
        return "not connected, or in use by a program that is not told: check its cable and power"
    if _lives(process):
        return f"in use by process {process}: close Camware and other programs that use it"
    return f"left locked by process {process}, which is gone: {_way_out(folder)}"


def why_busy(folder: Path = Path("/dev/shm")) -> str:
    """Return the advice for a camera that is told to be in use by nobody known, "" where no lock is left."""
    return f"where none does, a crash has left locks: {_way_out(folder)}" if _files(folder) else ""


def _way_out(folder: Path) -> str:
    if not (files := _files(folder)):
        return _RESTART
    return f"close all programs that use PCO cameras, then rm {' '.join(map(str, files))}, or {_RESTART}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for pattern in _LEFT for path in folder.glob(pattern))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # another user's, or no number of a process
    return True
