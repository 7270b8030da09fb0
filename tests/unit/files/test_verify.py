"""What `verify` finds, and that no damaged file does our programs harm."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from recorder.errors import NotOurFileError, UnreadableFileError, UsageError
from recorder.files.checks import Kind
from recorder.files.probe import Probe, probing
from recorder.files.verify import Verified, verify
from recorder.frames.pool import Pool
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import SMALL, fill, take
from tests.unit.files.damaged import DATA, check
from tests.unit.storage.test_recording import describe

NEVER_CLOSED = 'closed: it was never closed (verdict "recording"); recorder recover closes it'


@pytest.fixture
def probe() -> Iterator[Probe]:
    with probing() as one:
        yield one


def verified(path: Path, probe: Probe) -> Verified:
    calls: list[tuple[int, int]] = []
    found = verify(path, probe, lambda done, size: calls.append((done, size)))
    assert not found.bytes or calls[-1][1] == found.bytes
    return found


def _relink_time(file: h5py.File) -> None:
    detector = file[DETECTOR]
    detector["data"].dims[0].detach_scale(detector["frame_time"])
    detector["host_time"].dims[0].detach_scale(detector["frame_time"])
    detector["host_time"].make_scale("host_time")
    detector["data"].dims[0].attach_scale(detector["host_time"])


def _detach_y(file: h5py.File) -> None:
    file[DETECTOR]["data"].dims[1].detach_scale(file["entry/data/y"])


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("layout1.h5", 0, []),
        ("layout2.h5", 0, []),
        ("layout3.h5", 0, []),
        ("layout1_2.h5", 3, ["numbers: 3 frames are missing, as entry/losses says"]),
        (
            "layout1_killed.h5",
            1,
            ['closed: it was never closed (verdict "recording"); recorder recover closes it'],
        ),
    ],
)
def test_files_of_every_layout_are_judged(probe: Probe, name: str, code: int, said: list[str]) -> None:
    found = verified(DATA / name, probe)
    assert found.exit_code == code
    assert found.stamped == found.frames > 10
    assert [f"{problem.check}: {problem.text}" for problem in found.problems] == said


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("another time", _relink_time, "axis 0 of the frames is called host_time and has 31 of 31 values"),
        ("no scale", _detach_y, "axis 1 of the frames has no scale"),
    ],
)
def test_axes_of_another_name_are_damage(
    tmp_path: Path, probe: Probe, name: str, change: Callable[[h5py.File], None], said: str
) -> None:
    path = tmp_path / "layout3.h5"
    shutil.copy(DATA / path.name, path)
    with h5py.File(path, "r+") as file:
        change(file)
    found = verified(path, probe)
    assert [f"{problem.check}: {problem.text}" for problem in found.problems] == [f"axes: {said}"], name


CHANGES: dict[str, tuple[str, Callable[[h5py.File], None]]] = {
    "a number": ("pixels", lambda file: _set(file[DETECTOR]["sequence_number"], 5, 70)),
    "a gap": ("numbers", lambda file: _set(file[DETECTOR]["sequence_number"], 12, 13 + 7)),
    "pixels": ("pixels", lambda file: _set(file[DETECTOR]["data"], 3, file["data"][4])),
    "no stamp": ("pixels", lambda file: _set(file[DETECTOR]["data"], 3, np.full((32, 64), 65535))),
    "a time": ("times", lambda file: _set(file[DETECTOR]["start_time"], 8, 0.0)),
    "an exposure": ("times", lambda file: _set(file[DETECTOR]["count_time"], 8, -1.0)),
    "a column": ("lengths", lambda file: file[DETECTOR]["temperature"].resize(4, axis=0)),
    "a mark": ("rows", lambda file: _set_field(file["entry/marks"], "frame", 500)),
    "a mark's number": ("rows", lambda file: _set_field(file["entry/marks"], "number", 500)),
    "a command": ("journal", lambda file: _set_field(file["entry/commands"], "command", b"other")),
    "a verdict": ("closed", lambda file: _set(file["entry/verdict"], (), b"recording")),
    "an attribute": ("layout", lambda file: file["entry/data"].attrs.__delitem__("signal")),
    "a table": ("layout", lambda file: file["entry"].__delitem__("analysis")),
}


def _set(dataset: h5py.Dataset, index: object, value: object) -> None:
    dataset[index] = value


def _set_field(dataset: h5py.Dataset, name: str, value: object) -> None:
    row = dataset[0]
    row[name] = value
    dataset[0] = row


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_wrong_is_found(tmp_path: Path, probe: Probe, what: str) -> None:
    check_name, change = CHANGES[what]
    path = tmp_path / "layout2.h5"
    shutil.copy(DATA / "layout2.h5", path)
    shutil.copy(DATA / "layout2.commands.jsonl", tmp_path)
    assert verified(path, probe).problems == ()
    with h5py.File(path, "r+") as file:
        change(file)
    found = verified(path, probe)
    assert found.exit_code == 1
    assert check_name in {problem.check for problem in found.problems if problem.kind is Kind.DAMAGE}


def test_pixels_that_are_gone_are_found(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(DATA / "layout2.h5", path)
    with h5py.File(path) as file:
        chunk = file["data"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * 64 * 32 * 2)
    found = verified(path, probe)
    assert (found.exit_code, found.stamped) == (1, found.frames - 1)
    assert "1 frames have no timestamp" in found.problems[0].text


def test_one_bit_of_a_pixel_is_found_by_its_checksum(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, replace(describe(SMALL), checksums=True))
    pool = Pool(SMALL, 4, 1)
    for first in (5000, 5004):  # pixels that are no timestamp
        with fill(take(pool), 0, 4, first) as span:
            recording.append([span])
    recording.finish()
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    found = verified(path, probe)
    assert (found.exit_code, found.summed) == (0, 8)
    with h5py.File(path, "r+") as file:
        file["data"][6, 20, 30] ^= 1
    found = verified(path, probe)
    assert [problem.text for problem in found.problems] == [
        "the pixels of frame 6 are not those of its checksum"
    ]


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, probe: Probe) -> None:
    with pytest.raises(UsageError, match="no such file"):
        verified(tmp_path / "x.h5", probe)
    with pytest.raises(UsageError, match="a folder"):
        verified(tmp_path, probe)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(NotOurFileError, match="not an HDF5 file"):
        verified(tmp_path / "a.txt", probe)


def _hang(path: Path) -> None:
    del path
    time.sleep(60)


def _crash(path: Path) -> None:
    import ctypes

    del path
    ctypes.string_at(0)


def _name(path: Path) -> str:
    return path.name


def test_a_process_that_hangs_or_crashes_is_given_up(tmp_path: Path) -> None:
    with probing() as probe:
        with pytest.raises(UnreadableFileError, match=r"does not end within 0\.2 s"):
            probe.ask(_hang, tmp_path / "x.h5", 0.2)
        with pytest.raises(UnreadableFileError, match="ends the program"):
            probe.ask(_crash, tmp_path / "x.h5", 20)
        assert probe.ask(_name, tmp_path / "x.h5", 20) == "x.h5"


@pytest.mark.timeout(180)
def test_no_damaged_file_does_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample; more: python -m tests.unit.files.damaged --files 1000."""
    # A file that hangs HDF5 is given up sooner.
    monkeypatch.setattr(Probe.ask, "__defaults__", (1.5,))
    monkeypatch.setattr("recorder.files.verify.TIMEOUT_S", 1.5)
    monkeypatch.setattr("recorder.files.opened.contents.TIMEOUT_S", 1.5)
    assert list(check(tmp_path, range(5))) == []


@pytest.mark.parametrize(("counts_anew", "wrong"), [(True, 1), (False, 11)])
def test_timestamps_may_all_be_apart_from_numbers_that_count_anew(
    tmp_path: Path, probe: Probe, counts_anew: bool, wrong: int
) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(DATA / "layout2.h5", path)
    with h5py.File(path, "r+") as file:
        file[DETECTOR]["sequence_number"][:] += 7
        file["data"][3] = file["data"][4]
        if counts_anew:
            file[DETECTOR]["numbers_begin"] = "first frame kept"
    found = [problem.text for problem in verified(path, probe).problems if problem.check == "pixels"]
    # Ten are named.
    assert len(found) == wrong
    assert any("frame 3 has the timestamp of number 5, its row says" in text for text in found)
