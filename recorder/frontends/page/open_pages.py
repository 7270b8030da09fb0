"""The browsers that have a page open: so many at most, each pinged, all told how it ended."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from aiohttp import WSCloseCode, web

from recorder.frontends.page.guard import require_own_page
from recorder.frontends.page.http_server import LEAVE_S, MAX_MESSAGE

# How many pages may be open at once.
MAX_PAGES = 8

# A browser that answers no ping for so long is disconnected.
HEARTBEAT_S = 20.0


class PageConnection(Protocol):
    """The connection to one open page."""

    async def serve(self) -> None:
        """Talk until the page goes away."""

    async def send_status(self) -> None:
        """Send how it stands, and what happened since the last time."""


class OpenPages:
    """The open pages of one server, on the event loop's thread."""

    def __init__(self) -> None:
        self._pages: dict[web.WebSocketResponse, PageConnection | None] = {}

    async def serve(
        self, request: web.Request, connect: Callable[[web.WebSocketResponse], PageConnection]
    ) -> web.WebSocketResponse:
        """Open a page's socket and serve the connection that `connect` makes of it; return it, closed.

        Raises an HTTPException for one that is no page of ours, or one too many.
        """
        require_own_page(request)
        if len(self._pages) >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MAX_PAGES} pages are open already\n")
        page = new_socket()
        self._pages[page] = None
        try:
            await page.prepare(request)
            connection = self._pages[page] = connect(page)
            await connection.serve()
        finally:
            del self._pages[page]
        return page

    async def close(self, others: Iterable[web.WebSocketResponse] = ()) -> None:
        """Tell all browsers how it ended, and close their sockets and `others`."""
        await _at_most_leave(page.send_status() for page in self._pages.values() if page is not None)
        await _at_most_leave(
            page.close(code=WSCloseCode.GOING_AWAY, message=b"the recorder has ended")
            for page in [*self._pages, *others]
        )


def new_socket() -> web.WebSocketResponse:
    """Return a socket for a page, not yet open: messages from it are short, its browser is pinged."""
    return web.WebSocketResponse(max_msg_size=MAX_MESSAGE, heartbeat=HEARTBEAT_S, compress=False)


async def _at_most_leave(waits: Iterable[Awaitable[object]]) -> None:
    """Wait for all of them at once, `LEAVE_S` at most; what has gone away meanwhile is no error."""

    async def one(wait: Awaitable[object]) -> None:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(LEAVE_S):
                await wait

    await asyncio.gather(*map(one, list(waits)))
