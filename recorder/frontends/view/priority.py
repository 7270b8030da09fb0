"""The priority of a program beside a recorder that works."""

import contextlib
import os
import sys

# The priority class that Windows has for what runs in the background: processor, disk and memory.
_BACKGROUND_BEGIN = 0x00100000


def step_back() -> None:
    """Let every other program go first: a recorder may be at work on this computer."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes  # noqa: PLC0415

            kernel = ctypes.windll.kernel32
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BACKGROUND_BEGIN)
        else:
            # A disk that knows priorities takes them from this too.
            os.nice(19)
