"""Files of every layout there ever was are read; one of a later layout is refused in a line."""

import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from recorder.errors import NotOurFileError
from recorder.files.reader import _exposures, describe
from recorder.files.recorded_source import RecordedSource
from recorder.files.recover import recover
from recorder.storage.layout import LAYOUT_VERSION

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    ("name", "frames", "lost", "marks"),
    [("layout1.h5", 19, {}, 2), ("layout1_2.h5", 78, {"counter gap": 3}, 1)],
)
def test_layout_1_is_read(name: str, frames: int, lost: dict[str, int], marks: int) -> None:
    told = describe(DATA / name)
    assert (told.frames, told.losses) == (frames, lost)
    assert told.rate == pytest.approx(50, rel=0.05)
    assert "exposure" not in told.detector
    source = RecordedSource(DATA / name)
    slot = np.zeros((32, 64), np.uint16)
    assert source.read(frames - 1, slot) == pytest.approx(0.002)
    assert slot.any()
    source.close()


def test_optics_and_metadata_are_read_where_a_file_has_them() -> None:
    told = describe(DATA / "layout3.h5")
    assert told.metadata == {"subject": "mouse 12", "operator": "Zoë", "weight": 24, "drug": "saline"}
    assert told.optics == {"magnification": 20, "x_pixel_size": 0.325, "y_pixel_size": 0.325}
    older = describe(DATA / "layout2.h5")
    assert (older.metadata, older.optics) == ({}, {})


def test_a_killed_file_of_layout_1_is_recovered(tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    shutil.copy(DATA / "layout1_killed.h5", path)
    done = recover(path)
    assert done.frames == describe(path).frames > 40
    assert describe(path).verdict == "failed"


def test_a_later_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.h5"
    shutil.copy(DATA / "layout1.h5", path)
    with h5py.File(path, "r+") as file:
        file["entry/definition_version"] = LAYOUT_VERSION + 1
    with pytest.raises(NotOurFileError, match="written by a newer recorder"):
        describe(path)


def test_exposures_are_told_where_they_change() -> None:
    nan = math.nan
    assert _exposures(np.array([])) == []
    assert _exposures(np.array([nan, nan])) == [(0, None)]
    assert _exposures(np.array([0.005, 0.005, 0.002, nan, 0.002])) == [
        (0, 0.005),
        (2, 0.002),
        (3, None),
        (4, 0.002),
    ]
