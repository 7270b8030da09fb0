"""What a display sends and gets, be it the window or the page: pictures one way, wishes the other."""

import asyncio
import contextlib
import json
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recorder.preview.live import Preview
from recorder.preview.picture import Picture, Region

# What a region or a level may be, so that no display can ask for nonsense.
MAX_NUMBER = 1 << 20

# Commands of one display under way at once.
UNDER_WAY = 16


@dataclass(frozen=True)
class SessionAccess:
    """What stands behind a display: the preview, the commands, the figures."""

    preview: Preview
    command: Callable[[str, str], Awaitable[dict[str, Any]]]  # line and source to outcome
    complete: Callable[[str], list[tuple[str, str]]]
    status: Callable[[], dict[str, Any]]


@dataclass
class ReadoutRequest:
    """What one display wants to know of each picture: the value at `probe` (x, y), the mean of `rect`."""

    probe: tuple[int, int] | None = None
    rect: Region | None = None

    def take(self, message: Mapping[str, Any], preview: Preview) -> None:
        """Follow a display's message; raises ValueError where it makes no sense."""
        if "probe" in message:
            probe = _numbers(message["probe"], 2)
            self.probe = (probe[0], probe[1]) if probe else None
        if "rect" in message:
            self.rect = _region(message["rect"])
        if "region" in message:
            preview.region = _region(message["region"])
        if "levels" in message:
            low, high = _numbers(message["levels"], 2) or (0, 0)
            if not 0 <= low < high <= 65535:
                raise ValueError("levels out of range")
            preview.levels = (low, high)


class DisplayConnection:
    """One display, be it a page or a window: takes its messages, has the pictures it asks for.

    `source` names it in the journal; `answer` gets the result of each command, with the `id` it came with.
    On the loop's thread.
    """

    def __init__(
        self, access: SessionAccess, source: str, answer: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        self._access, self._source, self._answer = access, source, answer
        self._wishes = ReadoutRequest()
        self._ready = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()

    async def take(self, message: object) -> None:
        """Follow a message; raises ValueError where it makes no sense. Waits while too many commands run."""
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        self._wishes.take(message, self._access.preview)
        if message.get("ready"):
            self._ready.set()
        if isinstance(message.get("complete"), str):
            words = self._access.complete(message["complete"])
            await self._answer({"id": message.get("id"), "words": words})
        if isinstance(message.get("command"), str):
            if len(self._under_way) >= UNDER_WAY:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._execute(message["command"], message.get("id")))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _execute(self, line: str, number: object) -> None:
        result = await self._access.command(line, self._source)
        with contextlib.suppress(OSError):
            await self._answer({"id": number, **result})

    async def ready(self) -> None:
        """Wait until the display has drawn the picture before."""
        await self._ready.wait()

    async def picture(self) -> bytes:
        """Wait for the next picture and return it as `picture_message` does; then `ready` waits again."""
        picture = await self._access.preview.next_picture()
        self._ready.clear()
        return picture_message(picture, self._wishes, self._access.preview.origin)

    async def close(self) -> None:
        """Wait for nobody's command any more; those under way are carried out all the same."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


def _numbers(given: object, count: int) -> list[int] | None:
    if given is None:
        return None
    if not (isinstance(given, list) and len(given) == count and all(type(n) is int for n in given)):
        raise ValueError(f"{count} whole numbers are wanted")
    if any(abs(n) > MAX_NUMBER for n in given):
        raise ValueError("a number out of range")
    return given


def _region(given: object) -> Region | None:
    numbers = _numbers(given, 4)
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if numbers else None


def picture_message(picture: Picture, wishes: ReadoutRequest, origin: tuple[int, int]) -> bytes:
    """Return a picture as bytes: length of the header (uint32, little-endian), header (JSON), pixels."""
    head: dict[str, Any] = {
        name: value for name, value in vars(picture).items() if name not in {"pixels", "values"}
    }
    # Displays talk of pixels of the frame, and show pixels of the sensor.
    head["origin"] = origin
    probe, rect = wishes.probe, wishes.rect
    head["probe"] = [*probe, picture.value_at(*probe)] if probe else None
    head["rect"] = picture.mean_of(rect) if rect else None
    header = json.dumps(head).encode()
    return b"".join((struct.pack("<I", len(header)), header, picture.pixels))
