"""Journals and configurations as they should not be are refused in one line, soon."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.cli.options import load_settings
from recorder.control.journal import read_journal
from recorder.errors import RecorderError

DATA = Path(__file__).parents[2] / "data"
CONFIGS = Path(__file__).parents[3] / "configs"

# Each is read within a fraction of this.
LIMIT_S = 5.0


def spoiled(content: bytes, seed: int) -> bytes:
    """Return the content with bytes changed, left out, doubled, or cut off."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice([1, 2, 10])):
        at = chance.randrange(len(data)) if data else 0
        data += b" " if not data else b""
        match chance.randrange(5):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randrange(1, 40)]
            case 2:
                data[at:at] = data[at : at + chance.randrange(1, 40)]
            case 3:
                del data[at + 1 :]
            case _:
                data[at:at] = chance.choice(
                    [b"\x00", b"\xff", b'"', b"{", b"]", b"=", b"1e999", b"\r\n", b"\\u"]
                )
    return bytes(data)


def header(**changes: object) -> str:
    lines = (DATA / "layout2.commands.jsonl").read_text().splitlines()
    return "\n".join([json.dumps({**json.loads(lines[0]), **changes}), *lines[1:]]) + "\n"


JOURNALS: dict[str, str] = {
    "empty": "",
    "a list": "[]\n",
    "a number": "7\n",
    "deep": "[" * 100_000 + "\n",
    "deep in a line": header() + '{"seq": ' + "[" * 100_000 + "\n",
    "digits": header() + '{"seq": ' + "9" * 5000 + "}\n",
    "digits in the configuration": header(configuration={"camera": {"width": 10**4000}}),
    "keys": header(configuration={f"key{i}": i for i in range(300_000)}),
    "no configuration": header(configuration=None),
    "a text": header(configuration="camera"),
    "a field more": header() + '{"seq": 1, "surprise": 2}\n',
    "wrong types": header() + '{"seq": "a", "time": [], "elapsed_s": {}}\n',
    "an end": header() + '{"end_of_run": [], "last_number": 3}\n',
}

CONFIGURATIONS: dict[str, str] = {
    "deep": "a = " + "[" * 100_000,
    "deep tables": "[" + ".".join(["a"] * 20_000) + "]\n",
    "digits": "[camera]\nwidth = " + "9" * 5000 + "\n",
    "keys": "[camera]\n" + "".join(f"key{i} = {i}\n" for i in range(300_000)),
    "a key of another kind": "camera = 7\n",
    "a list": "[[camera]]\n",
    "NUL": '[recording]\noutput = "a\\u0000b"\n',
}


def read(what: Callable[[Path], object], path: Path) -> str:
    """Return the error of reading a file, "" for none; anything but an error of ours is raised."""
    # By its own work: a busy computer takes longer.
    began_s = time.process_time()
    try:
        what(path)
    except RecorderError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000
        return str(error)
    finally:
        assert time.process_time() - began_s < LIMIT_S
    return ""


def read_settings(path: Path) -> object:
    return load_settings(path, (), {})


@pytest.mark.parametrize("name", JOURNALS)
def test_a_crafted_journal_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.commands.jsonl"
    path.write_text(JOURNALS[name])
    assert "x.commands.jsonl" in read(read_journal, path)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_crafted_configuration_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(CONFIGURATIONS[name])
    assert "x.toml" in read(read_settings, path)


def test_damaged_ones_are_read_or_refused(tmp_path: Path) -> None:
    path, refused = tmp_path / "x", 0
    originals: list[tuple[Callable[[Path], object], bytes]] = [
        (read_journal, (DATA / "layout2.commands.jsonl").read_bytes()),
        *((read_settings, config.read_bytes()) for config in sorted(CONFIGS.glob("*.toml"))),
    ]
    for seed in range(300):
        what, content = originals[seed % len(originals)]
        path.write_bytes(spoiled(content, seed))
        refused += bool(read(what, path))
    assert refused > 100
