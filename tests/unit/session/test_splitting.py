"""Files that go on in the next one at a length."""

import asyncio
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import recorder
from recorder.assembly import build_session
from recorder.control.journal import read_journal
from recorder.errors import ConfigurationError, StorageError, UsageError
from recorder.files.journals import journal_of
from recorder.frontends.session_context import session_context
from recorder.session.session import Session
from recorder.session.status import Summary
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.virtual_time import VirtualClock

RATE = 200
FRAME_BYTES = 64 * 32 * 2


def session_of(folder: Path, split: Any, **recording: Any) -> Session:
    tree = {
        "recording": {"output": str(folder / "x.h5"), "split": split, **recording},
        "camera": {"width": 64, "height": 32, "rate": RATE, "exposure": "1ms"},
        "pool": {"memory": "4MB"},
    }
    return build_session(validate(tree), dry_run=False)


def lengths(summary: Summary) -> list[int]:
    """How many frames each file has; together they are all that were exposed, in order."""
    numbers = []
    for path, frames in summary.files:
        with h5py.File(path) as file:
            numbers.append(file[DETECTOR]["frame_number"][:])
            assert len(numbers[-1]) == frames
    assert np.array_equal(np.concatenate(numbers), np.arange(1, summary.frames + 1))
    return [len(part) for part in numbers]


@pytest.mark.parametrize(
    ("split", "frames"), [(450, 450), ("2MB", 2_000_000 // FRAME_BYTES), ("2.5s", 500), (50, 50)]
)
async def test_files_are_as_long_as_asked_for_and_no_frame_is_between(
    tmp_path: Path, virtual_time: VirtualClock, split: Any, frames: int
) -> None:
    session = session_of(tmp_path, split, frames=1700)
    async with session_context(session):
        await session.start()
        await session.stopped()
        summary = await session.close()
    assert (summary.verdict, summary.lost, summary.frames) == ("complete", 0, 1700)
    found = lengths(summary)
    assert found[-1] <= frames
    # Times are looked at ten times a second.
    off = 0.25 * RATE if isinstance(split, str) and split.endswith("s") else 0
    assert found[:-1] == pytest.approx([frames] * (len(found) - 1), abs=off)
    assert sum(found) == 1700


async def test_a_file_begun_by_hand_is_as_long_as_the_others(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_of(tmp_path, 600)
    async with session_context(session) as dispatch:
        await session.start()
        await asyncio.sleep(1)
        await dispatch.execute("save new", "test")
        await asyncio.sleep(4)
        await dispatch.execute("save off", "test")
        await asyncio.sleep(4)
        summary = await session.close()
    assert summary.lost == 0
    begun, whole, rest = (frames for _, frames in summary.files)
    assert (begun < 300, whole, rest < 300) == (True, 600, True)


async def test_a_file_that_cannot_be_made_leaves_the_recording_in_the_one_before(
    tmp_path: Path, virtual_time: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    session = session_of(tmp_path, 200, frames=4000)
    make = session.files._make_file
    failures = iter([StorageError("no room for a next file")])

    def failing(*arguments: Any) -> Any:
        if session.running and session.files.current_index >= 0 and (error := next(failures, None)):
            raise error
        return make(*arguments)

    session.files._make_file = failing
    async with session_context(session):
        await session.start()
        await session.stopped()
        summary = await session.close()
    assert (summary.verdict, summary.lost, summary.frames) == ("complete", 0, 4000)
    first, *others = lengths(summary)
    assert 2000 < first < 2500
    assert set(others[:-1]) == {200}
    assert "no room for a next file; the recording goes on in the same file" in caplog.text


async def test_the_journal_tells_of_every_file(tmp_path: Path, virtual_time: VirtualClock) -> None:
    session = session_of(tmp_path, 100, frames=350)
    async with session_context(session) as dispatch:
        await session.start()
        await session.stopped()
        summary = await session.close()
        journal = dispatch.journal.path
    assert journal is not None
    files = [path for path, _ in summary.files]
    with recorder.open(journal) as whole:
        assert [file.path for file in whole.files] == files
        assert whole.frame_number.tolist() == list(range(1, 351))
    # A replay splits by itself: what the journal tells is no command.
    assert read_journal(journal).entries == ()
    assert [journal_of(file) for file in files] == [journal] * 4
    (tmp_path / "a.commands.jsonl").write_text("not a journal of any file here")
    # One of another name was called otherwise once, and the journal names that.
    (tmp_path / "other.h5").hardlink_to(files[-1])
    assert journal_of(tmp_path / "other.h5") == journal
    journal.unlink()
    with pytest.raises(UsageError, match=r"no other journal in its folder has its commands, or names it"):
        journal_of(tmp_path / "other.h5")


@pytest.mark.parametrize("split", [0, True, "10", "0.5s", "1kB", "10 sheep", 1.5])
def test_a_length_that_is_none_is_refused(split: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"recording.split = .*must be a size \("):
        validate({"recording": {"split": split}})
