"""The preview page: the live picture and a command line in any browser, behind a token.

No browser is trusted: requests by other host names or from other pages are refused, messages are small, and a
slow browser gets fewer pictures, without a delay for anything else.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from importlib import resources
from typing import Any
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http import HttpProcessingError

from recorder.errors import UsageError
from recorder.frontends.display_connection import DisplayAccess, DisplayConnection, PageAddress
from recorder.frontends.token_gate import Entrance, StrangerLog
from recorder.preview.colours import MAPS, palette
from recorder.settings import address

log = logging.getLogger(__name__)

# How many pages may be open at once, and how long a message from a page may be, in bytes.
MAX_PAGES = 8
MAX_MESSAGE = 4096

# The colours of the shades, red, green and blue of each, by the name of the map.
PALETTES = {name: list(palette(name)) for name in MAPS}

# The parts of the page's script, which become one in this order.
SCRIPTS = (
    "connection.js",
    "picture.js",
    "histogram.js",
    "charts.js",
    "status.js",
    "timeline.js",
    "position.js",
    "dialogs.js",
    "controls.js",
    "command_line.js",
    "keys.js",
)

STATUS_S = 0.5

# The chart shows the last five minutes.
SAMPLE_S = 1.0
SAMPLES = 300

# A browser that answers no ping for so long is disconnected.
HEARTBEAT_S = 20.0

# How long closing waits for a browser to answer.
LEAVE_S = 0.5

# How many connections with the token there may be at once, of pages and others, and how long one may be idle.
MAX_CONNECTIONS = 64
IDLE_S = 75.0

# The longest head of a request, in bytes.
MAX_HEAD = 16384

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class PageServer:
    """The web application of the page: answers requests that come by the name `host` and with `token`."""

    def __init__(self, access: DisplayAccess, host: str, token: str, strangers: StrangerLog) -> None:
        self._access, self._token, self._strangers = access, token, strangers
        self._hosts = LOOPBACK | {host, socket.gethostname()}
        # A server on all addresses of this computer is called by any address, but by no other name.
        self._everywhere = host in {"0.0.0.0", "::"}
        self._connections: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._pages: dict[web.WebSocketResponse, _PageConnection | None] = {}
        self._history: deque[list[float | None]] = deque(maxlen=SAMPLES)
        files = resources.files("recorder.frontends") / "page"
        self._parts = {
            "STYLE": (files / "page.css").read_text(encoding="utf-8"),
            "SCRIPT": "\n".join((files / name).read_text(encoding="utf-8") for name in SCRIPTS),
        }
        html = (files / "page.html").read_text(encoding="utf-8")
        self._html = html if access.viewed is None else html.replace("<body>", '<body class="file">', 1)

    def application(self) -> web.Application:
        """Return the aiohttp application that answers requests for this page."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE)
        app.add_routes([web.get("/", self._get_page), web.get("/ws", self._get_socket)])
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
        """Refuse requests by another host name, from another page, or without the token."""
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
        if sum(not one.is_closing() for one in self._connections) > MAX_CONNECTIONS:
            full = web.HTTPServiceUnavailable(text=f"{MAX_CONNECTIONS} connections are open already\n")
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

    async def _get_page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        text = self._html.replace("NONCE", nonce)
        for name, part in self._parts.items():
            text = text.replace(name, part, 1)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            # The page's icon, or browsers ask for one without the token.
            "img-src data:; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _get_socket(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") is None and request.headers.get("Sec-Fetch-Mode"):
            raise web.HTTPForbidden(text="not from here\n")
        if len(self._pages) >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MAX_PAGES} pages are open already\n")
        page = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, heartbeat=HEARTBEAT_S, compress=False)
        self._pages[page] = None
        try:
            await page.prepare(request)
            connection = self._pages[page] = _PageConnection(page, self._access)
            await connection.serve(list(self._history))
            if page.close_code == WSCloseCode.ABNORMAL_CLOSURE:
                log.warning("page: a browser does not answer any more and was let go; the recording goes on")
        finally:
            del self._pages[page]
        return page

    async def sample(self) -> None:
        """Remember the figures of a session's chart, one sample each `SAMPLE_S`, until cancelled."""
        while self._access.viewed is None:
            self._history.append(sample_of(self._access.status()))
            await asyncio.sleep(SAMPLE_S)

    async def close(self) -> None:
        """Tell all browsers how it ended and close, waiting at most `LEAVE_S` for each to answer."""
        for page, connection in list(self._pages.items()):
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(LEAVE_S):
                    if connection is not None:
                        await connection.send_status()
                    await page.close(code=WSCloseCode.GOING_AWAY, message=b"the recorder has ended")


