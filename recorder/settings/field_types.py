"""Types of values in the configuration: each parses what people write, and writes it back as text.

Times are in s, lengths in m, sizes in bytes, rates in frames/s (inf: "max") once parsed. What the reference
says of a type, `ParsedBy.allowed` and `Unit`, stands beside its parser.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints

from recorder.settings.address import ADDRESS, split
from recorder.units import (
    format_bytes,
    format_metres,
    format_seconds,
    parse_bytes,
    parse_metres,
    parse_rate,
    parse_seconds,
)

# Patterns of texts, and what they allow in words: "must be ...".
PLAIN_NAME = r"^[\w.-]+$"
TOKEN = r"^[\w.-]*$"
PATH = r"^[^\x00-\x1f]+$"
FUNCTION = r"^[\w.]+:\w+$"
REGION_NAME = r"^[\w-][\w.-]{0,31}$"
PATTERNS = {
    REGION_NAME: "made of up to 32 letters, digits, dots, dashes and underscores, not beginning with a dot",
    PLAIN_NAME: "made of letters, digits, dots, dashes and underscores",
    TOKEN: "made of letters, digits, dots, dashes and underscores",
    PATH: "the name of a folder or file in plain text",
    FUNCTION: "module:name, for example my_analysis:mean_of_eye",
}


@dataclass(frozen=True)
class ParsedBy:
    """The parser of a type, and what it allows, in words; it raises ValueError that says so."""

    parse: Callable[[object], Any]
    allowed: str

    def __call__(self, value: object) -> Any:  # noqa: ANN401 - whatever the type is
        """Return the value that people wrote, parsed."""
        return self.parse(value)


@dataclass(frozen=True)
class Unit:
    """The unit of a value, or what a number counts; part of its type."""

    name: str


# What these allow, in words: "must be ...".
_RATE = '0.001 to 1000000, or "max"'
_LEVELS = '"auto", "full", or [LOW, HIGH] from 0 to 65535, the lower first'
_DISK_RATE = 'a size per second, from 1MB/s to 1000GB/s, for example "500MB/s", or "none"'
_FAN = '"auto", or a speed from 0 to 100 percent'
_SWITCH = 'true, false or "auto"'
_REGION = "[x0, y0, x1, y1], the first pixel and the one after the last, from 0"
_BASELINE = 'a time from 0.05s to 10min, or "running" and a time'
_DIFFERENCE = '"auto", "full", or a number more than 0'

_SYNC_S = (0.1, 3600)
_DISK_BYTES = (10**6, 10**12)
_PIXEL_M = (1e-9, 1e-2)


MAX_PIXEL = 65535

LOWEST_GAMMA, HIGHEST_GAMMA = 0.1, 10

SHORTEST_BASELINE_S, LONGEST_BASELINE_S = 0.05, 600.0


def checked_seconds(low: float, high: float, value: object) -> float:
    """Return a time in s that people wrote, from `low` to `high`; raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('a time needs a unit (ns, us, ms, s, min, h), for example "5ms"')
    if not isinstance(value, str):
        raise ValueError('not a time; write a text such as "5ms"')
    seconds = parse_seconds(value)
    if not low <= seconds <= high:
        raise ValueError(f"must be between {format_seconds(low)} and {format_seconds(high)}")
    return seconds


