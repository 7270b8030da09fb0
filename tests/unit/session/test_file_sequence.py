"""Every row stands in the file that holds its frame, whenever it comes; an answer says where none does."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from recorder.assembly import build_session
from recorder.control.command_types import CommandResult
from recorder.control.dispatcher import Dispatcher
from recorder.errors import StorageError
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from recorder.storage import file_sync
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from tests.virtual_time import VirtualClock

SLOW_S = 0.4


@pytest.fixture(params=["slow disk", "slow journal"])
async def dispatch(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: VirtualClock,
) -> AsyncIterator[Dispatcher]:
    """A session at 200 frames/s on a disk whose every sync takes 0.4 s, or with a journal as slow.

    On the slow disk a file is still being closed when the next one ends; with the slow journal every row
    comes when its file could have been closed long ago.
    """

    def slow(fd: int) -> None:
        time.sleep(SLOW_S if request.param == "slow disk" else 0)
        os.fsync(fd)

    monkeypatch.setattr(file_sync, "sync_data", slow)
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 32, "rate": 200, "exposure": "1ms"},
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:
        add = dispatch.journal.add

        async def add_late(entry: Any) -> None:
            await asyncio.sleep(SLOW_S if request.param == "slow journal" else 0)
            await add(entry)

        monkeypatch.setattr(dispatch.journal, "add", add_late)
        await session.start()
        yield dispatch
        await session.close()


async def do(dispatch: Dispatcher, line: str) -> CommandResult:
    result = await dispatch.execute(line, "test")
    assert result is not None
    assert result.status == "ok", result
    return result


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    with h5py.File(path) as file:
        data = file["entry"][table][:]
    return [{name: row[name] for name in data.dtype.names} for row in data]


def check_rows(folder: Path) -> dict[str, Path]:
    """Every row indexes its own file, on the frame with its counter; return where each label is."""
    where: dict[str, Path] = {}
    for path in sorted(folder.glob("*.h5")):
        with h5py.File(path) as file:
            numbers = file[DETECTOR]["sequence_number"][:]
        for row in rows(path, "commands"):
            for index, number in (("frame", "number"), ("effective_frame", "effective_number")):
                assert -1 <= row[index] < len(numbers)
                if row[index] >= 0:
                    assert numbers[row[index]] == row[number], (path, row)
        for row in rows(path, "marks"):
            label = row["label"].decode()
            assert 0 <= row["frame"] < len(numbers)
            assert label not in where
            where[label] = path
    return where


async def test_marks_and_notes_around_save_new_are_in_the_file_of_their_frame(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    answers: dict[str, CommandResult] = {}
    for i in range(3):
        await asyncio.sleep(0.1)
        lines = [f"mark before{i}", f"note n{i}", "save new", f"mark after{i}", "exposure 2ms"]
        # All at once, and while the file before is being closed.
        results = await asyncio.gather(*(do(dispatch, line) for line in lines))
        answers |= {f"before{i}": results[0], f"after{i}": results[3]}
        for j in range(5):
            answers[f"close{i}{j}"] = await do(dispatch, f"mark close{i}{j}")
    dispatch.session.stop()
    summary = await dispatch.session.stopped()
    assert summary is not None
    assert (summary.verdict, summary.lost, len(summary.files)) == ("complete", 0, 4)
    where = check_rows(tmp_path)
    assert set(where) == set(answers)
    for label, path in where.items():
        (row,) = (row for row in rows(path, "marks") if row["label"].decode() == label)
        assert row["frame"] == answers[label].effective_frame
    # So is every command, in the file of the last frame before it, also where its row comes late.
    journal = [json.loads(line) for line in (tmp_path / "x.commands.jsonl").read_text().splitlines()]
    given = sorted((entry["seq"], entry["command"], entry["number"]) for entry in journal if "seq" in entry)
    stored = [row for path in tmp_path.glob("*.h5") for row in rows(path, "commands")]
    assert sorted((row["seq"], row["command"].decode(), row["number"]) for row in stored) == given
    assert all(row["frame"] >= 0 for row in stored)
    assert len(given) == 3 * (5 + 5)


async def test_save_new_again_and_again_answers_every_line_and_loses_nothing(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    lines = ["save new", "save new", "mark a", "save new", "mark b"]
    await asyncio.gather(*(do(dispatch, line) for line in lines))
    await asyncio.sleep(0.2)
    dispatch.session.stop()
    summary = await dispatch.session.stopped()
    assert summary is not None
    assert (summary.verdict, summary.lost) == ("complete", 0)
    assert set(check_rows(tmp_path)) == {"a", "b"}
    numbers: list[int] = []
    for path, _ in summary.files:
        with h5py.File(path) as file:
            numbers += file[DETECTOR]["sequence_number"][:].tolist()
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_mark_on_frames_that_are_not_saved_says_so(dispatch: Dispatcher, tmp_path: Path) -> None:
    await asyncio.sleep(0.1)
    await do(dispatch, "save off")
    await asyncio.sleep(0.1)
    told = await do(dispatch, "mark nowhere")
    assert "in no file: the journal alone has it" in told.message
    assert told.effective_frame is None
    await do(dispatch, "save on")
    await asyncio.sleep(0.1)
    assert "on frame" in (await do(dispatch, "mark somewhere")).message
    dispatch.session.stop()
    await dispatch.session.stopped()
    where = check_rows(tmp_path)
    assert set(where) == {"somewhere"}
    assert dispatch.session.summary().marks == 1


async def test_what_is_noted_between_two_runs_is_in_the_next_file(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    await asyncio.sleep(0.1)
    dispatch.session.stop()
    await dispatch.session.stopped()
    await do(dispatch, "note between")
    await do(dispatch, "start")
    await asyncio.sleep(0.1)
    dispatch.session.stop()
    summary = await dispatch.session.stopped()
    assert summary is not None
    ((path, _),) = summary.files
    (row,) = (row for row in rows(path, "commands") if row["command"] == b"note between")
    assert row["frame"] == -1
    check_rows(tmp_path)


async def test_trouble_with_a_file_that_is_complete_does_not_end_the_next_one(
    dispatch: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.sleep(0.1)
    real = Recording.close

    def close(self: Recording, *arguments: Any) -> None:
        real(self, *arguments)
        if self.path.name == "x.h5":
            raise StorageError("the disk refused")

    monkeypatch.setattr(Recording, "close", close)
    await do(dispatch, "save new")
    await asyncio.sleep(1.5)
    assert dispatch.session.running
    dispatch.session.stop()
    summary = await dispatch.session.stopped()
    assert summary is not None
    assert (summary.verdict, summary.cause, summary.exit_code) == ("failed", "the disk refused", 1)
    assert summary.lost == 0
    assert summary.frames > 250
    with h5py.File(tmp_path / "x_2.h5") as file:  # it has nothing to do with that
        assert file["entry/verdict"][()] == b"complete"


async def test_what_came_before_a_pause_is_synced_without_another_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, virtual_time: VirtualClock
) -> None:
    synced: list[int] = []
    real = Recording.sync

    def sync(self: Recording) -> None:
        synced.append(self.frames)
        real(self)

    monkeypatch.setattr(Recording, "sync", sync)
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {
            "width": 64,
            "height": 32,
            "rate": 100,
            "timeout": "20s",
            "faults": [{"kind": "silence", "at": 8}],
        },
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session):
        await session.start()
        async with asyncio.timeout(5):
            while not synced or synced[-1] < 7:
                await asyncio.sleep(0.02)
        assert session.running
        session.abort()
        await session.close()
