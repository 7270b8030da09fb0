"""A web application at an address of this computer, from before its first request to after its last."""

import asyncio
import contextlib
import inspect
import logging
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.http import HttpProcessingError

from recorder.errors import UsageError
from recorder.frontends.display_connection import PageAddress
from recorder.frontends.page.guard import MAX_CONNECTIONS, Guard
from recorder.frontends.token_gate import Entrance, StrangerLog
from recorder.settings import address

log = logging.getLogger(__name__)

# How long closing waits for a browser to answer.
LEAVE_S = 0.5

# How long a connection may be idle.
IDLE_S = 75.0

# The longest head of a request, in bytes.
MAX_HEAD = 16384

# The longest message from a page, in bytes.
MAX_MESSAGE = 4096


@contextlib.asynccontextmanager
async def serve_application(
    key: str,
    where: str,
    token: str,
    routes: Sequence[web.RouteDef],
    farewell: Callable[[], Awaitable[None]],
    connections: int = MAX_CONNECTIONS,
) -> AsyncIterator[PageAddress]:
    """Serve routes at `where` (HOST:PORT), of the setting `key`, during `with`; yield the address.

    An empty `token` means a new one, which is in the address that people are told. There are so many
    `connections` at most. At the end, once nobody else is let in, `farewell` is awaited. Raises UsageError
    where `where` cannot be used.
    """
    host, port = address.split(where)
    own_token = not token
    token = token or address.new_token()
    strangers = StrangerLog("page")
    app = web.Application(
        middlewares=[Guard(host, token, strangers, connections).check], client_max_size=MAX_MESSAGE
    )
    app.add_routes([web.route(each.method, each.path, _held_weakly(each.handler)) for each in routes])
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=LEAVE_S,
        keepalive_timeout=IDLE_S,
        # The rest of a request that was refused is not waited for.
        lingering_time=0,
        logger=_HttpLog(log, strangers),
    )
    await runner.setup()

    def admit(words: bytes) -> tuple[asyncio.Protocol, bytes] | None:
        handler = runner.server
        return (handler(), words) if handler is not None else None

    # Browsers connect ahead of need, and say nothing there.
    entrance = Entrance(b"\r\n\r\n", MAX_HEAD, admit, strangers, counts_silent=False)
    try:
        server = await entrance.open(host, port)
    except OSError as error:
        await runner.cleanup()
        # asyncio's message for an address in use is long; an unknown name has a negative errno.
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise UsageError(f"{key} = {where}: {reason}") from None
    actual = server.sockets[0].getsockname()[1]
    here = "127.0.0.1" if host == "0.0.0.0" else host
    try:
        yield PageAddress(
            f"http://{here}:{actual}/?token={quote(token, safe='')}",
            f"http://{host}:{actual}/{f'?token={token}' if own_token else ''}",
        )
    finally:
        server.close()
        entrance.close()
        await farewell()
        await runner.cleanup()


def _held_weakly(handler: Any) -> Any:  # noqa: ANN401 - those of aiohttp
    """Return what calls a method as long as its object is there.

    aiohttp keeps the handlers of servers that are closed, and with them a session with its pool would stay.
    """
    if not inspect.ismethod(handler):
        return handler
    method = weakref.WeakMethod(handler)

    async def handle(request: web.Request) -> web.StreamResponse:
        if (alive := method()) is None:
            raise web.HTTPGone
        response: web.StreamResponse = await alive(request)
        return response

    return handle


class _HttpLog(logging.LoggerAdapter[logging.Logger]):
    """The log that aiohttp writes to: what is no HTTP comes from strangers, and is counted with them."""

    def __init__(self, logger: logging.Logger, strangers: StrangerLog) -> None:
        super().__init__(logger)
        self._strangers = strangers

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - those of logging
        """Log an error with its traceback, or count a request that makes no sense."""
        if isinstance(kwargs.get("exc_info"), HttpProcessingError):
            self._strangers.add(None)
        else:
            super().exception(msg, *args, **kwargs)