def _pixel_size(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError('a length needs a unit (nm, um, mm), for example "6.5um"')
    metres = parse_metres(value)
    if not _PIXEL_M[0] <= metres <= _PIXEL_M[1]:
        raise ValueError(f"must be between {' and '.join(map(format_metres, _PIXEL_M))}")
    return metres


def checked_bytes(low: int, high: int, value: object) -> int:
    """Return a size in bytes that people wrote, from `low` to `high`; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError('a size needs a unit (B, kB, MB, GB, KiB, MiB, GiB), for example "512MB"')
    size = parse_bytes(value)
    if not low <= size <= high:
        raise ValueError(f"must be between {format_bytes(low)} and {format_bytes(high)}")
    return size


def _disk_rate(value: object) -> float:
    if value == "none":
        return math.inf
    if not isinstance(value, str) or not value.endswith("/s"):
        raise ValueError(f"must be {_DISK_RATE}")
    return checked_bytes(*_DISK_BYTES, value.removesuffix("/s"))


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('not a frame rate; write frames per second, for example 100, or "max"')
    try:
        rate = parse_rate(value) if isinstance(value, str) else float(value)
    except OverflowError:
        rate = -1.0
    if not (0.001 <= rate <= 1e6 or rate == math.inf):
        raise ValueError(f"must be {_RATE} (frames/s)")
    return rate


def _playback_rate(value: object) -> float | Literal["original"]:
    return "original" if value == "original" else _rate(value)


def _levels(value: object) -> tuple[int, int] | Literal["auto", "full"]:
    if value == "auto" or value == "full":  # noqa: PLR1714 - so that the type is known
        return value
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(v) is int for v in value):
        low, high = value
        if 0 <= low < high <= 65535:
            return low, high
    raise ValueError(f"must be {_LEVELS}")


def _fan(value: object) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if type(value) is int and 0 <= value <= 100:
        return value
    raise ValueError(f"must be {_FAN}")


def _switch(value: object) -> bool | Literal["auto"]:
    if value is True or value is False:
        return value
    if value == "auto":
        return "auto"
    raise ValueError(f"must be {_SWITCH}")


def _sync_period(value: object) -> float:
    return math.inf if value == "never" else checked_seconds(*_SYNC_S, value)


def split_baseline(text: str) -> tuple[float, bool]:
    """Return the seconds of a baseline such as "2s" or "running 10s", and whether it is a running one."""
    words = text.split()
    running = words[:1] == ["running"]
    return checked_seconds(SHORTEST_BASELINE_S, LONGEST_BASELINE_S, " ".join(words[running:])), running


def _baseline(value: object) -> str:
    seconds, running = split_baseline(str(value))
    return f"{'running ' * running}{format_seconds(seconds)}"


def _region_box(value: object) -> tuple[int, int, int, int]:
    if isinstance(value, list | tuple) and len(value) == 4 and all(type(v) is int for v in value):
        x0, y0, x1, y1 = value
        if 0 <= x0 < x1 <= MAX_PIXEL and 0 <= y0 < y1 <= MAX_PIXEL:
            return x0, y0, x1, y1
    raise ValueError(f"must be {_REGION}")


def _difference_range(value: object) -> float | Literal["auto", "full"]:
    if value == "auto" or value == "full":  # noqa: PLR1714 - so that the type is known
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_PIXEL:
        return float(value)
    raise ValueError(f"must be {_DIFFERENCE}")


def _address(value: object) -> str:
    text = str(value)
    split(text)
    return text


def _write_sync_period(seconds: float) -> str:
    return "never" if seconds == math.inf else format_seconds(seconds)


def _write_disk_rate(bytes_per_s: float) -> str:
    return "none" if bytes_per_s == math.inf else f"{format_bytes(int(bytes_per_s))}/s"


def _write_rate(rate: float | str) -> float | str:
    return "max" if rate == math.inf else rate


def _times(low: float, high: float) -> BeforeValidator:
    return BeforeValidator(ParsedBy(partial(checked_seconds, low, high), _from_to(low, high)))


def _from_to(low: float, high: float) -> str:
    return f"{format_seconds(low)} to {format_seconds(high)}"


def _sizes(low: int, high: int) -> BeforeValidator:
    allowed = f"{format_bytes(low)} to {format_bytes(high)}"
    return BeforeValidator(ParsedBy(partial(checked_bytes, low, high), allowed))


_WriteSeconds = PlainSerializer(format_seconds)
_WriteBytes = PlainSerializer(format_bytes)
_WriteRate = PlainSerializer(_write_rate)
_Time = Unit("time")
_Size = Unit("size")
_FramesPerSecond = Unit("frames/s")

Exposure = Annotated[float, _times(1e-6, 60), _WriteSeconds, _Time]
Delay = Annotated[float, _times(0, 60), _WriteSeconds, _Time]
LineTime = Annotated[float, _times(1e-7, 1), _WriteSeconds, _Time]
Duration = Annotated[float, _times(1e-3, 7 * 86400), _WriteSeconds, _Time]
PoolSize = Annotated[int, _sizes(2 * 2**20, 2**40), _WriteBytes, _Size]
Reserve = Annotated[int, _sizes(0, 2**40), _WriteBytes, _Size]
DiskRate = Annotated[
    float,
    BeforeValidator(ParsedBy(_disk_rate, _DISK_RATE)),
    PlainSerializer(_write_disk_rate),
    Unit("size/s"),
]
SyncPeriod = Annotated[
    float,
    BeforeValidator(ParsedBy(_sync_period, f'{_from_to(*_SYNC_S)}, or "never"')),
    PlainSerializer(_write_sync_period),
    _Time,
]
PixelSize = Annotated[
    float,
    BeforeValidator(ParsedBy(_pixel_size, " to ".join(map(format_metres, _PIXEL_M)))),
    PlainSerializer(format_metres),
    Unit("length"),
]
Rate = Annotated[float, BeforeValidator(ParsedBy(_rate, _RATE)), _WriteRate, _FramesPerSecond]
PlaybackRate = Annotated[
    float | Literal["original"],
    BeforeValidator(ParsedBy(_playback_rate, f'{_RATE}, or "original"')),
    _WriteRate,
    _FramesPerSecond,
]
Fan = Annotated[int | Literal["auto"], BeforeValidator(ParsedBy(_fan, _FAN))]
Levels = Annotated[tuple[int, int] | Literal["auto", "full"], BeforeValidator(ParsedBy(_levels, _LEVELS))]
Address = Annotated[str, BeforeValidator(ParsedBy(_address, ADDRESS))]
Frames = Annotated[int, Unit("frames")]
Pixels = Annotated[int, Unit("pixels")]
Switch = Annotated[bool | Literal["auto"], BeforeValidator(ParsedBy(_switch, _SWITCH))]
# Shown as they are, or against a baseline: differences in counts, or in percent of the baseline.
PreviewMode = Literal["raw", "difference", "dff"]
# x0, y0, x1, y1 in the frame, counted from 0: the first pixel, and the one after the last.
RegionBox = Annotated[tuple[int, int, int, int], BeforeValidator(ParsedBy(_region_box, _REGION))]
RegionName = Annotated[str, StringConstraints(pattern=REGION_NAME)]
BaselineText = Annotated[str, BeforeValidator(ParsedBy(_baseline, _BASELINE))]
DifferenceRange = Annotated[
    float | Literal["auto", "full"], BeforeValidator(ParsedBy(_difference_range, _DIFFERENCE))
]
# The colours of the displays, besides "auto" those of preview/colours.
ColourMap = Literal["auto", "grey", "inferno", "viridis", "diverging"]


class Section(BaseModel):
    """Base of all sections: frozen, typed strictly, and unknown keys are errors.

    The text below a field is its meaning in the reference, the type and the constraints say what it allows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
