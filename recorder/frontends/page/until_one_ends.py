"""Tasks of one connection: when one ends, so do the others."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


async def run_until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run them until one ends, and cancel the others; what goes wrong in one is logged."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for problem in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(problem, Exception) and not isinstance(problem, OSError):
                log.error("page: %r; the page connects anew, the recording goes on", problem)
