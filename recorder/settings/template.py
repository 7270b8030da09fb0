"""A configuration to begin with, written from the reference: TOML with every key and what it means."""

import textwrap
from collections.abc import Iterator

from recorder.errors import UsageError, did_you_mean
from recorder.settings.cameras import CAMERAS
from recorder.settings.reference import KeyReference, TableReference, tables

_WIDTH = 100

_HEAD = """\
A configuration of recorder, for a camera of kind "{kind}". Lines that begin with "#" and a key are switched
off: they show the default, or of a key that is omitted by default an example. Remove the "#" to change one.
Times and sizes have units: "5ms", "512MB".
"""


def template(kind: str) -> str:
    """Return TOML with all keys for a camera of this kind, that `load` accepts; raises UsageError."""
    if kind not in CAMERAS:
        raise UsageError(f"--template {kind}: must be {' or '.join(CAMERAS)}{did_you_mean(kind, CAMERAS)}")
    lines = [*_comment(_HEAD.format(kind=kind))]
    for table in tables():
        if not table.cameras or kind in table.cameras:
            lines += ["", *_table(table)]
    return "\n".join([*lines, ""])


def _table(table: TableReference) -> Iterator[str]:
    """Yield the lines of a table; one that may be repeated is switched off as a whole."""
    off = "#" if table.repeated else ""
    yield f"{off}{table.header}"
    yield from _comment(table.meaning)
    inside = {other.name for other in tables() if other.repeated}
    for key in table.keys:
        if key.key not in inside:
            yield ""
            yield from _comment(key.meaning)
            yield from _comment(_allowed(key))
            is_on = (key.required or key.name == "kind") and not off
            # The kind is that of this template, whatever the default.
            value = key.example if is_on else key.default or key.example
            yield f"{'' if is_on else '#'}{key.name} = {value}"


def _allowed(key: KeyReference) -> str:
    if key.required:
        return f"{key.values}; has to be given"
    return key.values if key.default else f"{key.values}; omitted by default"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), _WIDTH - 2, break_on_hyphens=False):
        yield f"# {line}"
