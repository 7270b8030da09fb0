"""Complete a line that is being typed: its commands, what they take, and what this session has of it."""

from collections.abc import Iterator

from recorder.control.key_help import choices, keys_of
from recorder.control.registry import (
    CHANNEL,
    COMMAND,
    COMMANDS,
    COUNTER_WORDS,
    LABEL,
    REGION,
    REGION_NAME,
    SETTING,
    Command,
    Parameter,
    find_by_words,
    unaliased,
)
from recorder.control.status_text import value_text
from recorder.errors import UsageError
from recorder.session.session import Session
from recorder.units import SECONDS


def complete(before: str, session: Session | None = None) -> Iterator[tuple[str, str]]:
    """Yield the words that may follow the text `before` or complete its last one, each with its meaning.

    With a `session`, earlier labels and the keys of its camera are among them.
    """
    words = before.split()
    begun = words.pop() if before and not before[-1].isspace() else ""
    words = inner_words(words)
    found = find_by_words(words)
    if found is not None and found.parameters and found.parameters[0].argument.what == COMMAND:
        # Names of commands, and nothing of what these take.
        words, found = words[1:], None
    seen: set[str] = set()
    # What a command itself takes comes before the commands that begin with its name.
    if found is not None:
        for word, meaning in _arguments(found, words, session):
            if word.startswith(begun) and word not in seen:
                seen.add(word)
                yield word, meaning
    for word, meaning in _names(words, session):
        if word.startswith(begun) and word not in seen:
            seen.add(word)
            yield word, meaning


def _names(words: list[str], session: Session | None) -> Iterator[tuple[str, str]]:
    """Yield the next words of the commands whose names begin with `words`."""
    position = len(words)
    for name, known in COMMANDS.items():
        parts = name.split()
        if position < len(parts) and words == parts[:position] and _has_any(known, session):
            summary = known.summary.splitlines()[0]
            yield parts[position], summary if position == len(parts) - 1 else f"{name} ..."


def _has_any(known: Command, session: Session | None) -> bool:
    """Return whether there is anything that the command could be about."""
    is_about_region = bool(known.parameters) and known.parameters[0].argument.what == REGION
    return not is_about_region or session is None or bool(session.preview.regions)


def inner_words(words: list[str]) -> list[str]:
    """Return the words of the line that is to be carried out later, where these begin with its moment."""
    words = unaliased(words)
    while words and words[0] in {"at", "in", "every"} and words[1:2] not in (["list"], ["cancel"]):
        length = 3 if " ".join(words[1:2]) in COUNTER_WORDS or (words[2:3] and words[2] in SECONDS) else 2
        if len(words) < length:
            break
        words = unaliased(words[length:])
    return words


def _arguments(found: Command, words: list[str], session: Session | None) -> Iterator[tuple[str, str]]:
    """Yield the words that a command may take next, each with its meaning."""
    at = len(words) - len(found.name.split())
    if not 0 <= at < len(found.parameters):
        return
    argument = found.parameters[at].argument
    if session is not None and argument.what == LABEL:
        yield from _labels(session)
    elif session is not None and argument.what == SETTING:
        yield from keys_of(session)
    elif session is not None and argument.what in {REGION, REGION_NAME}:
        for name, (x0, y0, x1, y1) in session.preview.regions.items():
            yield name, f"{x1 - x0} x {y1 - y0} pixels from {x0}, {y0}"
        if argument.what == REGION:
            yield "all", "show none of them"
    elif session is not None and argument.what == CHANNEL:
        yield from ((name, "show this one only") for name in session.settings.recording.channels)
        yield "all", "show all of them"
    elif session is not None and _is_value(found, at):
        yield from _values(session, words[-1])
    else:
        yield from ((word, meaning or argument.what) for word, meaning in argument.words.items())


def _is_value(found: Command, at: int) -> bool:
    before: Parameter | None = found.parameters[at - 1] if at else None
    return before is not None and before.argument.what == SETTING


def _labels(session: Session) -> Iterator[tuple[str, str]]:
    """Yield the labels of earlier marks, the newest first."""
    labels = dict.fromkeys(placed.mark.label for placed in reversed(session.marks.placed))
    for label in labels:
        yield f'"{label}"' if " " in label else label, "an earlier label"


def _values(session: Session, key: str) -> Iterator[tuple[str, str]]:
    """Yield what a key may be set to, and what it is now."""
    try:
        now = value_text(session, key)
    except UsageError:
        return
    yield now, "as it is now"
    for word in choices(key, session.settings.camera.kind):
        if word != now:
            yield word, ""
