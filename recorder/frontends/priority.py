"""The priority of a program beside a recorder that works."""

import contextlib
import os
import sys

# Of Windows: below that of others; and what runs in the background, processor, disk and memory.
_BELOW_NORMAL, _BACKGROUND_BEGIN = 0x00004000, 0x00100000

# A tenth of a processor that others want.
_NICE = 10


def step_back(*, behind_all: bool = False) -> None:
    """Let others go first; `behind_all`: take only what nobody else wants. For this thread and later ones.

    With the lowest priority alone (nice 19) a viewer took 5 % from a recorder that wanted both processors.
    """
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes  # noqa: PLC0415

            kernel = ctypes.windll.kernel32
            priority = _BACKGROUND_BEGIN if behind_all else _BELOW_NORMAL
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), priority)
            return
        # A disk that knows priorities takes them from this too.
        os.nice(_NICE)
        if behind_all and hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
