"""Whatever an operator types, in any order and at any speed, is where the answer says it is.

Sessions on a clock that jumps, of lines drawn at random, some of them given while others are under way. More
of them: SESSIONS=2000 python -m pytest tests/unit/session/test_session_model.py --timeout 3600
"""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - reads what is compressed
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recorder.assembly import build_session
from recorder.camera import timestamp
from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.control.dispatcher import Dispatcher
from recorder.errors import NotOurFileError
from recorder.files.recover import recover
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from tests.virtual_time import VirtualLoop, use

SESSIONS = int(os.environ.get("SESSIONS", "40"))

# What is typed; `{}` is a number of its own.
LINES = (
    *("mark m{}", "mark m{}", "note n{}", "save on", "save off", "save new", "save new f{}"),
    *("exposure 2ms", "exposure 1ms", "stop", "start", "at 10ms mark m{}", "KILL"),
)


@dataclass(frozen=True)
class Step:
    """A line; `pause_ms` pass before it, and where `overlaps` the next one does not wait for its answer."""

    line: str
    pause_ms: int
    overlaps: bool


STEPS = st.lists(
    st.builds(Step, st.sampled_from(LINES), st.sampled_from([0, 0, 1, 7, 30, 90, 400]), st.booleans()),
    min_size=1,
    max_size=14,
)


@dataclass
class Kept:
    """What a kill leaves: a copy of the folder, and the marks that had been acknowledged."""

    folder: Path
    marks: dict[str, tuple[int, int]]


@dataclass
class Played:
    """A session that is over: the answer to each line, and what kills would have left."""

    folder: Path
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def marks(self) -> dict[str, tuple[int, int]]:
        """Marks that are on a frame of a file, by the answers: frame and line number."""
        found = {}
        for i, (line, status, message) in enumerate(self.answers):
            on = re.fullmatch(r"mark (\w+) on frame (\d+) \(counter \d+\)", message)
            if status == "ok" and on:
                assert line.split()[-1] == on[1]
                found[on[1]] = (int(on[2]), i)
        return found


def play(folder: Path, steps: list[Step], compression: str) -> Played:
    """Carry out the steps on a session in `folder`, whose frames are compressed like that."""
    played = Played(folder)

    async def one(dispatch: Dispatcher, line: str) -> None:
        result = await dispatch.execute(line, "console")
        assert result is not None
        played.answers.append((line, result.status, result.message))

    async def whole() -> None:
        tree = {
            "recording": {"output": str(folder / "x.h5")},
            "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "1ms"},
            "pool": {"memory": "4MB"},
            "storage": {"compression": compression},
        }
        session = build_session(validate(tree), dry_run=False)
        async with session_context(session) as dispatch:
            await session.start()
            under_way = []
            for i, step in enumerate(steps):
                await asyncio.sleep(step.pause_ms * 1e-3)
                if step.line == "KILL":
                    copy = folder.with_name(f"killed{i}")
                    shutil.copytree(folder, copy)
                    played.kept.append(Kept(copy, played.marks))
                    continue
                task = asyncio.ensure_future(one(dispatch, step.line.format(i)))
                under_way.append(task)
                await (asyncio.sleep(0) if step.overlaps else asyncio.wait([task]))
            await asyncio.gather(*under_way)
            await one(dispatch, "quit")
            await session.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        use(loop.clock, patch, AcquisitionThread, Recording, SimulatedCamera)
        runner.run(whole())
        loop.clock.run_on()
    return played


def rows_of(path: Path) -> tuple[dict[str, int], list[Any], list[int]]:
    """Return the marks of a file with their frames, its commands, and the numbers of its frames."""
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["sequence_number"][:].tolist()
        assert len(file["data"]) == len(numbers)
        assert numbers == sorted(set(numbers))
        for number, frame in zip(numbers, file["data"], strict=True):
            stamp = timestamp.read(frame)
            assert stamp is not None
            assert stamp.number == number
        commands = file["entry/commands"][:]
        marks = [(row["label"].decode(), int(row["frame"])) for row in file["entry/marks"]]
        assert len(dict(marks)) == len(marks)
        return dict(marks), list(commands), numbers


def check(played: Played) -> None:
    """Every answer is what the files say, and every row is about a frame of its own file."""
    journal = [json.loads(line) for line in (played.folder / "x.commands.jsonl").read_text().splitlines()[1:]]
    numbers_marked = {
        entry["command"].split()[-1]: entry["effective_number"]
        for entry in journal
        if "seq" in entry and entry["command"].startswith("mark ") and entry["status"] == "ok"
    }
    found: dict[str, int] = {}
    notes: list[str] = []
    for path in played.folder.glob("*.h5"):
        marks, commands, numbers = rows_of(path)
        for label, frame in marks.items():
            assert label not in found, f"{label} is in two files"
            assert numbers[frame] == numbers_marked[label], f"{label} is on another frame in {path.name}"
            found[label] = frame
        for row in commands:
            for index, number in ("frame", "number"), ("effective_frame", "effective_number"):
                if row[index] >= 0:
                    assert numbers[row[index]] == row[number], f"{row} in {path.name}"
        notes += [row["command"].decode() for row in commands if row["command"].startswith(b"note")]
    assert len(notes) == len(set(notes))
    assert {label: frame for label, (frame, _) in played.marks.items()}.items() <= found.items()
    for line, status, message in played.answers:
        if line.startswith("mark") and (status != "ok" or "the journal alone has it" in message):
            assert line.split()[-1] not in found, f"{line}: {message}"
    typed = Counter(line for line, _, _ in played.answers)
    # What `at` carries out later is there besides.
    assert typed <= Counter(entry["command"] for entry in journal if "seq" in entry)
    for kept in played.kept:
        check_kept(kept)


def check_kept(kept: Kept) -> None:
    """A kill loses no mark that was acknowledged before it."""
    found: dict[str, int] = {}
    for path in kept.folder.glob("*.h5"):
        try:
            recover(path)
        except NotOurFileError as error:
            assert "holds nothing" in str(error), error
            continue
        marks, _, numbers = rows_of(path)
        assert all(frame < len(numbers) for frame in marks.values())
        found.update(marks)
    assert {label: frame for label, (frame, _) in kept.marks.items()}.items() <= found.items()


@pytest.mark.timeout(120 + SESSIONS)
@settings(
    max_examples=SESSIONS,
    deadline=None,
    derandomize="SESSIONS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example([Step("save new", 30, True), Step("save new", 0, True), Step("mark m{}", 0, False)], "none")
@example([Step("save off", 30, False), Step("mark m{}", 0, False), Step("save on", 0, True)], "lossless")
@example([Step("save on", 30, True), Step("mark m{}", 0, False), Step("KILL", 0, False)], "lossless")
@given(steps=STEPS, compression=st.sampled_from(("none", "lossless")))
def test_whatever_is_typed_is_where_the_answer_says(steps: list[Step], compression: str) -> None:
    with tempfile.TemporaryDirectory() as top, pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.files.recover.STILL_S", 0)
        folder = Path(top) / "session"
        folder.mkdir()
        check(play(folder, steps, compression))
