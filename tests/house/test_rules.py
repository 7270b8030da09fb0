"""The rules of the house, checked with everything else; one command runs them alone: `pytest tests/house`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A module that passes this has become two.
MAX_LINES = 350


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "recorder", "tests"],
        ["ruff", "format", "--check", "recorder", "tests"],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=" ".join,
)
@pytest.mark.timeout(300)
def test_the_checkers_agree(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(program), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_outgrows_its_room() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "recorder").rglob("*.py")
    }
    assert {str(path): n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_the_top_level_holds_what_the_card_says() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in done.stdout.splitlines()}
    allowed = {"pyproject.toml", "README.md", "LICENSE", "recorder", "tests", "configs", "notes"}
    assert {name for name in top if not name.startswith(".")} <= allowed
