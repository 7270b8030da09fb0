"""Lines for the cameras of a rig: for all of them, or, as in `left: exposure 5ms`, for one."""

import re
from collections.abc import Sequence

from recorder.control.completion import complete, inner_words
from recorder.control.registry import Command, find_by_words, joined, parse, split, unaliased
from recorder.errors import UsageError, did_you_mean

_FOR_ONE = re.compile(r"\s*([A-Za-z][\w-]*)\s*:\s*(.*)", re.DOTALL)

# Their argument is the name of a file: each camera's is called after the camera, too.
_NAMES_FILE = {"save new", "snapshot"}


def target_of(line: str, names: Sequence[str]) -> tuple[str, str]:
    """Return the camera that a line is for ("" for all), and what it is to do.

    Raises UsageError for a camera that there is not.
    """
    match = _FOR_ONE.fullmatch(line)
    if match is None:
        return "", line
    name, rest = match.groups()
    if name not in names:
        near = did_you_mean(name, names) or f"; there are {', '.join(names)}"
        raise UsageError(f"{name}: no such camera{near}")
    return name, rest


def command_of(line: str, names: Sequence[str]) -> tuple[str, Command, str] | None:
    """Return camera ("" for all), command, and the line without the camera; None for an empty line.

    Raises UsageError for a line that is wrong.
    """
    name, rest = target_of(line, names)
    parsed = parse(rest)
    return (name, parsed.command, rest) if parsed else None


def for_camera(line: str, name: str) -> str:
    """Return a line for all cameras as the camera `name` gets it: of a file to be made, its own name."""
    words = split(line)
    inner = inner_words(words)
    found = find_by_words(inner)
    if found is None or found.name not in _NAMES_FILE:
        return line
    length = len(found.name.split())
    if len(inner) <= length:
        return line
    own = [*inner[:length], _called_after(inner[length], name), *inner[length + 1 :]]
    before = unaliased(words)[: len(words) - len(inner)]
    return joined([*before, *own])


def _called_after(file: str, camera: str) -> str:
    """Return eye_left.tif of eye.tif and left."""
    stem, dot, suffix = file.rpartition(".")
    return f"{stem}_{camera}.{suffix}" if dot and stem else f"{file}_{camera}"


def complete_line(before: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the words that may follow the text `before`, each with its meaning; cameras, then commands."""
    match = _FOR_ONE.fullmatch(before)
    if match is not None:
        return list(complete(match[2])) if match[1] in names else []
    words = list(complete(before))
    if not before.split() or (len(before.split()) == 1 and not before[-1].isspace()):
        begun = before.strip()
        words = [(f"{name}:", f"for {name} alone") for name in names if name.startswith(begun)] + words
    return words
