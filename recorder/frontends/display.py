"""What a display sends and gets, be it the window or the page: pictures one way, wishes the other."""

import json
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recorder.preview.live import Preview
from recorder.preview.picture import Picture, Region

# What a region or a level may be, so that no display can ask for nonsense.
GREATEST = 1 << 20


@dataclass(frozen=True)
class Backend:
    """What stands behind a display: the preview, the commands, the figures."""

    preview: Preview
    command: Callable[[str, str], Awaitable[dict[str, Any]]]  # line and source to outcome
    complete: Callable[[str], list[tuple[str, str]]]
    status: Callable[[], dict[str, Any]]


@dataclass
class Wishes:
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


def _numbers(given: object, count: int) -> list[int] | None:
    if given is None:
        return None
    if not (isinstance(given, list) and len(given) == count and all(type(n) is int for n in given)):
        raise ValueError(f"{count} whole numbers are wanted")
    if any(abs(n) > GREATEST for n in given):
        raise ValueError("a number out of range")
    return given


def _region(given: object) -> Region | None:
    numbers = _numbers(given, 4)
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if numbers else None


def message_of(picture: Picture, wishes: Wishes, origin: tuple[int, int]) -> bytes:
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
