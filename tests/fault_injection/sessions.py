"""A session with two `save new` on a disk that fails, and what must hold of it whatever fails."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import hdf5plugin  # noqa: F401 - the filter, with which others read packed frames
import numpy as np

from recorder.camera import timestamp
from recorder.errors import NotOurFileError
from recorder.files.recover import recover
from recorder.storage.layout import DETECTOR
from recorder.storage.records import Verdict
from tests.conftest import need

SCRIPT = "wait 120ms\nmark a\nsave new\nwait 120ms\nmark b\nsave new\nwait 120ms\nmark c\nwait 50ms\nquit\n"
CAMERA = {"width": 128, "height": 64, "rate": 200, "exposure": '"1ms"'}

REGION = ("--set", "preview.regions.eye=[40, 20, 90, 60]", "--set", "analysis.regions=true")

# Longer than anything in the recorder waits for a disk.
TIMEOUT_S = 40


@dataclass(frozen=True)
class Case:
    """Which call fails (from 1; 0: none), how, and whether all that come after it do as well."""

    at: int
    kind: str
    forever: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {'from' if self.forever else 'at'} call {self.at}"


class Runner:
    """A process that has the recorder loaded, and forks itself for each session."""

    def __init__(self, shim: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(shim)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault_injection.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(TIMEOUT_S)
        self._process.stdout.close()  # type: ignore[union-attr]

    def run(
        self,
        folder: Path,
        case: Case,
        log: Path | None = None,
        script: str = SCRIPT,
        options: Sequence[str] = (),
    ) -> int:
        """Carry out a session in `folder`, which is made; return its exit code, negative for a signal."""
        folder.mkdir()
        commands = folder.with_name(f"{folder.name}.script")
        commands.write_text(script)
        camera = [word for key, value in CAMERA.items() for word in ("--set", f"camera.{key}={value}")]
        # A small pool: taking half a gigabyte from the system is most of what a short session does.
        output = ["--output", "x.h5", "--set", "pool.memory=16MB", *REGION, *options]
        request = {
            "folder": str(folder),
            "at": case.at,
            "kind": case.kind,
            "forever": case.forever,
            "log": str(log or ""),
            "arguments": ["run", "--headless", "--json", "--script", str(commands), *output, *camera],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline()))


def compiled_shim(folder: Path) -> Path:
    """Compile the shim; skips where that cannot be (it stands before glibc's calls)."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    need(compiler and sys.platform == "linux", "a C compiler (gcc) on Linux")
    assert compiler is not None
    shim = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl", "-lpthread"], check=True)
    return shim


def check_session(folder: Path, case: Case, code: int) -> None:
    """What holds of a session whatever failed: it ends as designed, and nothing in its files is wrong."""
    out = folder.with_name(f"{folder.name}.stdout").read_text()
    err = folder.with_name(f"{folder.name}.stderr").read_text()
    assert code in {0, 1, 2, 3}, f"{case}: ended with {code}\n{err}"
    assert "Traceback" not in err, f"{case}\n{err}"
    assert len(err.splitlines()) <= 12, f"{case}\n{err}"
    summary: dict[str, Any] = json.loads(out) if out.strip() else {}
    if code == 1 and summary:
        assert summary["verdict"] == "failed", f"{case}\n{out}{err}"
    frames = {}
    for path in sorted(folder.glob("*.h5")):
        with _explained(case, path, out + err):
            frames[path.name] = check_file(path, is_failed=code != 0)
    for entry in summary.get("files", []):
        if entry["frames"]:
            name = Path(entry["file"]).name
            found, reported = frames.get(name, 0), entry["frames"]
            # On a disk that is gone, rows that nobody could commit any more may be there all the same.
            is_right = found >= reported if case.forever else found == reported
            assert is_right, f"{case}: {name} has {found} frames\n{out}{err}"
    if not case.forever:
        check_marks(folder, case, out + err)
    if code == 0:
        assert summary["frames"] + summary["lost"] > 60, f"{case}\n{out}{err}"


def check_marks(folder: Path, case: Case, output: str) -> None:
    """A mark that was acknowledged is in one file, on the frame with that counter."""
    found = []
    for path in folder.glob("*.h5"):
        with contextlib.suppress(OSError), h5py.File(path) as file:
            found += [(mark["label"].decode(), int(mark["number"])) for mark in file["entry/marks"]]
    for journal in folder.glob("*.jsonl"):
        for line in journal.read_text().splitlines():
            with contextlib.suppress(ValueError):  # the line that a write left incomplete
                entry = json.loads(line)
                if re.match(r"mark \w+ on frame", entry.get("message", "")):
                    mark = (entry["command"].split()[1], entry["effective_number"])
                    assert found.count(mark) == 1, f"{case}: {mark} of {found}\n{output}"


@contextmanager
def _explained(case: Case, path: Path, output: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{case}: {path}: {error!r}\n{output}") from error


def check_file(path: Path, *, is_failed: bool) -> int:
    """The file is readable, perhaps after `recover`, and what it has is right; return its frames."""
    try:
        recover(path)
    except NotOurFileError as error:
        if "holds nothing" in str(error):
            return 0
        raise
    with h5py.File(path) as file:
        detector = file[DETECTOR]
        numbers = detector["frame_number"][:]
        assert len(file["data"]) == len(numbers)
        assert (np.diff(numbers.astype(np.int64)) > 0).all()
        assert (numbers > 0).all()
        for column in ("frame_time", "host_time"):
            assert (np.diff(detector[column][:]) > 0).all(), column
        assert (detector["exposure"][:] == 0.001).all()
        means = file["entry/regions/eye/mean"]
        for number, pixels, mean in zip(numbers, file["data"], means, strict=True):
            assert mean == pixels[20:60, 40:90].mean()
            stamp = timestamp.read(pixels)
            assert stamp is not None
            assert stamp.number == number
        verdict = file["entry/verdict"][()].decode()
        assert verdict != Verdict.RECORDING
        assert is_failed or verdict == Verdict.COMPLETE
        assert verdict == Verdict.COMPLETE or file["entry/cause"][()]
        for mark in file["entry/marks"]:
            assert mark["label"] in {b"a", b"b", b"c"}
            assert mark["frame"] < len(numbers)
        return len(numbers)
