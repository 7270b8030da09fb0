"""The reference of all settings, from the settings themselves: meaning, unit, what is allowed, default.

Everything is read from the models: the text below a field, its type, its constraints. A key of the camera
may exist for several kinds of it, and mean something else for each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, BeforeValidator, PlainSerializer
from pydantic.fields import FieldInfo

from recorder.errors import UsageError, did_you_mean
from recorder.settings.cameras import CAMERAS, FAULTS, Flash
from recorder.settings.field_types import PATTERNS, ParsedBy, Unit
from recorder.settings.model import SECTIONS
from recorder.settings.pco_camera import LineSettings

# What the values of simple types are called.
_TYPES = {int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class KeyReference:
    """What is known of a key, such as "camera.exposure"; "" where there is nothing to say.

    `default` and `example` are TOML; without a default the key is omitted, or (`required`) has to be given.
    """

    key: str
    meaning: str
    unit: str
    allowed: str
    default: str
    example: str
    required: bool

    @property
    def name(self) -> str:
        """Return the last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def values(self) -> str:
        """Return unit and range in one, for example "pixels: 16 to 8192"."""
        return f"{self.unit}: {self.allowed}" if self.unit else self.allowed


@dataclass(frozen=True)
class TableReference:
    """A table of the configuration, as it is written in TOML: [pool], or [[camera.lines]].

    `kind` is that of the camera or of the fault ("" elsewhere), `cameras` the kinds of camera that have it
    (none: it is no part of a camera).
    """

    name: str
    kind: str
    cameras: tuple[str, ...]
    repeated: bool
    meaning: str
    keys: tuple[KeyReference, ...]

    @property
    def header(self) -> str:
        """Return how the table begins in TOML."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]"


@cache
def tables() -> tuple[TableReference, ...]:
    """Return all tables in the order of the configuration; those inside a camera follow it."""
    return tuple(_tables())


def _tables() -> Iterator[TableReference]:
    for section, model in SECTIONS.items():
        if section != "camera":
            yield _table(section, model)
            continue
        for kind, camera in CAMERAS.items():
            yield _table(section, camera, kind, (kind,))
            if "faults" in camera.model_fields:
                for fault, fault_model in FAULTS.items():
                    yield _table("camera.faults", fault_model, fault, (kind,), repeated=True)
            if "events" in camera.model_fields:
                yield _table("camera.events", Flash, "", (kind,), repeated=True)
            if "lines" in camera.model_fields:
                yield _table("camera.lines", LineSettings, "", (kind,), repeated=True)


def describe(key: str, camera: str | None = None) -> KeyReference:
    """Return what is known of a key; of a camera's one as cameras of kind `camera` have it (None: the first).

    Raises UsageError for a key that does not exist, or that such a camera does not have.
    """
    for table in tables():
        if camera is None or not table.cameras or camera in table.cameras:
            for one in table.keys:
                if one.key == key:
                    return one
    known = [one.key for table in tables() for one in table.keys]
    if key in known:
        raise UsageError(f"{key}: cameras of kind {camera} do not have it")
    raise UsageError(f"{key}: no such key{_near(key, known)}")


def find(key: str) -> tuple[TableReference, ...]:
    """Return the tables that a key, or the beginning of keys such as "camera.lines", is about.

    They have those keys only. Raises UsageError, which names the nearest one, for what is neither.
    """
    found = []
    for table in tables():
        inside = table.name == key or table.name.startswith(f"{key}.")
        keys = tuple(one for one in table.keys if inside or one.key == key)
        if keys:
            found.append(TableReference(**(vars(table) | {"keys": keys})))
    if not found:
        known = [one.key for table in tables() for one in table.keys]
        known += [table.name for table in tables()]
        raise UsageError(f"{key}: no such key{_near(key, known)}")
    return tuple(found)


def _near(key: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest key; the last part alone may be meant too."""
    names = list(dict.fromkeys(known))
    moved = next((full for full in names if full.rpartition(".")[2] == key), None)
    return f"; did you mean {moved}?" if moved else did_you_mean(key, names)


def _table(
    name: str,
    model: type[BaseModel],
    kind: str = "",
    cameras: tuple[str, ...] = (),
    *,
    repeated: bool = False,
) -> TableReference:
    fields = model.model_fields.items()
    keys = [_key(f"{name}.{key}", field) for key, field in fields if key != "kind"]
    if kind:
        keys.insert(0, _key_of_kind(name, kind))
    return TableReference(name, kind, cameras, repeated, _one_line(model.__doc__), tuple(keys))


