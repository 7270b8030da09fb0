"""Types of values in the configuration: each parses what people write, and writes it back as text.

Times are in s, sizes in bytes, rates in frames/s (inf: "max") once parsed.
"""

import math
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints

from recorder.settings.address import split
from recorder.units import format_bytes, format_seconds, parse_bytes, parse_rate, parse_seconds

MAX_PIXEL = 65535

SHORTEST_BASELINE_S, LONGEST_BASELINE_S = 0.05, 600.0


def _seconds(low: float, high: float, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('a time needs a unit (ns, us, ms, s, min, h), for example "5ms"')
    if not isinstance(value, str):
        raise ValueError('not a time; write a text such as "5ms"')
    seconds = parse_seconds(value)
    if not low <= seconds <= high:
        raise ValueError(f"must be between {format_seconds(low)} and {format_seconds(high)}")
    return seconds


def _bytes(low: int, high: int, value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('a size needs a unit (B, kB, MB, GB, KiB, MiB, GiB), for example "512MB"')
    size = parse_bytes(value)
    if not low <= size <= high:
        raise ValueError(f"must be between {format_bytes(low)} and {format_bytes(high)}")
    return size


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('not a frame rate; write frames per second, for example 100, or "max"')
    try:
        rate = parse_rate(value) if isinstance(value, str) else float(value)
    except OverflowError:
        rate = -1.0
    if not (0.001 <= rate <= 1e6 or rate == math.inf):
        raise ValueError('must be between 0.001 and 1000000 frames/s, or "max"')
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
    raise ValueError('must be "auto", "full", or [LOW, HIGH] from 0 to 65535, the lower first')


def _fan(value: object) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if type(value) is int and 0 <= value <= 100:
        return value
    raise ValueError('must be "auto", or a speed from 0 to 100 percent')


def _switch(value: object) -> bool | Literal["auto"]:
    if value is True or value is False:
        return value
    if value == "auto":
        return "auto"
    raise ValueError('must be true, false or "auto"')


def _sync_period(value: object) -> float:
    return math.inf if value == "never" else _seconds(0.1, 3600, value)


def split_baseline(text: str) -> tuple[float, bool]:
    """Return the seconds of a baseline such as "2s" or "running 10s", and whether it is a running one."""
    words = text.split()
    running = words[:1] == ["running"]
    return _seconds(SHORTEST_BASELINE_S, LONGEST_BASELINE_S, " ".join(words[running:])), running


def _baseline(value: object) -> str:
    seconds, running = split_baseline(str(value))
    return f"{'running ' * running}{format_seconds(seconds)}"


def _region_box(value: object) -> tuple[int, int, int, int]:
    if isinstance(value, list | tuple) and len(value) == 4 and all(type(v) is int for v in value):
        x0, y0, x1, y1 = value
        if 0 <= x0 < x1 <= MAX_PIXEL and 0 <= y0 < y1 <= MAX_PIXEL:
            return x0, y0, x1, y1
    raise ValueError("must be [x0, y0, x1, y1], the first pixel and the one after the last, from 0")


def _difference_range(value: object) -> float | Literal["auto", "full"]:
    if value == "auto" or value == "full":  # noqa: PLR1714 - so that the type is known
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 65535:
        return float(value)
    raise ValueError('must be "auto", "full", or a number more than 0')


def _address(value: object) -> str:
    text = str(value)
    split(text)
    return text


def _write_sync_period(seconds: float) -> str:
    return "never" if seconds == math.inf else format_seconds(seconds)


def _write_rate(rate: float | str) -> float | str:
    return "max" if rate == math.inf else rate


_WriteSeconds = PlainSerializer(format_seconds)
_WriteBytes = PlainSerializer(format_bytes)
_WriteRate = PlainSerializer(_write_rate)

Exposure = Annotated[float, BeforeValidator(partial(_seconds, 1e-6, 60)), _WriteSeconds]
Delay = Annotated[float, BeforeValidator(partial(_seconds, 0, 60)), _WriteSeconds]
LineTime = Annotated[float, BeforeValidator(partial(_seconds, 1e-7, 1)), _WriteSeconds]
Duration = Annotated[float, BeforeValidator(partial(_seconds, 1e-3, 7 * 86400)), _WriteSeconds]
PoolSize = Annotated[int, BeforeValidator(partial(_bytes, 2 * 2**20, 2**40)), _WriteBytes]
Reserve = Annotated[int, BeforeValidator(partial(_bytes, 0, 2**40)), _WriteBytes]
SyncPeriod = Annotated[float, BeforeValidator(_sync_period), PlainSerializer(_write_sync_period)]
Rate = Annotated[float, BeforeValidator(_rate), _WriteRate]
PlaybackRate = Annotated[float | Literal["original"], BeforeValidator(_playback_rate), _WriteRate]
Fan = Annotated[int | Literal["auto"], BeforeValidator(_fan)]
Levels = Annotated[tuple[int, int] | Literal["auto", "full"], BeforeValidator(_levels)]
# Shown as they are, or against a baseline: differences in counts, or in percent of the baseline.
PreviewMode = Literal["raw", "difference", "dff"]
# x0, y0, x1, y1 on the sensor, counted from 0: the first pixel, and the one after the last.
RegionBox = Annotated[tuple[int, int, int, int], BeforeValidator(_region_box)]
RegionName = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,32}$")]
BaselineText = Annotated[str, BeforeValidator(_baseline)]
DifferenceRange = Annotated[float | Literal["auto", "full"], BeforeValidator(_difference_range)]
# The colours of the displays, besides "auto" those of preview/colours.
ColourMap = Literal["auto", "grey", "inferno", "viridis", "diverging"]
Address = Annotated[str, BeforeValidator(_address)]
Switch = Annotated[bool | Literal["auto"], BeforeValidator(_switch)]


class Section(BaseModel):
    """Base of all sections: frozen, typed strictly, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
