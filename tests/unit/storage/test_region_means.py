"""The means of regions that are stored for every frame."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from recorder.assembly import describe as describe_file
from recorder.camera.base import CameraDescription
from recorder.files.probe import Probe, probing
from recorder.files.recover import recover
from recorder.files.verify import verify
from recorder.frames.pool import FrameFormat, Pool
from recorder.frames.region_means import Box, box_in_frame, means_of
from recorder.settings.model import validate
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import fill, let_go, take
from tests.unit.storage.test_recording import describe

FORM = FrameFormat(33, 65, np.dtype(np.uint16))
BOXES: dict[str, Box] = {"left": (0, 0, 10, 33), "eye.2": (60, 30, 300, 300), "outside": (65, 0, 70, 5)}
PER_CHUNK = 4


@pytest.fixture
def probe() -> Iterator[Probe]:
    with probing() as found:
        yield found


boxes = st.tuples(*[st.integers(0, 12)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1, max(v[1], v[3]) + 1)
)


@given(
    frames=arrays.arrays(st.sampled_from([np.uint8, np.uint16]), (3, 7, 9)),
    regions=st.lists(boxes, max_size=4),
)
def test_means_are_those_of_numpy(frames: NDArray[Any], regions: list[Box]) -> None:
    found = means_of(frames, regions)
    assert found.shape == (3, len(regions))
    for column, (x0, y0, x1, y1) in zip(found.T, regions, strict=True):
        part = frames[:, y0:y1, x0:x1]
        expected = part.mean(axis=(1, 2)) if part.size else np.full(3, np.nan)
        assert np.array_equal(column, expected, equal_nan=True)


def test_the_widest_and_brightest_frame_has_its_mean() -> None:
    frame = np.full((1, 2, 65535), 65535, np.uint16)
    assert means_of(frame, [(0, 0, 65535, 2)]).tolist() == [[65535.0]]


def recorded(path: Path, frames: int, pool: Pool, *, checksums: bool = False) -> Recording:
    """A file of so many frames of noise (whole chunks) with the means of `BOXES`, still open."""
    recording = Recording(path, replace(describe(FORM), regions=BOXES, checksums=checksums))
    rng = np.random.default_rng(0)
    for first in range(0, frames, PER_CHUNK):
        with fill(take(pool), 0, PER_CHUNK, first + 1) as span:
            span.pixels[:] = rng.integers(0, 65536, span.pixels.shape)
            recording.append([span])
        recording.commit()
    return recording


def end(recording: Recording) -> None:
    recording.finish()
    recording.close(Verdict.COMPLETE, "")
    recording.sync()


def check(path: Path, frames: int) -> None:
    with h5py.File(path) as file:
        data = file["data"][:]
        assert len(data) == frames
        for name, (x0, y0, x1, y1) in BOXES.items():
            region = file["entry/regions"][name]
            part = data[:, y0:y1, x0:x1]
            expected = part.mean(axis=(1, 2)) if part.size else np.full(frames, np.nan)
            assert np.array_equal(region["mean"][:], expected, equal_nan=True)
            assert region["box"][:].tolist() == [x0, y0, x1, y1]
            assert region.attrs["signal"] == b"mean"
            assert len(region[region.attrs["axes"].decode()]) == frames


@pytest.mark.parametrize("checksums", [False, True])
def test_each_frame_of_a_file_has_the_means_of_its_pixels(
    tmp_path: Path, probe: Probe, *, checksums: bool
) -> None:
    recording = recorded(tmp_path / "x.h5", 40, Pool(FORM, PER_CHUNK, 1), checksums=checksums)
    end(recording)
    check(tmp_path / "x.h5", 40)
    assert verify(tmp_path / "x.h5", probe, lambda *_: None).problems == ()


@pytest.mark.parametrize("part", [1.0, 0.6])
def test_means_of_a_killed_recorder_end_with_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: Probe, part: float
) -> None:
    monkeypatch.setattr("recorder.files.recover.STILL_S", 0)
    recording = recorded(tmp_path / "x.h5", 200, Pool(FORM, PER_CHUNK, 1))
    killed = tmp_path / "killed.h5"
    shutil.copy(recording.path, killed)
    end(recording)
    os.truncate(killed, int(killed.stat().st_size * part))
    recover(killed)
    with h5py.File(killed) as file:
        frames = len(file["data"])
    assert frames == 200 if part == 1 else 5 < frames < 200
    check(killed, frames)
    assert not [p for p in verify(killed, probe, lambda *_: None).problems if p.kind.name == "DAMAGE"]


def test_means_are_left_out_where_frames_would_be_lost_for_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool(FORM, PER_CHUNK, 8 * 4 * 65 * 33 * 2 + 8 * 4096)
    recording = recorded(tmp_path / "x.h5", 4, pool)
    waiting = [take(pool) for _ in range(round(pool.statistics().blocks * 0.8))]
    with fill(take(pool), 0, PER_CHUNK, 5) as span:
        recording.append([span])
    recording.commit()
    for block in waiting:
        let_go(block)
    end(recording)
    with h5py.File(tmp_path / "x.h5") as file:
        means = file["entry/regions/left/mean"][:]
        assert len(file["data"]) == len(means) == 8
    assert np.isnan(means).tolist() == [False] * 4 + [True] * 4
    assert "region means of 4 frames were left out" in caplog.text


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((100, 60, 120, 70), (0, 10, 20, 20)),
        ((90, 40, 120, 70), (0, 0, 20, 20)),  # begins before the frames do
        ((130, 60, 999, 999), (30, 10, 40, 30)),  # ends behind them
        ((0, 0, 50, 50), (0, 0, 0, 0)),  # is beside them
        ((500, 500, 600, 600), (40, 30, 40, 30)),
    ],
)
def test_a_region_of_the_sensor_is_one_of_the_frames(box: Box, inside: Box) -> None:
    assert box_in_frame(box, (100, 50), (40, 30)) == inside
    frames = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)
    x0, y0, x1, y1 = inside
    (mean,) = means_of(frames, [inside])[0]
    assert np.isnan(mean) if x0 == x1 else mean == frames[0, y0:y1, x0:x1].mean()


def test_the_file_of_a_camera_with_a_region_of_interest_has_the_means_of_what_was_meant() -> None:
    """The regions of the settings are those of the sensor, as the page draws them."""
    settings = validate({"preview": {"regions": {"eye": [110, 60, 120, 70]}}, "analysis": {"regions": True}})
    form = FrameFormat(30, 40, np.dtype(np.uint16))
    camera = CameraDescription("edge", "1", form, 100.0, {"roi": "101,51,140,80"})
    assert describe_file(settings, camera, 4).regions == {"eye": (10, 10, 20, 20)}
