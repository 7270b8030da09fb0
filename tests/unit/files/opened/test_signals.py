"""Signals of recordings, and the channels of their frames."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from recorder.errors import UsageError
from recorder.files.checks import structure_of
from recorder.files.opened.signals import read_signals
from recorder.files.recover import recover
from recorder.frames.ledger import Cause, Loss
from recorder.frames.pool import Pool
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from recorder.storage.records import RowBlock, SignalNameRow, SignalRow, Verdict, blocks_of
from tests.conftest import SMALL, fill, take
from tests.unit.storage.test_recording import describe

PER_CHUNK = 4
CHANNELS = ("blue", "violet", "off")


def rows_of(signal: int, frames: Sequence[int], values: Sequence[Sequence[float]]) -> RowBlock:
    """Rows of a signal about frames that come every 10 ms, in the middle of each."""
    table = np.zeros(len(frames), SignalRow.dtype())
    table["signal"], table["frame"], table["time"] = signal, frames, np.array(frames) * 0.01 + 0.005
    table["elapsed_s"], table["sender_s"] = table["time"], 1000 + table["time"]
    table["values"] = np.nan
    table["values"][:, : len(values[0])] = values
    return SignalRow, table


def written(path: Path, first: int = 1, channels: tuple[str, ...] = (), lost: int = 0) -> Recording:
    """A file of eight frames, `lost` missing after the fourth, still open."""
    recording = Recording(path, replace(describe(SMALL, PER_CHUNK), channels=channels))
    pool = Pool(SMALL, PER_CHUNK, 1)
    for count, number in ((0, first), (lost, first + PER_CHUNK + lost)):
        losses = [Loss(3, count, Cause.COUNTER_GAP, 0.1, number - count)] if count else []
        with fill(take(pool), 0, PER_CHUNK, number) as span:
            recording.append([span], losses)
        recording.commit()
    return recording


def end(recording: Recording) -> None:
    recording.close(Verdict.COMPLETE, "")
    recording.sync()


def test_signals_are_read_by_name_also_of_several_files(tmp_path: Path) -> None:
    for i, first in enumerate((1, 9)):
        recording = written(tmp_path / f"x{i}.h5", first)
        # In each file the names are counted anew.
        names = ["lick", "pupil"][:: 1 - 2 * i]
        recording.add_blocks(blocks_of([SignalNameRow(name, 1 + (name == "pupil")) for name in names]))
        recording.add_blocks([rows_of(names.index("lick"), [0, 1, 1, 7], [[10 * i + v] for v in range(4)])])
        recording.add_blocks([rows_of(names.index("pupil"), [3, -1], [[0.5, i], [np.nan, 12]])])
        assert read_signals(recording.path)["lick"].frame.tolist() == [0, 1, 1, 7]  # while it grows
        end(recording)
        assert structure_of(recording.path).problems == ()
    with recorder.open(tmp_path / "x0.h5", tmp_path / "x1.h5") as rec:
        assert set(rec.signals) == {"lick", "pupil"}
        lick, pupil = rec.signals["lick"], rec.signals["pupil"]
        assert lick.frame.tolist() == [0, 1, 1, 7, 8, 9, 9, 15]
        assert lick.values[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
        assert np.allclose(lick.time, rec.time[lick.frame] + 0.005)
        assert np.allclose(lick.sender_time[:4], 1000 + lick.time[:4])
        assert pupil.frame.tolist() == [3, -1, 11, -1]
        assert pupil.values.shape == (4, 2)
        assert "signals 12 rows" in repr(rec)


def test_a_killed_file_keeps_its_signals_and_none_is_about_a_frame_that_is_gone(tmp_path: Path) -> None:
    recording = written(tmp_path / "x.h5")
    count = 2000
    frames = [i * 8 // count for i in range(count)]
    rows = rows_of(0, frames, [[frame] for frame in frames])
    recording.add_blocks([*blocks_of([SignalNameRow("lick", 1)]), rows])
    recording.sync()
    (tmp_path / "killed.h5").write_bytes((tmp_path / "x.h5").read_bytes())
    end(recording)
    assert recover(tmp_path / "killed.h5").frames == 8
    assert read_signals(tmp_path / "killed.h5")["lick"].frame.tolist() == frames
    assert all(problem.check != "signals" for problem in structure_of(tmp_path / "killed.h5").problems)


@pytest.mark.parametrize(("column", "value"), [("frame", 8), ("frame", -2), ("signal", 1)])
def test_rows_about_what_is_not_there_are_damage(tmp_path: Path, column: str, value: int) -> None:
    recording = written(tmp_path / "x.h5")
    kind, table = rows_of(0, list(range(8)), [[1.0]] * 8)
    table[column][5] = value
    recording.add_blocks([*blocks_of([SignalNameRow("lick", 1)]), (kind, table)])
    end(recording)
    told = [problem.text for problem in structure_of(recording.path).problems]
    assert len(told) == 1
    assert told[0].startswith("entry/signals, row 5:")


def test_a_file_without_has_none(tmp_path: Path) -> None:
    recording = written(tmp_path / "x.h5")
    end(recording)
    with h5py.File(recording.path, "r+") as file:  # as those of before
        for name in ("signals", "signal_names", "signal_losses"):
            del file["entry"][name]
    with recorder.open(recording.path) as rec:
        assert rec.signals == {}
        assert (rec.channels, set(rec.channel.tolist())) == ((), {-1})
        with pytest.raises(UsageError, match='no channel "blue": recorded without channels'):
            rec.of_channel("blue")
    assert structure_of(recording.path).problems == ()


def test_a_lost_frame_does_not_shift_the_channels(tmp_path: Path) -> None:
    recording = written(tmp_path / "x.h5", channels=CHANNELS, lost=2)
    end(recording)
    assert [problem.check for problem in structure_of(recording.path).problems] == ["numbers"]
    with recorder.open(recording.path) as rec:
        assert rec.frame_number.tolist() == [1, 2, 3, 4, 7, 8, 9, 10]
        assert [rec.channels[i] for i in rec.channel] == [*CHANNELS, "blue", *CHANNELS, "blue"]
        assert rec.of_channel("violet").tolist() == [1, 5]
        assert rec.frames[rec.of_channel("violet")][:, 0, 0].tolist() == [2, 8]
        assert rec.xarray().channel.to_numpy().tolist()[:4] == [*CHANNELS, "blue"]
        with pytest.raises(UsageError, match="did you mean violet"):
            rec.of_channel("violett")
        out = rec.export(tmp_path / "violet.npy", channel="violet")
        assert np.load(out[0])[:, 0, 0].tolist() == [2, 8]
    with h5py.File(recording.path, "r+") as file:
        file[DETECTOR]["channel"][6] = 0
    told = [problem.text for problem in structure_of(recording.path).problems if problem.check == "channels"]
    assert told == ["frame 6 is of another channel than its number says"]
