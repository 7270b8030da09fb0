"""How a film shows its frames; no encoder in it."""

from dataclasses import dataclass

from recorder.errors import UsageError, did_you_mean
from recorder.preview.colours import MAPS
from recorder.preview.levels import VALUES, Levels


@dataclass(frozen=True)
class Look:
    """How frames look in a film: `speed` 1 is as they were exposed, 0.1 ten times slower."""

    levels: Levels = "auto"
    colours: str = "grey"
    speed: float = 1.0
    has_text: bool = True


def parse_levels(text: str) -> Levels:
    """Return "auto", "full" or "LOW:HIGH" as levels; raises UsageError."""
    if text == "auto":
        return "auto"
    if text == "full":
        return "full"
    try:
        low, high = (int(word) for word in text.split(":"))
    except ValueError:
        low, high = 0, 0
    if not 0 <= low < high < VALUES:
        raise UsageError(f"--levels {text}: write auto, full, or LOW:HIGH, for example 100:1500")
    return low, high


def check_colours(name: str) -> str:
    """Return the name of a colour map; raises UsageError where there is none of it."""
    if name not in MAPS:
        raise UsageError(f"--colours {name}: write {', '.join(MAPS)}{did_you_mean(name, MAPS)}")
    return name


def parse_speed(text: str) -> float:
    """Return "0.1x" as a number; raises UsageError."""
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 1e-6 <= speed <= 1e6:
        raise UsageError(f"--speed {text}: write how many times as fast, for example 0.1x")
    return speed
