"""Turn the validator's problems into sentences that name the key, the value and what is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from recorder.errors import did_you_mean


@dataclass(frozen=True)
class Kinds:
    """The sections of the settings, and the members of its two unions by their `kind`."""

    sections: Mapping[str, type[BaseModel]]
    cameras: Mapping[str, type[BaseModel]]
    faults: Mapping[str, type[BaseModel]]


def explain(problem: dict[str, Any], root: type[BaseModel], kinds: Kinds) -> str:  # noqa: PLR0912 - one case for each kind of problem
    """Turn one of pydantic's problems into "key = value: what is allowed"."""
    known = root
    keys: list[str] = []
    for part in problem["loc"]:
        # Between a section and its key pydantic names the member of the union it tried.
        if keys == ["camera"] and part in kinds.cameras:
            known = kinds.cameras[str(part)]
        elif part in kinds.faults and keys[:2] == ["camera", "faults"]:
            known = kinds.faults[str(part)]
        else:
            field = known.model_fields.get(str(part))
            if field is not None and isinstance(field.annotation, type):
                known = field.annotation if issubclass(field.annotation, BaseModel) else known
            keys.append(str(part))
    name = ".".join(keys)
    match problem["type"]:
        case "extra_forbidden":
            return f"{name}: {_unknown_key(name, keys[-1], known, kinds)}"
        case "missing" if isinstance(problem["loc"][-1], int):
            return f"{'.'.join(keys[:-1])}: {problem['loc'][-1]} values are too few"
        case "missing":
            return f"{name}: missing, and there is no default for it"
        case "union_tag_invalid":
            kind = problem["ctx"]["tag"]
            allowed = kinds.cameras if keys == ["camera"] else kinds.faults
            return f'{name}.kind = "{kind}": must be {_either(allowed)}{did_you_mean(kind, allowed)}'
        case "union_tag_not_found":
            return f"{name}.kind: missing; must be {_either(kinds.faults)}"
        case "value_error":
            reason = str(problem["ctx"]["error"])
        case "string_pattern_mismatch":
            reason = "must be made of letters, digits, dots, dashes and underscores"
            if name == "recording.output":
                reason = "must be the name of a folder or file in plain text"
            elif name == "analysis.function":
                reason = "must be module:name, for example my_analysis:mean_of_eye"
        case "model_type" | "model_attributes_type":
            reason = f"must be a section with keys of its own, written [{name}] in TOML"
        case "tuple_type":
            reason = "must be a list, written in square brackets"
        case "literal_error":
            reason = "must be " + problem["ctx"]["expected"]
            reason += did_you_mean(str(problem["input"]), problem["ctx"]["expected"].split("'"))
        case _:
            reason = (
                problem["msg"]
                .replace("Input should be", "must be")
                .replace("a valid", "a")
                .replace("a integer", "an integer")
            )
    value = problem["input"]
    shown = (
        f'"{value}"' if isinstance(value, str) else str(value).lower() if value in (True, False) else value
    )
    return f"{name} = {shown}: {reason}"


def _unknown_key(name: str, key: str, known: type[BaseModel], kinds: Kinds) -> str:
    """Say which keys there are; look in the other sections too for the nearest."""
    others = [
        kind for kind, camera in kinds.cameras.items() if camera is not known and key in camera.model_fields
    ]
    if name.startswith("camera.") and others:
        return f"only cameras of kind {' and '.join(others)} have it; here: {', '.join(known.model_fields)}"
    everywhere = {
        f"{section}.{field}": field
        for section, model in kinds.sections.items()
        for field in model.model_fields
    }
    here = name.rpartition(".")[0]
    everywhere |= {f"{here}.{field}" if here else field: field for field in known.model_fields}
    moved = next((full for full, field in everywhere.items() if field == key), None)
    near = f"; did you mean {moved}?" if moved else did_you_mean(name, everywhere)
    return f"unknown key{near}" if near else f"unknown key; known here: {', '.join(known.model_fields)}"


def _either(words: Mapping[str, Any]) -> str:
    return " or ".join(f'"{word}"' for word in words)
