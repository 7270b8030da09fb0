"""Wait in the event loop for work on a thread of ours."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def on_thread(executor: Executor, work: Callable[..., T], *args: object) -> T:
    """Run `work(*args)` on the executor and return what it returns.

    A cancelled wait still waits: what the work uses is its own until it is done.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # marks it as seen; the cancellation says enough
        raise