def sample_of(status: Mapping[str, Any]) -> list[float | None]:
    """Return a sample of the chart: moment in s, frames/s, pool in %, frames lost, minutes of disk left.

    The moment is one of the host's monotonic clock. A run that ends takes nothing more of the disk: None.
    """
    disk_time_left_s = status["disk_time_left_s"] if status["state"] == "running" else None
    return [
        time.perf_counter(),
        status["rate"],
        status["pool"] * 100,
        status["lost"],
        None if disk_time_left_s is None else disk_time_left_s / 60,
    ]


class _PageConnection:
    """The connection to one open page."""

    def __init__(self, socket: web.WebSocketResponse, access: DisplayAccess) -> None:
        self._socket, self._access = socket, access
        self._display = DisplayConnection(access, "page", self._send)
        self._seen = 0
        self._marks: list[list[Any]] = []
        self._parts: dict[str, Any] = {}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_str(json.dumps(message))

    async def serve(self, history: list[list[float | None]]) -> None:
        """Talk until the page goes away; the first part to end ends the others."""
        await self._send({"history": history, "palettes": PALETTES})
        parts = [asyncio.ensure_future(part()) for part in (self._listen, self._show, self._keep_telling)]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in parts:
                task.cancel()
            for problem in await asyncio.gather(*parts, return_exceptions=True):
                if isinstance(problem, Exception) and not isinstance(problem, OSError):
                    log.error("page: %r; the page connects anew, the recording goes on", problem)
            await self._display.close()

    async def _show(self) -> None:
        """Send a picture whenever the page has drawn the one before."""
        while True:
            await self._display.ready()
            await self._socket.send_bytes(await self._display.picture())

    async def _keep_telling(self) -> None:
        since_s = 0.0
        while True:
            await self.send_status(sampled=since_s >= SAMPLE_S and self._access.viewed is None)
            since_s = STATUS_S if since_s >= SAMPLE_S else since_s + STATUS_S
            await asyncio.sleep(STATUS_S)

    async def send_status(self, *, sampled: bool = False) -> None:
        """Send the figures, `sampled` with a sample of the chart, and what happened since the last time."""
        status = self._access.status()
        self._seen, events = self._access.news.after(self._seen, self._display.conversation)
        message: dict[str, Any] = {"status": status, "events": events}
        if sampled:
            message["sample"] = sample_of(status)
        if (marks := self._access.marks()) != self._marks:
            message["marks"] = self._marks = marks
        for name, part in self._access.viewed.parts().items() if self._access.viewed else ():
            if part is not self._parts.get(name):
                message[name] = self._parts[name] = part
        await self._send(message)

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                return
            try:
                said = json.loads(message.data)
                await self._display.receive(said)
            except ValueError:
                return
            if "go" in said or "play" in said or "speed" in said:
                # Who turns to another place sees at once that it was heard.
                await self.send_status()


@contextlib.asynccontextmanager
async def serve_page(where: str, token: str, access: DisplayAccess) -> AsyncIterator[PageAddress]:
    """Serve the page at `where` (HOST:PORT) during `with`, and log and yield its address; `token` opens it.

    An empty `token` means a new one, which is in the address that is logged. Raises UsageError where `where`
    cannot be used.
    """
    host, port = address.split(where)
    own_token = not token
    token = token or address.new_token()
    strangers = StrangerLog("page")
    page = PageServer(access, host, token, strangers)
    runner = web.AppRunner(
        page.application(),
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
        raise UsageError(f"preview.web = {where}: {reason}") from None
    sampling = asyncio.ensure_future(page.sample())
    actual = server.sockets[0].getsockname()[1]
    url = f"http://{host}:{actual}/{f'?token={token}' if own_token else ''}"
    log.info("page: %s", url)
    try:
        here = "127.0.0.1" if host == "0.0.0.0" else host
        yield PageAddress(f"http://{here}:{actual}/?token={quote(token, safe='')}", url)
    finally:
        sampling.cancel()
        server.close()
        entrance.close()
        await page.close()
        await runner.cleanup()


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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
