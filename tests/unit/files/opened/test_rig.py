"""Recordings of several cameras beside each other, on clocks of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import recorder
from recorder.errors import NotOurFileError, UsageError
from recorder.files.opened.rig import OpenedRig, RigTable, open_rig_file
from recorder.frames.ledger import Cause, Loss
from recorder.frames.pool import FrameSpan, Pool
from recorder.storage import rig_file
from recorder.storage.layout import DETECTOR, DURABLE, HOST_COLUMN, HOST_ZERO, FileDescription
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from recorder.storage.rig_file import RigContents
from tests.conftest import SMALL, let_go, take

Record = Callable[..., Path]

HOST_NS = 5 * 10**12


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return a function that records frames which began at `begins` s by the host's clock.

    The camera's own clock is `ppm` faster, and begins at 0; a frame arrives 12 ms after it began, and late by
    `late_s` at random.
    """

    def make(name: str, begins: Any, numbers: Any = None, ppm: float = 0.0, late_s: float = 0.0) -> Path:
        path = tmp_path / f"{name}.h5"
        what = FileDescription("", SMALL, 4, {}, "")
        file = Recording(path, what)
        random = np.random.default_rng(1)
        pool = Pool(SMALL, 4, 2**20)
        counters = np.arange(1, len(begins) + 1) if numbers is None else numbers
        for first in range(0, len(begins), 4):
            block = take(pool)
            part = slice(first, min(first + 4, len(begins)))
            for slot, (begin, number) in enumerate(zip(begins[part], counters[part], strict=True)):
                arrival = begin + 0.012 + (late_s * random.random() if number % 10 else 0.0)
                own_ns = round((begin - begins[0]) * (1 + ppm * 1e-6) * 1e9)
                block.metadata[slot] = (number, own_ns, HOST_NS + round(arrival * 1e9), 0.005, 7.0, 0, 0)
            span = FrameSpan(block, 0, part.stop - part.start, "test")
            let_go(block)
            with span:
                file.append([span])
        gaps = np.flatnonzero(np.diff(counters) > 1)
        losses = [
            Loss(int(i), int(counters[i + 1] - counters[i] - 1), Cause.COUNTER_GAP, 0.0, int(counters[i]) + 1)
            for i in gaps
        ]
        file.finish(losses)
        file.close(Verdict.COMPLETE, "")
        file.sync()
        return path

    return make


def rig_of(folder: Path, master: str = "", **files: list[Path]) -> Path:
    path = folder / "x.rig.h5"
    ends = dict.fromkeys(files, ("complete", "stopped"))
    rig_file.create(path, RigContents(files, ends, "complete", master, "[rig]\n"))
    return path


def test_frames_of_one_moment_stand_beside_each_other(record: Record, tmp_path: Path) -> None:
    """One camera began 0.1 s later, at half the rate; its clock is fast, its frames arrive late at random."""
    left = np.arange(4000) * 0.01
    right = 0.1 + 0.001 + np.arange(1900) * 0.02
    late = record("right", right, ppm=50, late_s=0.03)
    path = rig_of(tmp_path, left=[record("left", left)], right=[late])
    with open_rig_file(path) as rig:
        # By the quickest arrivals, which are 7 ms after the end of the exposure.
        assert rig.moments("right") == pytest.approx(HOST_NS * 1e-9 + 0.007 + right, abs=2e-4)
        aligned = rig.aligned()
        assert (aligned.names, aligned.reference, len(aligned)) == (("left", "right"), "left", 4000)
        assert (aligned.index[:, 0] == np.arange(4000)).all()
        # Frames before the other began have none.
        assert (aligned.index[:9, 1] == -1).all()
        assert aligned.index[10, 1] == 0
        assert aligned.index[10:3000:2, 1].tolist() == list(range(1495))
        assert np.isnan(aligned.apart[0, 1])
        assert aligned.apart[10:3000:2, 1] == pytest.approx(0.001, abs=2e-4)
        close = rig.aligned(tolerance=0.002)
        assert (close.index[11:3000:2, 1] == -1).all()
        assert (close.index[10:3000:2, 1] >= 0).all()


def test_what_was_lost_is_a_gap_on_either_side(record: Record, tmp_path: Path) -> None:
    counters = np.concatenate([np.arange(1, 50), np.arange(53, 201)])
    every = np.arange(200) * 0.01
    lossy = every[counters - 1]
    paths = {"left": [record("left", lossy, counters)], "right": [record("right", every + 0.002)]}
    with open_rig_file(rig_of(tmp_path, "right", **paths)) as rig:
        by_right, by_left = rig.aligned(), rig.aligned("left")
        for aligned in (by_right, by_left):
            assert len(aligned) == 200
            assert np.flatnonzero(aligned.index[:, 0] == -1).tolist() == [49, 50, 51]
            assert (aligned.index[:, 1] == np.arange(200)).all()
            assert aligned.complete.sum() == 197
        assert np.diff(by_left.time) == pytest.approx(0.01, abs=1e-6)
        assert repr(by_left) == "<200 moments of left, 197 of all cameras; left lacks 3, right lacks 0>"


def test_clocks_that_have_nothing_in_common_are_not_aligned(record: Record, tmp_path: Path) -> None:
    begins = np.arange(20) * 0.01
    left, right = record("left", begins), record("right", begins)
    path = rig_of(tmp_path, left=[left], right=[right])
    with h5py.File(right, "r+") as file:
        file["entry"][DURABLE].attrs["boot_id"] = np.bytes_("another start of the computer")
    with open_rig_file(path) as rig, pytest.raises(UsageError, match="different starts of the computer"):
        rig.aligned()
    with h5py.File(right, "r+") as file:
        del file["entry"][DURABLE].attrs["boot_id"]
        del file[DETECTOR][HOST_COLUMN].attrs[HOST_ZERO]
        file["entry"][DURABLE].attrs["boot_id"] = h5py.File(left)["entry"][DURABLE].attrs["boot_id"]
    with open_rig_file(path) as rig, pytest.raises(UsageError, match="does not say by which clock"):
        rig.aligned()


def test_a_rigs_file_names_its_cameras(record: Record, tmp_path: Path) -> None:
    begins = np.arange(8) * 0.01
    files = [record("left", begins), record("left_2", begins + 1)]
    path = rig_of(tmp_path, left=files, right=[])
    rig = recorder.open(path)
    assert isinstance(rig, OpenedRig)
    with rig:
        assert (rig.names, rig.verdict, dict(rig.verdicts)["right"]) == (
            ("left",),
            "complete",
            ("complete", "stopped"),
        )
        assert len(rig["left"]) == 16
        with pytest.raises(UsageError, match=r"no camera lfet; did you mean left\?"):
            rig["lfet"]
    with h5py.File(path) as file:
        assert file["left_2/data/data"].shape == (8, SMALL.height, SMALL.width)
        assert file.get("left", getlink=True).filename == "left.h5"
    with pytest.raises(NotOurFileError, match="cannot be read as the file of a rig"):
        open_rig_file(files[0])
    with pytest.raises(UsageError, match="exists already"):
        rig_of(tmp_path, left=files)
    rig_file.update(path, RigContents({"left": files}, {"left": ("failed", "why")}, "failed", "", ""))
    with open_rig_file(path) as rig:
        assert rig.verdicts["left"] == ("failed", "why")


def test_without_recordings_there_is_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of its cameras has recorded anything"):
        open_rig_file(rig_of(tmp_path, left=[], right=[]))
    assert RigTable({}, {}, "", "").files == {}
