"""A thread on which the disk is waited for, and how long it has let us wait."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from recorder.frames.threads import on_thread

T = TypeVar("T")

# Longer than this no disk that is well takes for one call; shown within 2 s.
UNANSWERED_S = 1.5


class DiskThread:
    """One thread; used on the event loop's thread."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, name)
        self._call: tuple[str, float] | None = None  # what is being done, and since when

    async def call(self, doing: str, work: Callable[..., T], *args: object) -> T:
        """Run `work(*args)` on the thread, after what was given before; return or raise what it does.

        `doing` says what it is, for `unanswered`: "writing frames".
        """
        return await on_thread(self._executor, self._timed, doing, work, *args)

    def _timed(self, doing: str, work: Callable[..., T], *args: object) -> T:
        self._call = (doing, time.monotonic())
        try:
            return work(*args)
        finally:
            self._call = None

    @property
    def unanswered(self) -> str:
        """What the disk has not answered for too long, "" where it answers."""
        if (call := self._call) is None:
            return ""
        doing, since_s = call
        seconds = time.monotonic() - since_s
        return f"the disk has not answered for {seconds:.0f} s ({doing})" if seconds > UNANSWERED_S else ""

    async def close(self, timeout_s: float) -> None:
        """Let go of the thread; one that hangs is left behind."""
        answers = asyncio.wrap_future(self._executor.submit(lambda: None))
        await asyncio.wait([answers], timeout=timeout_s)
        self._executor.shutdown(wait=answers.done())
