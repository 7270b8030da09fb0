"""What `recorder.open` returns: the frames that were written, and all that is known of them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import recorder
from recorder.errors import DamagedFileError, StorageError, UsageError
from recorder.files.opened.clips import clips_around
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import OpenedRecording, open_files
from recorder.files.probe import Probe, probing
from recorder.storage.layout import JOURNAL_SUFFIX
from tests.unit.files.damaged import DATA
from tests.unit.files.opened.recordings import FORM, INTERVAL_S, PER_CHUNK, Written, written


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, DATA)
        yield one


@dataclass
class Opened:
    """A recording, and its frames as they were written."""

    recording: OpenedRecording
    frames: NDArray[Any]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[Opened]:
    """Two files of a session: 12 frames with a gap of 3 behind the 8th, and 8 of the next one."""
    folder = tmp_path_factory.mktemp("opened")
    one = Written(folder / "one.h5")
    for lost in (0, 0, 3):
        one.write(lost=lost)
    one.mark(6, "trial1", "ä first")
    one.mark(3, "wrong")
    one.mark(3, "unmark", "wrong")
    one.close()
    two = Written(folder / "two.h5", first=16)
    two.write()
    two.write()
    two.mark(2, "trial2")
    two.close()
    recording = open_files([folder / "two.h5", folder / "one.h5"], probe)
    # Files are opened as they are read.
    assert recording.frames[[0, -1]].shape == (2, FORM.height, FORM.width)
    yield Opened(recording, np.concatenate([one.frames, two.frames]))
    recording.close()


INDICES = {
    "one": np.s_[5],
    "the last": np.s_[-1],
    "all": np.s_[...],
    "all, backwards": np.s_[::-1],
    "steps over the chunks": np.s_[1::3],
    "across the files": np.s_[9:15],
    "none": np.s_[7:7],
    "a list": [13, 2, 2, -1],
    "an empty list": [],
    "an array": np.array([4, 5, 6]),
    "booleans": np.arange(20) % 3 == 0,
    "a row": np.s_[:, 3],
    "a pixel": np.s_[:, 3, -7],
    "a pixel of one": np.s_[2, 3, 4],
    "a column": np.s_[..., 4],
    "a region": np.s_[3:17:2, 4:9, 10:20],
    "backwards in all": np.s_[17:2:-4, 20:3:-3, ::-2],
    "no rows": np.s_[:, 5:5],
    "a list, and rows": np.s_[[1, 15], 2:4, 0],
    "a new axis": np.s_[3, None, ..., None, 2:4],
    "numpy's numbers": np.s_[np.int64(3), np.uint8(4)],
}


@pytest.mark.parametrize("key", INDICES.values(), ids=INDICES)
def test_frames_are_indexed_as_an_array(opened: Opened, key: Any) -> None:
    found, expected = opened.recording.frames[key], opened.frames[key]
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (20, "out of bounds"),
        (np.s_[0, 0, 0, 0], "too many indices"),
        (np.s_[..., 0, ...], "single ellipsis"),
        (np.s_[:, [1, 2]], "rows and columns are indexed with numbers and slices"),
        (np.zeros((20, 24, 40), bool), "frames are indexed with"),
        (np.zeros(19, bool), "boolean"),
        (1.5, "frames are indexed with"),
        ("a", "frames are indexed with"),
    ],
)
def test_other_indices_are_refused(opened: Opened, key: Any, says: str) -> None:
    with pytest.raises(IndexError, match=says):
        opened.recording.frames[key]


def test_large_frames_are_read_by_their_rows(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "large.h5"
    file = Written(path, type(FORM)(300, 256, np.dtype(np.uint16)))
    file.write()
    file.close()
    with open_files([path], probe) as recording:
        np.testing.assert_array_equal(recording.frames[:, 100:103, 5:9], file.frames[:, 100:103, 5:9])
        np.testing.assert_array_equal(recording.trace((5, 100, 4, 3)), _mean(file.frames[:, 100:103, 5:9]))


def test_frames_are_an_array_where_one_is_wanted(opened: Opened) -> None:
    frames = opened.recording.frames
    assert (len(frames), frames.shape, frames.ndim) == (20, (20, 24, 40), 3)
    assert (frames.size, frames.nbytes) == (opened.frames.size, opened.frames.nbytes)
    np.testing.assert_array_equal(np.asarray(frames, np.float32), opened.frames.astype(np.float32))
    np.testing.assert_array_equal(list(frames), opened.frames)
    with pytest.raises(ValueError, match="on the disk"):
        frames.__array__(copy=False)
    begun = [
        (first, block.copy()) for first, block in frames.blocks(3, 18, block_bytes=5 * frames.frame_bytes)
    ]
    assert [first for first, _ in begun] == [3, 8, 13]
    np.testing.assert_array_equal(np.concatenate([block for _, block in begun]), opened.frames[3:18])


def test_what_is_known_of_each_frame(opened: Opened) -> None:
    recording = opened.recording
    numbers = [*range(1, 9), *range(12, 24)]
    np.testing.assert_array_equal(recording.frame_number, numbers)
    # Between files as exact as UTC, to the millisecond; within one exact.
    np.testing.assert_allclose(recording.time, (np.array(numbers) - 1) * INTERVAL_S, atol=2.1e-3)
    np.testing.assert_allclose(np.diff(recording.time[12:]), INTERVAL_S, rtol=1e-9)
    np.testing.assert_array_equal(recording.exposure, np.full(20, 0.005))
    np.testing.assert_array_equal(recording.temperature, np.full(20, 7.0))
    assert recording.utc[0] == recording.start
    assert recording.utc[5] - recording.utc[4] == np.timedelta64(10, "ms")


def test_tables_speak_of_the_frames_of_all_files(opened: Opened) -> None:
    recording = opened.recording
    assert recording.marks[["frame", "label", "text"]].tolist() == [
        (6, "trial1", "ä first"),
        (14, "trial2", ""),
    ]
    assert recording.losses[["after_frame", "count", "cause", "first_missing"]].tolist() == [
        (7, 3, "counter gap", 9)
    ]
    assert len(recording.commands) == len(recording.analysis) == 0
    assert [(file.path.name, file.first, file.frames) for file in recording.files] == [
        ("one.h5", 0, 12),
        ("two.h5", 12, 8),
    ]


def test_settings_and_single_values(opened: Opened) -> None:
    assert opened.recording.settings == {"camera": {"kind": "µ"}}
    assert opened.recording.metadata["title"] == "a test"
    assert opened.recording.metadata["instrument/detector/serial_number"] == "7"
    assert opened.recording.verdict == "complete"


def test_it_shows_what_it_is(opened: Opened) -> None:
    lines = repr(opened.recording).splitlines()
    assert lines[0] == "Recording one.h5 and 1 more: complete"
    assert lines[1] == "  frames  20 x 24 x 40 uint16, 0.000 GB"
    assert lines[3:] == ["  lost    3 in 1 gaps", "  marks   2: trial1, trial2"]
    assert repr(opened.recording.frames) == "<Frames 20 x 24 x 40 uint16, 0.000 GB on the disk>"


def test_clips_are_aligned_and_a_loss_is_a_hole(opened: Opened) -> None:
    clips = opened.recording.clips("trial*", before=0.02, after=0.06)
    assert clips.shape == (2, 9, 24, 40)
    np.testing.assert_allclose(clips.time, np.arange(-2, 7) * INTERVAL_S, atol=1e-9)
    assert clips.step == pytest.approx(INTERVAL_S)
    # Frames 8, 9, 10 of the camera are lost; the recording ends after the 7th moment of the second clip.
    np.testing.assert_array_equal(
        clips.index, [[4, 5, 6, 7, -1, -1, -1, 8, 9], [12, 13, 14, 15, 16, 17, 18, 19, -1]]
    )
    assert "4 missing" in repr(clips)
    first, second = clips
    assert first.dtype == np.uint16
    np.testing.assert_array_equal(first[:4].filled(0), opened.frames[4:8])
    np.testing.assert_array_equal(np.ma.getmaskarray(first)[:, 0, 0], clips.missing[0])
    np.testing.assert_array_equal(first[7:].filled(0), opened.frames[8:10])
    np.testing.assert_array_equal(second[:8].filled(0), opened.frames[12:])
    means = clips.trace((3, 2, 10, 5))
    np.testing.assert_array_equal(np.isnan(means), clips.missing)
    np.testing.assert_array_equal(means[0, :4], _mean(opened.frames[4:8, 2:7, 3:13]))
    mean = clips.mean()
    np.testing.assert_array_equal(mean[0], (opened.frames[4].astype(float) + opened.frames[12]) / 2)
    np.testing.assert_array_equal(mean[8], opened.frames[9])
    wide = opened.recording.clips("trial1", before=0.2, after=0, step=0.02)
    np.testing.assert_array_equal(wide.index[0], [-1] * 7 + [0, 2, 4, 6])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pattern": "tral1"}, r'no mark "tral1" on a frame that is here; did you mean trial1\?'),
        ({"before": -1.0}, "before = -1.0 s"),
        ({"before": 0.0, "after": 0.0}, "one must be above 0"),
        ({"step": 0.0}, "step = 0.0 s"),
        ({"before": 0.001, "after": 0.001}, "no two frames in any of them"),
        ({"step": 0.004}, None),
    ],
)
def test_clips_that_cannot_be_are_refused(opened: Opened, change: dict[str, Any], says: str | None) -> None:
    asked = {"pattern": "trial1", "before": 0.02, "after": 0.02, **change}
    if says is None:
        # Between two frames is none.
        assert opened.recording.clips(**asked).missing.sum() > 0
        return
    with pytest.raises(UsageError, match=says):
        opened.recording.clips(**asked)


def test_clips_of_different_rates_want_a_step(opened: Opened) -> None:
    frames, marks = opened.recording.frames, opened.recording.marks
    times = np.concatenate([np.arange(12) * 0.01, 1 + np.arange(8) * 0.002])
    with pytest.raises(
        UsageError, match=r"frame 14 frames come faster than every 0\.006 s, as others do; give"
    ):
        clips_around(frames, times, marks, "*", 0.0, 0.02, None)
    clips = clips_around(frames, times, marks, "*", 0.0, 0.02, 0.006)
    np.testing.assert_array_equal(clips.index, [[6, -1, 7, 8], [14, 17, 19, -1]])


def test_traces_are_means_of_every_frame(opened: Opened) -> None:
    recording, frames = opened.recording, opened.frames
    np.testing.assert_array_equal(recording.trace(), _mean(frames))
    np.testing.assert_array_equal(recording.trace((7, 9, 1, 1)), frames[:, 9, 7])
    mask = np.zeros((24, 40), bool)
    mask[[3, 5, 5], [8, 2, 9]] = True
    np.testing.assert_array_equal(recording.trace(mask), frames[:, mask].mean(axis=1))
    for roi, says in (
        ((30, 0, 11, 2), r"11x2 pixels at \(30, 0\) are not inside of the frame of 40x24"),
        ((0, 0, 0, 2), "not inside"),
        ((1, 2, 3), "expected"),
        ((1.5, 2, 3, 4), "expected"),
        (np.zeros((24, 40), bool), "some of them true"),
        (np.ones((2, 2), bool), "24x40"),
    ):
        with pytest.raises(UsageError, match=says):
            recording.trace(roi)  # type: ignore[arg-type]


def test_a_recording_without_frames(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "none.h5")
    file.close()
    with open_files([file.path], probe) as recording:
        assert recording.frames[:].shape == (0, 24, 40)
        assert len(recording.time) == len(recording.trace()) == len(recording.marks) == 0
        assert list(recording.frames.blocks()) == []
        assert "0 x 24 x 40" in repr(recording)


def test_after_close_pixels_are_refused_and_the_rest_stays(tmp_path: Path, probe: Probe) -> None:
    written(tmp_path / "one.h5")
    with open_files([tmp_path / "one.h5"], probe) as recording:
        assert recording.frames[0].any()
    recording.close()
    assert len(recording.time) == 20
    with pytest.raises(UsageError, match="this recording was closed; open it again"):
        recording.frames[0]


def test_what_becomes_of_a_file_later_is_told_in_a_line(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "one.h5"
    written(path)
    with open_files([path], probe) as short, open_files([path], probe) as gone:
        path.write_bytes(path.read_bytes()[: int(short.contents[0].pixels.addresses[-1])])
        with pytest.raises(DamagedFileError, match=r"one\.h5: cut short; recorder recover keeps"):
            short.frames[-1]
        path.unlink()
        with pytest.raises(StorageError, match=r"one\.h5: cannot be opened: No such file"):
            gone.frames[0]


def test_a_file_that_needs_recover_says_so(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "killed.h5"
    shutil.copy(DATA / "layout1_killed.h5", path)
    content = path.read_bytes()
    with pytest.warns(RecoverWarning, match=rf"never closed.*49 frames are whole; recorder recover {path}"):
        recording = open_files([path], probe)
    with recording:
        assert recording.frames[-1].any()
        assert repr(recording).splitlines()[-1].startswith("  ! ")
    assert path.read_bytes() == content


def test_files_of_layout_1_are_one_session(probe: Probe) -> None:
    with open_files([DATA / "layout1_2.h5", DATA / "layout1.h5"], probe) as recording:
        assert (len(recording), recording.verdict) == (97, "frames lost")
        assert recording.losses[["after_frame", "count", "cause"]].tolist() == [(18, 3, "counter gap")]
        assert recording.marks["number"].tolist() == [-1, -1]
        assert (np.diff(recording.time) > 0).all()


def test_means_of_regions_are_there_where_they_are_stored(tmp_path: Path, probe: Probe) -> None:
    one = Written(tmp_path / "one.h5", regions={"paw": (4, 2, 10, 9), "eye": (0, 0, 3, 3)})
    one.write()
    one.write()
    one.close()
    written(tmp_path / "two.h5", chunks=1, first=9)
    with open_files([tmp_path / "one.h5", tmp_path / "two.h5"], probe) as recording:
        assert list(recording.regions) == ["eye", "paw"]
        paw = recording.regions["paw"]
        np.testing.assert_allclose(paw[:8], one.frames[:, 2:9, 4:10].mean(axis=(1, 2)))
        assert np.isnan(paw[8:]).all()
        assert len(paw) == len(recording) == 12


# Which files are meant.


def test_a_session_by_its_journal_folder_or_pattern(tmp_path: Path, probe: Probe) -> None:
    for name, first in (("a.h5", 1), ("zzz.h5", 21), ("b.h5", 41), ("other.h5", 1)):
        written(tmp_path / name, first=first)
    journal = tmp_path / f"a{JOURNAL_SUFFIX}"
    journal.write_text(
        '{"recorder": "0.1.0"}\n'
        '{"seq": 1, "message": "saving /elsewhere/zzz.h5"}\n'
        r'{"seq": 2, "message": "saving D:\\data\\b.h5 from the next start on"}'
        '\n{"seq": 3, "message": "saving gone.h5"}\n{"next_file": 3, "run": 1}\n'
        '{"next_file": "split.h5", "run": 1}\n{"seq": 4, "mess'
    )
    written(tmp_path / "split.h5", first=61)
    for given in (journal, tmp_path):
        with open_files([given], probe) as recording:
            assert [file.path.name for file in recording.files] == ["a.h5", "zzz.h5", "b.h5", "split.h5"]
            assert recording.frame_number.tolist() == list(range(1, 81))
    with open_files([f"{tmp_path}/?.h5"], probe) as recording:
        assert [file.path.name for file in recording.files] == ["a.h5", "b.h5"]


def test_what_is_not_there_is_told_with_what_is_near(tmp_path: Path, probe: Probe) -> None:
    written(tmp_path / "trial.h5", chunks=1)
    for given, says in (
        ([], 'name a recording: recorder.open("FILE.h5")'),
        ([tmp_path / "trail.h5"], "no such file; did you mean trial.h5?"),
        ([tmp_path / "x*.h5"], "no file ending in .h5 has such a name"),
        ([tmp_path / f"x{JOURNAL_SUFFIX}"], "cannot be read: No such file"),
    ):
        with pytest.raises(UsageError) as raised:
            open_files(given, probe)
        assert says in str(raised.value)
    with open_files([tmp_path], probe) as recording:
        assert len(recording) == PER_CHUNK
    shutil.copy(tmp_path / "trial.h5", tmp_path / "copy.h5")
    with pytest.raises(UsageError, match=r"2 recordings in it; name one of them: copy\.h5, trial\.h5"):
        open_files([tmp_path], probe)
    (tmp_path / f"alone{JOURNAL_SUFFIX}").touch()
    with pytest.raises(UsageError, match="none of its session's files is beside it"):
        open_files([tmp_path], probe)


def test_files_of_different_frames_are_no_recording(tmp_path: Path, probe: Probe) -> None:
    written(tmp_path / "one.h5")
    with pytest.raises(UsageError, match=r"its frames are .* uint16; open them one by one"):
        open_files([tmp_path / "one.h5", DATA / "layout2.h5"], probe)


def test_importing_recorder_loads_nothing_and_open_opens() -> None:
    heavy = "('h5py', 'numpy', 'pco', 'prompt_toolkit', 'pydantic', 'aiohttp', 'asyncio', 'dask', 'xarray')"
    code = (
        "import sys, recorder\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
        f"print(len(recorder.open({str(DATA / 'layout2.h5')!r})))\n"
        f"print([name for name in ('pco', 'prompt_toolkit', 'dask', 'xarray') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[]", "23", "[]"]
    assert (Path(recorder.__file__).with_name("py.typed")).is_file()


def _mean(frames: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(frames.sum(axis=(1, 2), dtype=np.uint64) / (frames.shape[1] * frames.shape[2]))
