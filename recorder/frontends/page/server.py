"""The preview page: the live picture and a command line in any browser, behind a token.

No browser is trusted: requests by other host names or from other pages are refused, messages are small, and a
slow browser gets fewer pictures, without a delay for anything else.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from recorder.frontends.display_connection import DisplayAccess, DisplayConnection, PageAddress
from recorder.frontends.page.document import Document
from recorder.frontends.page.http_server import serve_application
from recorder.frontends.page.open_pages import OpenPages
from recorder.frontends.page.until_one_ends import run_until_one_ends
from recorder.preview.colours import MAPS, palette

log = logging.getLogger(__name__)

# The colours of the shades, red, green and blue of each, by the name of the map.
PALETTES = {name: list(palette(name)) for name in MAPS}

# The parts of the page's script, which become one in this order.
SCRIPTS = tuple(
    f"page/{name}.js"
    for name in (
        "connection",
        "picture",
        "histogram",
        "charts",
        "status",
        "log",
        "timeline",
        "position",
        "dialogs",
        "orders",
        "controls",
        "command_line",
        "keys",
    )
)

STATUS_S = 0.5

# The chart shows the last five minutes.
SAMPLE_S = 1.0
SAMPLES = 300


class PageServer:
    """What the page of a session, or of a file, is served by."""

    def __init__(self, access: DisplayAccess) -> None:
        self._access = access
        self._pages = OpenPages()
        self._history: deque[list[float | None]] = deque(maxlen=SAMPLES)
        kind = "" if access.viewed is None else "file"
        self._document = Document("page/page.html", ["page/page.css"], SCRIPTS, kind)

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered at which paths."""
        return [web.get("/", self._get_page), web.get("/ws", self._get_socket)]

    async def _get_page(self, _: web.Request) -> web.Response:
        return self._document.response()

    async def _get_socket(self, request: web.Request) -> web.StreamResponse:
        page = await self._pages.serve(
            request, lambda socket: _PageConnection(socket, self._access, list(self._history))
        )
        if page.close_code == WSCloseCode.ABNORMAL_CLOSURE:
            log.warning("page: a browser does not answer any more and was let go; the recording goes on")
        return page

    async def sample(self) -> None:
        """Remember the figures of a session's chart, one sample each `SAMPLE_S`, until cancelled."""
        while self._access.viewed is None:
            self._history.append(sample_of(self._access.status()))
            await asyncio.sleep(SAMPLE_S)

    async def close(self) -> None:
        """Tell all browsers how it ended, and close."""
        await self._pages.close()


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

    def __init__(
        self, socket: web.WebSocketResponse, access: DisplayAccess, history: list[list[float | None]]
    ) -> None:
        self._socket, self._access, self._history = socket, access, history
        self._display = DisplayConnection(access, "page", self._send)
        self._seen = 0
        self._marks: list[list[Any]] = []
        self._parts: dict[str, Any] = {}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_str(json.dumps(message))

    async def serve(self) -> None:
        """Talk until the page goes away; the first part to end ends the others."""
        await self._send({"history": self._history, "palettes": PALETTES})
        try:
            await run_until_one_ends(self._listen(), self._show(), self._keep_telling())
        finally:
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
    """Serve the page at `where` (HOST:PORT) during `with`, and yield its address; `token` opens it.

    An empty `token` means a new one. Raises UsageError where `where` cannot be used.
    """
    page = PageServer(access)
    async with serve_application("preview.web", where, token, page.routes(), page.close) as served:
        sampling = asyncio.ensure_future(page.sample())
        try:
            yield served
        finally:
            sampling.cancel()
