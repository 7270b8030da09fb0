"""Turn pydantic's validation errors into sentences that name the key, the value and what is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from recorder.errors import did_you_mean
from recorder.settings.field_types import PATTERNS

# Characters of a wrong value, or of its name, that are shown.
MAX_SHOWN = 100


@dataclass(frozen=True)
class SettingsModels:
    """The models of all sections by name, and those of the two unions by their `kind`."""

    sections: Mapping[str, type[BaseModel]]
    cameras: Mapping[str, type[BaseModel]]
    faults: Mapping[str, type[BaseModel]]


def explain(error: dict[str, Any], root: type[BaseModel], models: SettingsModels) -> str:  # noqa: C901, PLR0912 - one case for each type of error
    """Return one of pydantic's validation errors of the model `root` as "key = value: what is allowed"."""
    known = root
    keys: list[str] = []
    for part in error["loc"]:
        # Between a section and its key pydantic names the member of the union it tried.
        if keys == ["camera"] and part in models.cameras:
            known = models.cameras[str(part)]
        elif part in models.faults and keys[:2] == ["camera", "faults"]:
            known = models.faults[str(part)]
        else:
            field = known.model_fields.get(str(part))
            # Of a list of sections, that of each.
            for kind in () if field is None else (field.annotation, *get_args(field.annotation)):
                known = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else known
            keys.append(str(part))
    name = ".".join(keys)[:MAX_SHOWN]
    match error["type"]:
        case "extra_forbidden":
            return f"{name}: {_unknown_key(name, keys[-1], known, models)}"
        case "missing" if isinstance(error["loc"][-1], int):
            return f"{'.'.join(keys[:-1])}: {error['loc'][-1]} values are too few"
        case "missing":
            return f"{name}: missing, and there is no default for it"
        case "union_tag_invalid":
            kind = error["ctx"]["tag"]
            allowed = models.cameras if keys == ["camera"] else models.faults
            return f'{name}.kind = "{kind}": must be {_either(allowed)}{did_you_mean(kind, allowed)}'
        case "union_tag_not_found":
            return f"{name}.kind: missing; must be {_either(models.faults)}"
        case "value_error":
            reason = str(error["ctx"]["error"])
        case "string_pattern_mismatch":
            reason = f"must be {PATTERNS[error['ctx']['pattern']]}"
        case "model_type" | "model_attributes_type":
            reason = f"must be a section with keys of its own, written [{name}] in TOML"
        case "tuple_type":
            reason = "must be a list, written in square brackets"
        case "literal_error":
            reason = "must be " + error["ctx"]["expected"]
            reason += did_you_mean(str(error["input"]), error["ctx"]["expected"].split("'"))
        case _:
            reason = (
                error["msg"]
                .replace("Input should be", "must be")
                .replace("a valid", "a")
                .replace("a integer", "an integer")
            )
    return f"{name} = {_shown(error['input'])}: {reason}"


def _shown(value: object) -> str:
    """Return a value as people write it, the beginning of a long one."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _unknown_key(name: str, key: str, known: type[BaseModel], models: SettingsModels) -> str:
    """Return which keys exist, or the nearest one, which may be in another section."""
    others = [
        kind for kind, camera in models.cameras.items() if camera is not known and key in camera.model_fields
    ]
    if name.startswith("camera.") and others:
        return f"only cameras of kind {' and '.join(others)} have it; here: {', '.join(known.model_fields)}"
    everywhere = {
        f"{section}.{field}": field
        for section, model in models.sections.items()
        for field in model.model_fields
    }
    here = name.rpartition(".")[0]
    everywhere |= {f"{here}.{field}" if here else field: field for field in known.model_fields}
    moved = next((full for full, field in everywhere.items() if field == key), None)
    near = f"; did you mean {moved}?" if moved else did_you_mean(name, everywhere)
    return f"unknown key{near}" if near else f"unknown key; known here: {', '.join(known.model_fields)}"


def _either(words: Mapping[str, Any]) -> str:
    return " or ".join(f'"{word}"' for word in words)
