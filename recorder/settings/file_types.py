"""Types of values about what goes into which file: parts, captures, channels.

As those of `field_types`: each parses what people write, and writes it back as text.
"""

import contextlib
import math
import re
from typing import Annotated, Literal

from pydantic import BeforeValidator

from recorder.settings.field_types import REGION_NAME, ParsedBy, checked_bytes, checked_seconds
from recorder.units import format_bytes, format_seconds, parse_seconds

# What these allow, in words: "must be ...".
_SPLIT = 'a size ("10GB", from 1 MB on), a time ("10min", from 1 s on), or a number of frames'
_CHANNELS = 'the names of 2 to 8 kinds of light in their turn, such as ["blue", "violet"]'
_EXTENT = 'a time ("2s", from 1ms to 1h), or a number of frames'
_CONDITION = "NAME > NUMBER or NAME < NUMBER, for example mean > 1200"

_SPLIT_S = (1, 7 * 86400)
_SPLIT_BYTES = (10**6, 2**60)
_EXTENT_S = (1e-3, 3600)
_CONDITION_PARTS = re.compile(r"\s*([\w-][\w.-]*)\s*([<>])\s*(\S+)\s*")


def split_limit(value: int | str) -> tuple[float, Literal["frames", "bytes", "s"]]:
    """Return how long files get that are split at "10GB", "10min" or a number of frames."""
    if isinstance(value, int):
        return value, "frames"
    try:
        return checked_seconds(*_SPLIT_S, value), "s"
    except ValueError:
        return checked_bytes(*_SPLIT_BYTES, value), "bytes"


def _split(value: object) -> int | str:
    if type(value) is int and value > 0:
        return value
    with contextlib.suppress(ValueError):
        return format_seconds(checked_seconds(*_SPLIT_S, value))
    with contextlib.suppress(ValueError):
        return format_bytes(checked_bytes(*_SPLIT_BYTES, value))
    raise ValueError(f"must be {_SPLIT}")


def split_extent(value: int | str) -> tuple[float, Literal["frames", "s"]]:
    """Return how long something lasts that is given as "2s", or as a number of frames."""
    return (value, "frames") if isinstance(value, int) else (parse_seconds(value), "s")


def _extent(value: object) -> int | str:
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str):
        return format_seconds(checked_seconds(*_EXTENT_S, value))
    raise ValueError(f"must be {_EXTENT}")


def split_condition(text: str) -> tuple[str, Literal["<", ">"], float]:
    """Return name, sign and number of a condition such as "mean > 1200"; raises ValueError."""
    parts = _CONDITION_PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"must be {_CONDITION}")
    name, sign, number = parts.groups()
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise ValueError(f"{number} is no number; write {_CONDITION}")
    return name, ">" if sign == ">" else "<", limit


def _condition(value: object) -> str:
    name, sign, limit = split_condition(str(value))
    return f"{name} {sign} {limit:.12g}"


def _channels(value: object) -> list[str]:
    if value == []:
        return []
    names = [name for name in value if isinstance(name, str)] if isinstance(value, list | tuple) else []
    is_whole = isinstance(value, list | tuple) and len(names) == len(value) == len(set(names))
    # "all" is what shows every channel.
    if is_whole and 2 <= len(names) <= 8 and all(re.match(REGION_NAME, n) and n != "all" for n in names):
        return names
    raise ValueError(f"must be {_CHANNELS}, each once, of letters, digits, dots, dashes and underscores")


# Empty: frames are all of one kind.
ChannelNames = Annotated[list[str], BeforeValidator(ParsedBy(_channels, _CHANNELS))]
SplitText = Annotated[int | str, BeforeValidator(ParsedBy(_split, _SPLIT))]
# So many frames, or a time, before a trigger and after it.
Extent = Annotated[int | str, BeforeValidator(ParsedBy(_extent, _EXTENT))]
ConditionText = Annotated[str, BeforeValidator(ParsedBy(_condition, _CONDITION))]
