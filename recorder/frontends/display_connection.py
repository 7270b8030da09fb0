"""What passes between a session, or a file, and a page that shows it: pictures out, requests in.

A display sends objects of JSON with any of these keys: `ready` (it has drawn the last picture), what
`CommandConnection` and `ReadoutRequest` take, and of a file what `Viewed.receive` takes.
"""

import asyncio
import json
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from recorder.control.command_types import Conversation
from recorder.frontends.command_connection import CommandConnection
from recorder.frontends.event_log import EventLog
from recorder.preview.live import Preview
from recorder.preview.picture import Picture, Region

# The largest number that a request may have, so that no display can ask for nonsense.
MAX_NUMBER = 1 << 20


class PageAddress(NamedTuple):
    """Where the page is: `here` for a browser on this computer, with the token; `told` as people are told.

    The latter has the token only where that is new.
    """

    here: str
    told: str


class Viewed(Protocol):
    """A recording in files that displays show: where in it they are is one place for all of them."""

    def parts(self) -> Mapping[str, Any]:
        """Return what the time line shows, by name; each the same object as long as it is the same."""

    def receive(self, message: Mapping[str, Any]) -> None:
        """Go where a display asks; raises ValueError for what makes no sense."""


@dataclass(frozen=True)
class DisplayAccess:
    """What a display may use of what it shows: pictures, commands, completion and figures.

    `status` returns at least `preview`, `standing` and `view`, of a session the fields of
    `LiveStatus.for_json`; `complete` words with their meanings for a text; `marks` those of the charts.
    `viewed` is the recording where files are shown, None for a session. `numbered` counts the marks that got
    a label from here, by its name.
    """

    preview: Preview
    command: Callable[[str, Conversation], Awaitable[dict[str, Any]]]  # a line to the fields of CommandResult
    complete: Callable[[str], list[tuple[str, str]]]
    status: Callable[[], dict[str, Any]]
    news: EventLog
    marks: Callable[[], list[list[Any]]] = list
    viewed: Viewed | None = None
    numbered: Counter[str] = field(default_factory=Counter)


@dataclass
class ReadoutRequest:
    """What one display wants to read off each picture: the value at `probe` (x, y) of the frame.

    `profiles`: the values along its row and its column too.
    """

    probe: tuple[int, int] | None = None
    profiles: bool = False

    def update(self, message: Mapping[str, Any], preview: Preview) -> None:
        """Take over what a display asks for; `region`, `levels`, `range` go to the preview, for all.

        Raises ValueError for a number that is missing or out of range.
        """
        if "probe" in message:
            probe = _numbers(message["probe"], 2)
            self.probe = (probe[0], probe[1]) if probe else None
        if "profiles" in message:
            self.profiles = message["profiles"] is True
        if "region" in message:
            preview.region = _region(message["region"])
        if "levels" in message:
            low, high = _numbers(message["levels"], 2) or (0, 0)
            if not 0 <= low < high <= 65535:
                raise ValueError("levels out of range")
            preview.levels = (low, high)
        if "range" in message:
            most = message["range"]
            if not isinstance(most, int | float) or not 0 < most <= 65535:
                raise ValueError("range out of range")
            preview.range = float(most)


class DisplayConnection(CommandConnection):
    """The connection to one display: carries out its messages, has its pictures.

    `source` names it in the journal; `answer` as in `CommandConnection`.
    """

    def __init__(
        self, access: DisplayAccess, source: str, answer: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        super().__init__(access.command, access.complete, access.numbered, source, answer)
        self._access = access
        self._readout = ReadoutRequest()
        self._ready = asyncio.Event()
        self._shown: Picture | None = None

    async def receive(self, message: object) -> None:
        """Carry out a message; raises as `CommandConnection.receive` does."""
        if isinstance(message, dict):
            self._readout.update(message, self._access.preview)
            if self._access.viewed is not None:
                self._access.viewed.receive(message)
            if message.get("ready"):
                self._ready.set()
        await super().receive(message)

    async def ready(self) -> None:
        """Wait until the display asks for a picture, having drawn the one before."""
        await self._ready.wait()

    async def picture(self) -> bytes:
        """Wait for the next picture and return it as `picture_message` does; then `ready` waits again."""
        self._shown = picture = await self._access.preview.next_picture(self._shown)
        self._ready.clear()
        return picture_message(picture, self._readout, self._access.preview)


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


def picture_message(picture: Picture, readout: ReadoutRequest, preview: Preview) -> bytes:
    """Return a picture as bytes: length of the header (uint32, little-endian), header (JSON), pixels.

    The header has the fields of `Picture`, `origin`, `colours` and `taken_s` of the preview, `probe` [x, y,
    value] and `profiles` [row, column] or null, `regions` as `RegionMean`, what a pixel is, `pixel_um`, and
    the preview's `facts` of the frame.
    """
    head: dict[str, Any] = {
        name: value for name, value in vars(picture).items() if name not in {"pixels", "values"}
    }
    # Displays send positions in pixels of the frame, and show them in pixels of the sensor.
    head["origin"] = preview.origin
    head["colours"] = preview.colours_of(picture)
    head["histogram"] = vars(picture.histogram)
    head["taken_s"] = preview.taken_s
    head["regions"] = [vars(region) for region in preview.means]
    probe = readout.probe
    head["pixel_um"] = preview.pixel_um
    head.update(preview.facts)
    head["profiles"] = picture.profiles_at(*probe) if probe and readout.profiles else None
    head["probe"] = [*probe, picture.value_at(*probe)] if probe else None
    header = json.dumps(head).encode()
    return b"".join((struct.pack("<I", len(header)), header, picture.pixels))
