"""A recording that grows is followed: every frame once, in order, until it ends."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.files.opened import contents, following
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import open_files
from recorder.files.probe import Probe, probing
from recorder.storage.layout import JOURNAL_SUFFIX
from tests.unit.files.damaged import DATA
from tests.unit.files.opened.recordings import Written

POLL_S = 0.001


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, DATA)
        yield one


@pytest.fixture(autouse=True)
def one_probe(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look with one process in all tests: to begin one takes half a second."""
    monkeypatch.setattr(following, "probing", lambda: contextlib.nullcontext(probe))


def test_every_frame_comes_once_until_the_file_is_closed(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "grows.h5")
    file.write()
    with open_files([file.path], probe) as recording:
        assert (len(recording), recording.verdict, recording.problems) == (4, "recording", ())

        # Several things may happen before the next look.
        def write_and_mark() -> None:
            file.write()
            file.mark(5, "here")

        turns: list[Callable[[], object]] = [
            write_and_mark,
            lambda: file.write(3),
            file.close,
        ]
        seen: list[NDArray[Any]] = []
        for turn, (first, frames) in zip(turns, recording.follow(first=0, poll_s=POLL_S), strict=False):
            assert first == sum(len(part) for part in seen)
            assert len(recording) == len(recording.time) == len(recording.frames) == first + len(frames)
            seen.append(frames.copy())
            turn()
        assert [len(part) for part in seen] == [4, 4, 3]
        np.testing.assert_array_equal(np.concatenate(seen), file.frames)
        # Closed after the last frame was seen: one more look tells.
        assert list(recording.follow(poll_s=POLL_S)) == []
        assert recording.verdict == "complete"
        assert recording.marks[["frame", "label"]].tolist() == [(5, "here")]
        assert recording.frame_number.tolist() == list(range(1, 12))
        np.testing.assert_array_equal(recording.frames[:], file.frames)


def test_the_next_file_of_the_session_follows(tmp_path: Path, probe: Probe) -> None:
    one = Written(tmp_path / "one.h5")
    journal = tmp_path / f"one{JOURNAL_SUFFIX}"
    journal.touch()
    with open_files([journal], probe) as recording:
        assert len(recording) == 0
        seen: list[NDArray[Any]] = []
        one.write()
        two = None
        for _, frames in recording.follow(poll_s=POLL_S):
            seen.append(frames.copy())
            if two is None:
                two = Written(tmp_path / "two.h5", first=5)
                journal.write_text('{"message": "saving two.h5"}\n')
                two.write()
                one.close()
                two.close()
        assert two is not None
        np.testing.assert_array_equal(np.concatenate(seen), [*one.frames, *two.frames])
        assert recording.frame_number.tolist() == list(range(1, 9))
        assert len(recording.files) == 2


def test_a_file_that_is_prepared_is_not_yet_part_of_the_session(tmp_path: Path, probe: Probe) -> None:
    """Made ahead; frames still go to the one before. One for which none comes is removed."""
    one, two = Written(tmp_path / "one.h5"), Written(tmp_path / "two.h5", first=9)
    journal = tmp_path / f"one{JOURNAL_SUFFIX}"
    journal.write_text('{"next_file": "two.h5", "run": 1}\n')
    one.write()
    with open_files([journal], probe) as recording:
        assert [file.path.name for file in recording.files] == ["one.h5"]
        for turn, (_, frames) in enumerate(recording.follow(first=0, poll_s=POLL_S)):
            assert len(frames) == len(recording.time) - 4 * turn == 4
            if turn == 0:
                one.write()
            elif turn == 1:
                two.write()
                one.close()
                three = Written(tmp_path / "three.h5")
                journal.write_text(
                    '{"next_file": "two.h5"}\n{"next_file": "three.h5"}\n{"next_file": "gone.h5"}'
                )
                two.close()
        three.close()
        np.testing.assert_array_equal(recording.frames[:], [*one.frames, *two.frames])
        assert recording.frame_number.tolist() == list(range(1, 13))


def test_it_ends_where_the_recorder_was_killed(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STILL_S", 0.0)
    path = tmp_path / "killed.h5"
    shutil.copy(DATA / "layout1_killed.h5", path)
    with pytest.warns(RecoverWarning):
        recording = open_files([path], probe)
    with recording:
        assert sum(len(frames) for _, frames in recording.follow(first=40, poll_s=POLL_S)) == 9


def test_a_wait_of_no_time_is_refused(probe: Probe) -> None:
    with (
        open_files([DATA / "layout2.h5"], probe) as recording,
        pytest.raises(UsageError, match="poll_s = 0; write how long to wait"),
    ):
        next(recording.follow(poll_s=0))


def test_frames_that_come_while_a_file_is_looked_at_as_it_is_closed_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames are counted first, and its verdict is read last."""
    file = Written(tmp_path / "x.h5")
    file.write()
    real = contents._values
    ended: list[bool] = []

    def values(entry: h5py.Group) -> dict[str, Any]:
        if not ended:
            ended.append(True)
            file.write()
            file.close()
        return real(entry)

    monkeypatch.setattr(contents, "_values", values)
    found = contents.read_contents(file.path)
    assert (found.verdict, found.frames) == ("complete", 8)
