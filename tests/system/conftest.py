"""The installed program, run as its users run it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need
from tests.system.browser import chromium

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "recorder"]

# Taking half a gigabyte from the system is most of what a short run does.
LITTLE_MEMORY = ("--set", "pool.memory=64MB")
# At the default rate, bears three seconds in which a busy computer does something else.
DEEP = ("--set", "camera.fifo=300")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line on standard output."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


Recorder = Callable[..., Result]


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """Run `recorder ARGUMENTS...` in an empty folder to its end; no traceback ever reaches a user."""

    def run(*arguments: object, seconds: float = 50) -> Result:
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = bool(mount) and hasattr(os, "geteuid") and os.geteuid() == 0
    if mounted:
        command = [str(mount), "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    need(mounted, "the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def program() -> str:
    found = chromium()
    need(found, "Chromium")
    return str(found)
