"""The settings of a session for completion: each key with its meaning, what it allows, and what it is."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from recorder.control.status_text import value_with_unit
from recorder.session.session import Session
from recorder.settings.cameras import CAMERAS
from recorder.settings.model import SECTIONS
from recorder.settings.reference import describe


def keys_of(session: Session) -> Iterator[tuple[str, str]]:
    """Yield the keys that this session's kind of camera has, each with what is known of it."""
    kind = session.settings.camera.kind
    for section, model in (SECTIONS | {"camera": CAMERAS[kind]}).items():
        for name in model.model_fields:
            # A password is not shown, and what kind of camera it is cannot be set alone.
            if name not in {"token", "kind"}:
                key = f"{section}.{name}"
                # What a narrow terminal cuts off comes last.
                known = describe(key, kind)
                parts = [
                    f"now {value_with_unit(session, key) or 'empty'}",
                    known.values,
                    known.meaning.rstrip("."),
                ]
                yield key, "; ".join(part for part in parts if part)


def choices(key: str, kind: str) -> list[str]:
    """Return the words that a key may be set to, none where it takes something else too."""
    annotation = _field(key, kind).annotation
    if annotation is bool:
        return ["true", "false"]
    return [str(word) for word in get_args(annotation)] if get_origin(annotation) is Literal else []


def _field(key: str, kind: str) -> Any:  # noqa: ANN401 - a FieldInfo of pydantic
    section, _, name = key.partition(".")
    model = CAMERAS[kind] if section == "camera" else SECTIONS[section]
    return model.model_fields[name]
