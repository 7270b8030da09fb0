"""Threads: on which processors they run, waiting for them in the event loop, and which of them go first."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")

# Of Linux: a third of what others get where all want the processor; of Windows: below normal.
_NICE, _BELOW_NORMAL = 5, -1


def processors() -> list[int]:
    """Return the processors that this process may use, numbered from 0."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415

        kernel, mine, all_there = ctypes.windll.kernel32, ctypes.c_size_t(), ctypes.c_size_t()
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        if kernel.GetProcessAffinityMask(process, ctypes.byref(mine), ctypes.byref(all_there)):
            return [cpu for cpu in range(8 * ctypes.sizeof(mine)) if mine.value >> cpu & 1]
    return list(range(os.cpu_count() or 1))


async def on_thread(executor: Executor, work: Callable[..., T], *args: object) -> T:
    """Run `work(*args)` on the executor; return what it returns, raise what it raises.

    Where the task is cancelled meanwhile, it still waits until the work has ended, and then raises
    CancelledError: so the caller may free what the work uses. A second cancellation ends that wait at once.
    Called on the event loop's thread.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # marks it as retrieved; the cancellation is raised instead
        raise


def let_others_first() -> None:
    """Have this thread go after others that want the processor, where the system knows that of threads."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes  # noqa: PLC0415

            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _BELOW_NORMAL)
        elif sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
