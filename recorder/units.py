"""Quantities as people write them: "5ms", "512MB", "100/s". Plain functions, for any thread."""

import math
import re
from collections.abc import Mapping

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
METRES = {"nm": 1e-9, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "mm": 1e-3}
BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
PER_SECOND = {"/s": 1.0, "Hz": 1.0, "kHz": 1e3, "fps": 1.0}

_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s].*?)?\s*")


def _split(text: str, units: Mapping[str, float], what: str, example: str) -> tuple[float, float]:
    """Return number and factor of `text`; the ValueError it raises shows how to write it."""
    known = ", ".join(unit for unit in units if unit.isascii())
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise ValueError(f"not {what}; write a number and a unit ({known}), for example {example}")
    number, unit = match.groups()
    if unit is None:
        raise ValueError(f"{what} needs a unit ({known}), for example {example}")
    if unit not in units:
        raise ValueError(f"unknown unit {unit!r}; {what} takes {known}, for example {example}")
    if not math.isfinite(float(number) * units[unit]):
        raise ValueError(f"too large a number; {what} looks like {example} and has a unit ({known})")
    return float(number), units[unit]


def parse_seconds(text: str) -> float:
    """Return a time such as "200us", "5ms", "2s" or "1min" in seconds.

    Raises ValueError for a number without a unit, an unknown unit, and text that is no time.
    """
    number, factor = _split(text, SECONDS, "a time", '"5ms"')
    # Dividing by a whole number keeps "5ms" equal to 0.005, which multiplying by 1e-3 does not always do.
    return number * factor if factor >= 1 else number / round(1 / factor)


def parse_metres(text: str) -> float:
    """Return a length such as "650nm" or "6.5um" in metres; raises ValueError as `parse_seconds` does."""
    number, factor = _split(text, METRES, "a length", '"6.5um"')
    return number / round(1 / factor)


def parse_bytes(text: str) -> int:
    """Return a size such as "512MB" or "8MiB" in bytes, rounded to a whole number.

    Raises ValueError for a number without a unit, an unknown unit, and text that is no size.
    """
    number, factor = _split(text, BYTES, "a size", '"512MB"')
    return round(number * factor)


def parse_rate(text: str) -> float:
    """Return a rate such as "100/s", "5kHz" or "100" in frames/s; "max" is inf.

    Raises ValueError for an unknown unit, and for text that is no rate. The number itself is not checked.
    """
    if text.strip() == "max":
        return math.inf
    try:
        return float(text)
    except ValueError:
        number, factor = _split(text, PER_SECOND, "a frame rate", '100 or "max"')
        return number * factor


def format_seconds(seconds: float) -> str:
    """Return a finite time in s as text, from which `parse_seconds` gives exactly the same float back."""
    if seconds == 0:
        return "0s"
    for unit in ("h", "min", "s", "ms", "us", "ns"):
        text = f"{seconds / SECONDS[unit]:.12g}{unit}"
        if seconds >= SECONDS[unit] and parse_seconds(text) == seconds and "e" not in text:
            return text
    return f"{seconds!r}s"


def seconds_text(seconds: float, digits: int = 4) -> str:
    """Return a measured time to so many digits, in the unit that fits."""
    size = abs(seconds)
    if size >= 60:
        minutes = round(size)
        parts = [(minutes // 3600, "h"), (minutes // 60 % 60, "min"), (minutes % 60, "s")]
        return " ".join(f"{number} {unit}" for number, unit in parts if number)
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if size >= factor:
            return f"{seconds / factor:.{digits}g} {unit}"
    return "0 s" if size < 1e-9 else f"{seconds * 1e9:.3g} ns"


def format_duration(seconds: float) -> str:
    """Return a time in hours, minutes or seconds, whichever fits it; "-" for an infinite one."""
    if math.isinf(seconds):
        return "-"
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def format_metres(metres: float) -> str:
    """Return a length of 1 nm or more as text: 650nm, 6.5um; as far as 12 digits go, the same read back."""
    unit = next((unit for unit in ("mm", "um") if metres >= METRES[unit]), "nm")
    return f"{metres * round(1 / METRES[unit]):.12g}{unit}"


def format_bytes(size: int) -> str:
    """Return a size in bytes as text, from which `parse_bytes` gives exactly the same number back."""
    for unit in ("GB", "MB", "kB", "GiB", "MiB", "KiB"):
        if size and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


def format_percent(part: int, whole: int) -> str:
    """Return a share of a count in percent, rounded up: anything that is more than nothing shows."""
    return f"{math.ceil(100 * part / whole)} %"
