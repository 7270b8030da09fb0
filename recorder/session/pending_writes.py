"""Who is about to write rows: a file stays open until they have."""

import asyncio
import contextlib
from collections.abc import Iterator


class PendingWrites:
    """Count those who hold a file open; `settled` waits for those there are. On the loop's thread."""

    def __init__(self) -> None:
        self._holders: set[object] = set()
        self._changed = asyncio.Event()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be waited for until the end of `with`."""
        holder = object()
        self._holders.add(holder)
        try:
            yield
        finally:
            self._holders.discard(holder)
            self._changed.set()
            self._changed = asyncio.Event()

    async def settled(self, timeout_s: float) -> None:
        """Return once nobody of those who hold it now does, or after `timeout_s`; later ones do not count."""
        before = set(self._holders)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while before & self._holders:
                    await self._changed.wait()