def _key_of_kind(table: str, kind: str) -> KeyReference:
    if table == "camera":
        allowed, default = _either(map(_toml, CAMERAS)), _toml("simulated")
        return KeyReference("camera.kind", "Which camera.", "", allowed, default, _toml(kind), required=False)
    allowed = _either(map(_toml, FAULTS))
    return KeyReference(f"{table}.kind", "What goes wrong.", "", allowed, "", _toml(kind), required=True)


def _key(key: str, field: FieldInfo) -> KeyReference:
    default = "" if field.is_required() else _toml(_written(field))
    word = next(_words(field.annotation), None)
    return KeyReference(
        key=key,
        meaning=_one_line(field.description),
        unit=next((one.name for one in _metadata(field, Unit)), ""),
        allowed=_allowed(field),
        default=default,
        example=_toml(field.examples[0]) if field.examples else default or _toml(word),
        required=field.is_required(),
    )


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _written(field: FieldInfo) -> object:
    """Return the default as it is written in the configuration, None where the key is omitted."""
    value = field.get_default(call_default_factory=True)
    for writer in _metadata(field, PlainSerializer):
        value = value if value is None else writer.func(value)
    return value


def _toml(value: object) -> str:
    """Return a value as TOML, "" for None."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()


def _metadata(field: FieldInfo, kind: type[Any]) -> Iterator[Any]:
    """Yield what stands beside the types of a field, and is of this kind."""
    yield from (one for one in field.metadata if isinstance(one, kind))
    yield from (one for one in _beside(field.annotation) if isinstance(one, kind))


def _beside(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - a type hint may be anything
    if get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
    if get_origin(hint) in {Annotated, Union, UnionType}:
        for part in get_args(hint):
            yield from _beside(part)


def _words(hint: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield the words, or numbers, that a type consists of."""
    if hint is bool:
        yield from (True, False)
    elif get_origin(hint) is Literal:
        yield from get_args(hint)
    elif get_origin(hint) in {Annotated, Union, UnionType}:
        for part in get_args(hint):
            yield from _words(part)


def _allowed(field: FieldInfo) -> str:
    """Return in words what a key may be."""
    for parser in _metadata(field, BeforeValidator):
        if isinstance(parser.func, ParsedBy):
            return parser.func.allowed
    limits = "" if get_origin(field.annotation) is dict else _limits(field)
    others = [limits or _named(part) for part in _parts(field.annotation)]
    return _either([*map(_toml, _words(field.annotation)), *others])


def _parts(hint: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield the types that a type consists of, without None and without words."""
    if get_origin(hint) is Annotated:
        yield from _parts(get_args(hint)[0])
    elif get_origin(hint) in {Union, UnionType}:
        for part in get_args(hint):
            yield from _parts(part)
    elif hint not in {NoneType, bool} and get_origin(hint) is not Literal:
        yield hint


def _named(part: Any) -> str:  # noqa: ANN401
    inner = get_args(part)
    if get_origin(part) is tuple and Ellipsis in inner:
        return "any number of tables, each with a head of its own"
    if get_origin(part) is tuple:
        whole = "whole " * (inner[0] is int)
        return f"{len(inner)} {whole}numbers in square brackets"
    if get_origin(part) is dict:
        return "a table with keys of your own"
    return _TYPES[part]


def _limits(field: FieldInfo) -> str:
    """Return the limits of a number, or what a text is made of; "" where there are none."""
    found: dict[str, Any] = {}
    for constraint in field.metadata:
        for name in ("ge", "gt", "le", "lt", "pattern", "min_length", "max_length"):
            value = getattr(constraint, name, None)
            if value is not None:
                found[name] = value
    if "pattern" in found or "max_length" in found:
        text = PATTERNS.get(found.get("pattern", ""), "a text")
        longest = f", at most {found['max_length']} characters" if "max_length" in found else ""
        return text + longest
    high = found.get("le", found["lt"] - 1 if "lt" in found else None)
    if "gt" in found:
        return f"more than {found['gt']}"
    if "ge" in found:
        return f"{found['ge']} or more" if high is None else f"{found['ge']} to {high}"
    return ""
