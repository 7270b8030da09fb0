import re
import tomllib
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from recorder.errors import UsageError
from recorder.settings.cameras import CAMERAS
from recorder.settings.model import Settings, keys, load, validate
from recorder.settings.reference import KeyReference, describe, find, tables
from recorder.settings.template import template


def accepted_keys() -> set[str]:
    """Return every key that the settings accept, as pydantic's own schema has them."""
    schema = Settings.model_json_schema()

    def inside(node: dict[str, Any], name: str) -> Iterator[str]:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        for part in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
            yield from inside(part, name)
        if "items" in node:
            yield from inside(node["items"], name)
        for key, value in node.get("properties", {}).items():
            full = f"{name}.{key}".removeprefix(".")
            yield full
            yield from inside(value, full)

    return {key for key in inside(schema, "") if "." in key}


def test_it_names_every_key_that_the_settings_accept_and_no_other() -> None:
    named = {key.key for table in tables() for key in table.keys}
    assert named == accepted_keys()
    assert set(keys()) <= named
    assert {"camera.lines.polarity", "camera.faults.count", "analysis.options", "preview.levels"} <= named


def all_keys() -> list[KeyReference]:
    return [key for table in tables() for key in table.keys]


def test_every_key_has_a_meaning_and_a_range() -> None:
    assert [key.key for key in all_keys() if not key.meaning or not key.allowed or not key.example] == []
    assert [table.name for table in tables() if not table.meaning] == []


@pytest.mark.parametrize(
    ("key", "camera", "values", "default"),
    [
        ("camera.exposure", "simulated", "time: 1us to 1min", '"5ms"'),
        ("camera.exposure", "pco", "time: 1us to 1min", '"10ms"'),
        ("camera.width", None, "pixels: 16 to 8192", "640"),
        ("camera.seed", None, "0 or more", "0"),
        ("camera.rate", "pco", 'frames/s: 0.001 to 1000000, or "max"', '"max"'),
        ("camera.loop", None, 'true, false or "auto"', '"auto"'),
        ("camera.conversion_factor", None, "electrons per count: more than 0", ""),
        ("camera.frames_after_event", None, "frames: 1 to 4294967295", ""),
        ("camera.kind", "pco", '"simulated", "playback" or "pco"', '"simulated"'),
        ("camera.faults.at", None, "counter: 1 or more", ""),
        ("camera.roi", None, "pixels: 4 whole numbers in square brackets", ""),
        ("pool.memory", "pco", "size: 2MiB to 1024GiB", '"512MB"'),
        ("storage.durable_every", None, 'time: 100ms to 1h, or "never"', '"1s"'),
        ("preview.rate", None, "pictures/s: 0.1 to 100", "15"),
        ("remote.listen", None, "HOST:PORT, for example 127.0.0.1:7625", ""),
        ("analysis.function", None, "module:name, for example my_analysis:mean_of_eye", ""),
    ],
)
def test_what_is_known_of_a_key(key: str, camera: str | None, values: str, default: str) -> None:
    found = describe(key, camera)
    assert (found.values, found.default) == (values, default)


def test_a_wrong_key_is_one_line_with_the_nearest() -> None:
    for wrong, near in (
        ("camera.exposre", "camera.exposure"),
        ("exposure", "camera.exposure"),
        ("camera.line", "camera.lines"),
        ("polarity", "camera.lines.polarity"),
        ("prevew", "preview"),
    ):
        with pytest.raises(UsageError, match=rf"^{wrong}: no such key; did you mean {near}\?$"):
            find(wrong)
    with pytest.raises(UsageError, match=r"^camera\.width: cameras of kind pco do not have it$"):
        describe("camera.width", "pco")


def test_a_section_and_a_table_are_found_too() -> None:
    assert [table.header for table in find("camera.lines")] == ["[camera]", "[[camera.lines]]"]
    assert {table.kind for table in find("camera.exposure")} == {"simulated", "pco"}
    assert len(find("camera")) == 10
    assert [key.name for key in find("pool")[0].keys] == ["memory"]


@pytest.mark.parametrize("kind", CAMERAS)
def test_a_template_is_a_configuration_as_it_is(kind: str, tmp_path: Any) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(template(kind), encoding="utf-8")
    settings = load(path)
    assert settings.camera.kind == kind
    given: dict[str, Any] = {"kind": kind}
    if kind == "playback":
        given["source"] = describe("camera.source").example.strip('"')
    assert settings == validate({"camera": given})


@pytest.mark.parametrize("kind", CAMERAS)
def test_every_line_of_a_template_may_be_switched_on(kind: str) -> None:
    """Alone, so that no other key stands in its way; a table that may be repeated as a whole."""
    lines = template(kind).splitlines()
    heads = [i for i, line in enumerate(lines) if re.match(r"#?\[", line)]
    for begin, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        if lines[begin].startswith("#"):
            validate(tomllib.loads(switched_on(lines, range(begin, end))))
            continue
        for i in range(begin, end):
            validate(tomllib.loads(switched_on(lines, [i])))


def switched_on(lines: list[str], which: Collection[int]) -> str:
    return "\n".join(re.sub(r"^#(?=\S)", "", line) if i in which else line for i, line in enumerate(lines))


def test_templates_exist_for_kinds_of_cameras_only() -> None:
    with pytest.raises(UsageError, match=r"^--template pcco: must be simulated or playback or pco; did you"):
        template("pcco")
