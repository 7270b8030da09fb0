"""Which start of the computer this is: what was written since then is in no danger from a power cut."""

import sys
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Clocks are corrected: starts of the computer closer than this count as one.
_SAME_START_S = 60


def boot_id() -> str:
    """Return what names this start of the computer: Linux' own name, or when it was, in s since 1970."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(round(_started_s()))


def is_same_boot(name: str) -> bool:
    """Whether the computer has run ever since a recorder wrote `name` down as its `boot_id`."""
    now = boot_id()
    if now.isdigit() and name.isdigit():
        return abs(int(now) - int(name)) < _SAME_START_S
    return now == name


def _started_s() -> float:
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415

        count = ctypes.windll.kernel32.GetTickCount64
        count.restype = ctypes.c_uint64
        return time.time() - count() * 1e-3
    return time.time() - time.monotonic()
