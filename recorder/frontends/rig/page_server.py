"""The page over all cameras: each camera's own page beside the others, and one command line for all.

The cameras' pages are served by their processes, for this computer alone; what a browser asks of them goes
through here, so that one address with one token is enough.
"""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    WSCloseCode,
    WSMsgType,
    WSServerHandshakeError,
    web,
)

from recorder.frontends.command_connection import CommandConnection
from recorder.frontends.page.document import Document
from recorder.frontends.page.guard import MAX_CONNECTIONS, require_own_page
from recorder.frontends.page.http_server import serve_application
from recorder.frontends.page.open_pages import MAX_PAGES, OpenPages, new_socket
from recorder.frontends.page.until_one_ends import run_until_one_ends
from recorder.frontends.rig.camera_process import CameraProcess
from recorder.frontends.rig.lines import complete_line
from recorder.frontends.rig.rig import Rig
from recorder.settings.rig import RigSection

log = logging.getLogger(__name__)

SCRIPTS = (
    "page/connection.js",
    "page/log.js",
    "page/dialogs.js",
    "page/orders.js",
    "page/command_line.js",
    "rig/page.js",
)

STATUS_S = 0.5

# How long a camera's server may take to answer, and what a browser is told where it takes longer.
ANSWER_S = 5.0
SILENT = "the camera's process does not answer\n"


class RigPageServer:
    """What the page over all cameras of a rig called `name` is served by."""

    def __init__(self, rig: Rig, name: str) -> None:
        self._rig, self._name = rig, name
        self._document = Document("rig/page.html", ["page/page.css", "rig/page.css"], SCRIPTS)
        self._pages = OpenPages()
        self._relays: set[web.WebSocketResponse] = set()
        self._numbered: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered at which paths."""
        return [
            web.get("/", self._get_page),
            web.get("/ws", self._get_socket),
            web.get("/camera/{name}", self._get_camera),
            web.get("/camera/{name}/ws", self._relay),
        ]

    async def _get_page(self, _: web.Request) -> web.Response:
        return self._document.response(frames="'self'")

    async def _get_socket(self, request: web.Request) -> web.StreamResponse:
        return await self._pages.serve(
            request, lambda socket: _RigPageConnection(socket, self._rig, self._name, self._numbered)
        )

    def _address_of(self, request: web.Request, path: str) -> str:
        """Return the address of `path` at the server of the camera that a request names."""
        camera = self._rig.cameras.get(request.match_info["name"])
        if camera is None or not camera.is_alive or not camera.page:
            raise web.HTTPNotFound(text="no such camera, or it is not there any more\n")
        return camera.page.replace("/?", f"{path}?", 1)

    async def _get_camera(self, request: web.Request) -> web.Response:
        """Hand on a camera's page, to be shown in ours."""
        address = self._address_of(request, "/")
        try:
            async with (
                ClientSession(timeout=ClientTimeout(ANSWER_S)) as session,
                session.get(address) as answer,
            ):
                text, policy = await answer.text(), answer.headers.get("Content-Security-Policy", "")
                headers = {
                    "Content-Security-Policy": policy.replace(
                        "frame-ancestors 'none'", "frame-ancestors 'self'"
                    )
                }
                headers |= {
                    name: answer.headers[name]
                    for name in ("Cache-Control", "Referrer-Policy", "X-Content-Type-Options")
                    if name in answer.headers
                }
                return web.Response(
                    text=text, status=answer.status, content_type=answer.content_type, headers=headers
                )
        except (ClientError, TimeoutError):
            raise web.HTTPBadGateway(text=SILENT) from None

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        """Hand on what passes between a camera's page and its process; a page asks for each picture."""
        require_own_page(request)
        address = self._address_of(request, "/ws")
        page = new_socket()
        async with ClientSession() as session:
            try:
                async with asyncio.timeout(ANSWER_S):
                    camera = await session.ws_connect(address, max_msg_size=0)
            except WSServerHandshakeError as error:
                # It has as many pages open as it may.
                raise web.HTTPServiceUnavailable(text=f"the camera's process says {error.status}\n") from None
            except (ClientError, TimeoutError):
                raise web.HTTPBadGateway(text=SILENT) from None
            self._relays.add(page)
            try:
                await page.prepare(request)
                await run_until_one_ends(_hand_on(page, camera), _hand_on(camera, page))
                if not page.closed:
                    await page.close(code=WSCloseCode.GOING_AWAY, message=b"the camera's process has ended")
            finally:
                self._relays.discard(page)
                await camera.close()
        return page

    async def close(self) -> None:
        """Tell all browsers how it ended, and close."""
        await self._pages.close(self._relays)


async def _hand_on(source: Any, target: Any) -> None:  # noqa: ANN401 - a web socket of a server or a client
    """Send on every message until one of the two is closed."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        else:
            return


class _RigPageConnection:
    """The connection to one open page over all cameras."""

    def __init__(self, socket: web.WebSocketResponse, rig: Rig, name: str, numbered: Counter[str]) -> None:
        self._socket, self._rig, self._name = socket, rig, name
        self._commands = CommandConnection(
            rig.execute_for_client,
            lambda text: complete_line(text, rig.names),
            numbered,
            "page",
            self._send,
            # Not page1, which a camera's own page gives.
            label="rig",
        )
        self._seen = 0

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_str(json.dumps(message))

    async def serve(self) -> None:
        """Talk until the page goes away."""
        try:
            await run_until_one_ends(self._listen(), self._keep_telling())
        finally:
            await self._commands.close()

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                return
            try:
                await self._commands.receive(json.loads(message.data))
            except ValueError:
                return

    async def _keep_telling(self) -> None:
        while True:
            await self.send_status()
            await asyncio.sleep(STATUS_S)

    async def send_status(self) -> None:
        """Send how all cameras stand, and what happened since the last time."""
        self._seen, events = self._rig.news.after(self._seen, self._commands.conversation)
        await self._send({"status": status_of(self._rig, self._name), "events": events})


def status_of(rig: Rig, name: str) -> dict[str, Any]:
    """Return what the page shows of a rig called `name`."""
    return {
        "name": name,
        "running": rig.running,
        "saving": [camera.name for camera in rig.alive if camera.saving],
        "cameras": {camera.name: _camera_status(camera) for camera in rig.cameras.values()},
    }


def _camera_status(camera: CameraProcess) -> dict[str, Any]:
    """Return how a camera stands: its figures (None: there are none), why it is not there, its last end."""
    ended = camera.end
    return {
        "live": camera.live.for_json() if camera.live is not None else None,
        "died": camera.died,
        "gone": camera.gone.is_set(),
        "silent": camera.is_silent,
        "has_page": bool(camera.page) and camera.is_alive,
        "running": camera.running,
        "ended": {"verdict": ended.verdict, "cause": ended.cause} if ended is not None else None,
    }


@contextlib.asynccontextmanager
async def serve_rig_page(wanted: RigSection, rig: Rig) -> AsyncIterator[None]:
    """Serve the page over all cameras where `wanted` says, during `with`, and log its address.

    Raises UsageError where the address cannot be used.
    """
    assert wanted.web is not None
    page = RigPageServer(rig, wanted.name)
    most = MAX_CONNECTIONS + MAX_PAGES * len(rig.cameras)
    logger = logging.getLogger("recorder")
    async with serve_application(
        "rig.web", wanted.web, wanted.token, page.routes(), page.close, most
    ) as served:
        log.info("page: %s", served.told)
        logger.addHandler(rig.news)
        try:
            yield
        finally:
            logger.removeHandler(rig.news)
