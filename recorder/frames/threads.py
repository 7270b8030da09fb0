"""Wait in the event loop for work on another thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


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
