"""A gate that those who are about to finish something hold open for a moment."""

import asyncio
import contextlib
from collections.abc import Iterator


class Gate:
    """Count holders; `free` waits until there are none. On the loop's thread."""

    def __init__(self) -> None:
        self._holders = 0
        self._changed = asyncio.Event()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the gate open."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._changed.set()

    async def free(self, timeout_s: float) -> None:
        """Return once nobody holds the gate, or after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._holders:
                    self._changed.clear()
                    await self._changed.wait()
