"""Files that begin with any frame of a block, as those of captures do."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest

from recorder.frames.metadata import TRIGGER_NUMBER
from recorder.frames.pool import FrameFormat, Pool
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import fill, take
from tests.unit.storage.test_recording import EVEN, ODD, describe, end

PER_BLOCK = 4


@pytest.mark.parametrize("form", [EVEN, ODD], ids=["pages", "odd"])
@pytest.mark.parametrize("mode", ["auto", "buffered"])
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_every_frame_is_in_its_place(
    tmp_path: Path, form: FrameFormat, mode: Literal["auto", "buffered"], is_packed: bool, shift: int
) -> None:
    what = replace(describe(form, PER_BLOCK, **{TRIGGER_NUMBER: 105}), is_packed=is_packed)
    recording = Recording(tmp_path / "x.h5", what, mode)
    pool = Pool(form, PER_BLOCK, 1)
    written = 0
    for i in range(4):
        block = take(pool)
        with fill(block, 0, PER_BLOCK, 100 + i * PER_BLOCK) as whole:
            start = shift if i == 0 else 0
            while start < PER_BLOCK:
                stop = min(PER_BLOCK, start + PER_BLOCK - written % PER_BLOCK)
                with whole.part(start, stop, "test", 0) as piece:
                    recording.append([piece])
                written, start = written + stop - start, stop
            # What is written from now on must not come from the block.
            recording.commit()
            block.pixels[:] = 0
    end(recording, Verdict("complete"), "")
    with h5py.File(tmp_path / "x.h5") as file:
        numbers = np.arange(100 + shift, 100 + 4 * PER_BLOCK)
        assert np.array_equal(file[DETECTOR]["sequence_number"], numbers)
        assert np.array_equal(file[DETECTOR]["relative_frame"], numbers - 105)
        pixels = file["data"][:]
        assert (pixels == numbers[:, np.newaxis, np.newaxis]).all()
        if shift and form is ODD:
            assert file["entry/storage_mode"][()] == b"buffered"
