"""Who may ask a page's server: who has the token, calls it by a name of ours, and comes from its own page."""

import asyncio
import hmac
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

from aiohttp import web

from recorder.frontends.token_gate import StrangerLog

# How many connections with the token there may be at once, of pages and others, where nothing else is said.
MAX_CONNECTIONS = 64

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Guard:
    """Refuses requests by another name than `host`, from other pages, or without `token`; counts them.

    Of those with the token there are so many `connections` at most.
    """

    def __init__(
        self, host: str, token: str, strangers: StrangerLog, connections: int = MAX_CONNECTIONS
    ) -> None:
        self._token, self._strangers, self._most = token, strangers, connections
        self._hosts = LOOPBACK | {host, socket.gethostname()}
        # A server on all addresses of this computer is called by any address, but by no other name.
        self._everywhere = host in {"0.0.0.0", "::"}
        self._connections: WeakSet[asyncio.BaseTransport] = WeakSet()

    @web.middleware
    async def check(self, request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
        """Hand a request on to its handler, or refuse it."""
        refusal = ""
        if not self._is_ours(request.headers.get("Host", ""), request.headers.get("Origin")):
            refusal = "not from here\n"
        elif not hmac.compare_digest(request.query.get("token", "").encode(), self._token.encode()):
            refusal = "open the address that the recorder printed, with its token\n"
        if refusal:
            self._strangers.add(request.transport)
            refused = web.HTTPForbidden(text=refusal)
            # Who has no token keeps no connection.
            refused.force_close()
            raise refused
        if request.transport is not None:
            self._connections.add(request.transport)
        if sum(not one.is_closing() for one in self._connections) > self._most:
            full = web.HTTPServiceUnavailable(text=f"{self._most} connections are open already\n")
            full.force_close()
            raise full
        response: web.StreamResponse = await handler(request)
        return response

    def _is_ours(self, host: str, origin: str | None) -> bool:
        """Return whether a request came by a host name of ours, and from no other page than ours."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if origin is not None and urlsplit(origin).netloc != host:
                return False
        except ValueError:
            return False
        return name in self._hosts or (self._everywhere and _is_address(name))


def require_own_page(request: web.Request) -> None:
    """Refuse a web socket that a browser opens for no page; raises HTTPForbidden."""
    if request.headers.get("Origin") is None and request.headers.get("Sec-Fetch-Mode"):
        raise web.HTTPForbidden(text="not from here\n")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
