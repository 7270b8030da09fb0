"""Which processors of the computer this process runs on."""

import os
import sys
from collections.abc import Sequence

from recorder.errors import UsageError
from recorder.frames.threads import processors


def check(cpus: Sequence[int]) -> None:
    """Raise UsageError where this process cannot be had to run on these processors alone."""
    known = processors()
    if missing := [cpu for cpu in cpus if cpu not in known]:
        raise UsageError(f"cpus: there is no processor {missing[0]} to use; there are {_listed(known)}")
    if sys.platform not in {"linux", "win32"}:
        raise UsageError("cpus: this system lets no program choose its processors; leave it out")


def use_only(cpus: Sequence[int]) -> None:
    """Have this process, and the threads that it begins, run on these processors alone.

    Raises UsageError where one is not there, or the system has no way to do it.
    """
    check(cpus)
    if sys.platform == "linux":
        os.sched_setaffinity(0, cpus)
    elif sys.platform == "win32":
        import ctypes  # noqa: PLC0415

        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        mask = ctypes.c_size_t(sum(1 << cpu for cpu in set(cpus)))
        if not kernel.SetProcessAffinityMask(ctypes.c_void_p(kernel.GetCurrentProcess()), mask):
            raise UsageError(f"cpus = {list(cpus)}: Windows refused it (error {kernel.GetLastError()})")


def _listed(cpus: Sequence[int]) -> str:
    is_range = list(cpus) == list(range(cpus[0], cpus[-1] + 1))
    return f"{cpus[0]} to {cpus[-1]}" if is_range and len(cpus) > 2 else ", ".join(map(str, cpus))
