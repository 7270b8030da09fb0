"""A page that is not drawn: what a viewer sends, asked for as the page asks."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from recorder.errors import DamagedFileError
from recorder.files.probe import Probe
from recorder.frontends.view.displays import Opened, serving

TOKEN = "open-sesame"


class Page:
    """The connection of a page: `head` is that of the last picture, `told` all else that was last said."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.head: dict[str, Any] = {}
        self.pixels = b""
        self.told: dict[str, Any] = {}

    async def say(self, **message: Any) -> None:
        await self._socket.send_json(message)

    async def hear(self) -> bool:
        """Take the next message; return whether it is a picture."""
        message = await self._socket.receive(timeout=20)
        if message.type is aiohttp.WSMsgType.BINARY:
            size = int.from_bytes(message.data[:4], "little")
            self.head = json.loads(message.data[4 : 4 + size])
            self.pixels = message.data[4 + size :]
            return True
        assert message.type is aiohttp.WSMsgType.TEXT, message
        # As a browser reads it, which knows no NaN.
        self.told |= json.loads(message.data, parse_constant=_refuse)
        return False

    async def picture(self, **message: Any) -> dict[str, Any]:
        """Say that the last picture is drawn, with what is asked for; return the head of the next one.

        Raises DamagedFileError where the page is told that there is none.
        """
        await self.say(ready=True, **message)
        while not await self.hear():
            standing = self.told.get("status", {}).get("standing", {})
            if standing.get("kind") == "failed":
                raise DamagedFileError(standing["text"])
        return self.head

    async def until(self, name: str, key: str, value: object) -> None:
        """Hear until something told has this value."""
        while self.told.get(name, {}).get(key) != value:
            await self.hear()

    async def command(self, line: str) -> str:
        """Have a line carried out, and return its answer."""
        self.told.pop("message", None)
        await self.say(command=line, id=1)
        while "message" not in self.told:
            await self.hear()
        return str(self.told["message"])


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@contextlib.asynccontextmanager
async def page(opened: Opened, probe: Probe) -> AsyncIterator[Page]:
    """Serve a recording, and connect a page to it."""
    async with (
        serving(opened, probe, "127.0.0.1:0", TOKEN) as (address, _),
        aiohttp.ClientSession() as session,
        session.ws_connect(address.here.replace("/?", "/ws?")) as socket,
    ):
        yield Page(socket)
