"""What a report is made of: intervals, samples, and lines that are reduced to what can be seen."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.files.opened.recording import open_files
from recorder.files.probe import Probe
from recorder.files.report import samples as reading
from recorder.files.report.found import find
from recorder.files.report.intervals import intervals_of
from recorder.files.report.plots import COLUMNS, envelope, histograms, timeline
from recorder.files.report.samples import read_samples
from recorder.frames.pool import FrameFormat
from recorder.storage.layout import JOURNAL_SUFFIX
from tests.unit.files.opened.recordings import Written, written


def test_intervals_are_those_within_a_file_and_regular_ones_miss_no_frame() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.5, 0.6, 90.0, 90.1])
    numbers = np.array([1, 2, 3, 6, 7, 1, 2], np.uint64)
    found = intervals_of(times, numbers, [slice(0, 5), slice(5, 7)])
    assert found.seconds == pytest.approx([0.1, 0.1, 0.3, 0.1, 0.1])
    assert found.regular == pytest.approx([0.1, 0.1, 0.1, 0.1])
    assert found.after.tolist() == [0, 1, 2, 3, 5]
    assert found.at_s == pytest.approx([0.1, 0.2, 0.5, 0.6, 90.1])
    assert found.median_s == pytest.approx(0.1)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
)
def test_an_envelope_leaves_out_nothing_that_sticks_out(values: list[float], columns: int, seed: int) -> None:
    y = np.array(values)
    x = np.cumsum(np.random.default_rng(seed).exponential(1.0, len(y)))
    at, line = envelope(x, y, columns)
    assert len(at) == len(line) <= max(2 * columns, 1)
    assert (np.diff(at) >= 0).all()
    assert (line.min(), line.max()) == (y.min(), y.max())
    # Of each column as well: what is drawn between two places is what was there.
    starts = np.unique(at)
    for begin, end in zip(starts, [*starts[1:], np.inf], strict=True):
        here, drawn = y[(x >= begin) & (x < end)], line[at == begin]
        assert (drawn.min(), drawn.max()) == (here.min(), here.max())


def test_an_envelope_has_no_more_points_than_dots_and_knows_no_nan() -> None:
    x = np.arange(1_000_000.0)
    y = np.zeros(len(x))
    y[777_777], y[5], y[123_456] = 9.0, np.nan, -3.0
    at, line = envelope(x, y)
    assert len(at) == 2 * COLUMNS
    assert (line.max(), line.min()) == (9.0, -3.0)
    assert abs(at[line.argmax()] - 777_777) <= len(x) / COLUMNS
    few = envelope(np.array([1.0, 2.0]), np.array([5.0, np.nan]))
    assert [part.tolist() for part in few] == [[1.0], [5.0]]


def test_samples_are_all_frames_of_a_short_recording(tmp_path: Path, probe: Probe) -> None:
    frames = written(tmp_path / "x.h5", chunks=6)
    heard: list[tuple[int, int]] = []
    with open_files([tmp_path / "x.h5"], probe) as recording:
        found = read_samples(recording.frames, 16, lambda done, count: heard.append((done, count)))
    assert found.indices.tolist() == list(range(24))
    np.testing.assert_allclose(found.means, frames.mean(axis=(1, 2)))
    np.testing.assert_array_equal(found.brightest, frames.max(axis=(1, 2)))
    assert heard[-1] == (24, 24)
    assert [one.index for one in found.pictures] == [0, 5, 9, 14, 18, 23]
    shown = frames[[one.index for one in found.pictures]]
    np.testing.assert_array_equal(found.values, np.bincount(shown.reshape(-1), minlength=65536))
    # Black and white are levels of the frames that are shown, the same for all.
    low, high = found.levels
    assert (found.pictures[2].greys[shown[2] <= low] == 0).all()
    assert (found.pictures[2].greys[shown[2] >= high] == 255).all()


def test_samples_of_a_long_recording_are_frames_at_equal_distances(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = written(tmp_path / "x.h5", chunks=10)
    monkeypatch.setattr(reading, "MAX_BYTES", 9 * frames[0].nbytes)
    with open_files([tmp_path / "x.h5"], probe) as recording:
        found = read_samples(recording.frames, 16, lambda _done, _all: None)
        assert (len(found.indices), found.count) == (9, 40)
        assert (found.indices[0], found.indices[-1]) == (0, 39)
        assert set(np.diff(found.indices)) <= {4, 5}
        np.testing.assert_allclose(found.means, frames[found.indices].mean(axis=(1, 2)))
        assert len(found.pictures) == 6
        monkeypatch.setattr(reading, "MAX_FRAMES", 7)
        assert len(read_samples(recording.frames, 16, lambda _done, _all: None).indices) == 7


def test_large_frames_are_shown_by_means_and_saturated_ones_are_counted(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "x.h5", FrameFormat(700, 1000, np.dtype(np.uint16)))
    file.write(2)
    file.close()
    with open_files([tmp_path / "x.h5"], probe) as recording:
        # Random pixels: with 12 bit nearly all would be saturated.
        found = read_samples(recording.frames, 12, lambda _done, _all: None)
        assert (found.saturation, found.saturated) == (4095, 2)
        assert found.pictures[0].greys.shape == (233, 333)
        expected = file.frames[0, :699, :999].reshape(233, 3, 333, 3).mean(axis=(1, 3))
        order = np.argsort(expected, axis=None)
        assert (np.diff(found.pictures[0].greys.reshape(-1)[order].astype(int)) >= 0).all()


def test_a_timeline_has_marks_losses_and_the_begin_of_each_file(tmp_path: Path, probe: Probe) -> None:
    one = Written(tmp_path / "a.h5", regions={"eye": (0, 0, 3, 3)})
    for lost in (0, 0, 3):
        one.write(lost=lost)
    one.mark(6, "puff")
    one.close()
    written(tmp_path / "b.h5", first=16)
    (tmp_path / f"a{JOURNAL_SUFFIX}").write_text('{"next_file": "b.h5", "run": 1}\n')
    with open_files([tmp_path], probe) as recording:
        found = find(recording, lambda _done, _all: None)
        what = timeline(found)
        assert (found.lost, len(found.recording), found.exposures) == (3, 32, [(0, 0.005)])
        ((at, label),) = what.marks
        assert at == pytest.approx(0.06)
        assert label == "puff"
        assert [part.tolist() for part in what.losses] == [[pytest.approx(0.07)], [3.0]]
        assert list(what.borders) == [recording.time[12]]
        # The exposure is always the same: it is told, and not drawn.
        assert [panel.title.partition(" (")[0] for panel in what.panels] == [
            "frame interval",
            "mean of the frame",
            "mean of regions",
            "arrived late by",
        ]
        ((name, (moments, means)),) = what.panels[2].lines
        assert name == "eye"
        # The second file has none of it.
        assert moments.tolist() == recording.time[:12].tolist()
        np.testing.assert_allclose(means, one.frames[:, :3, :3].mean(axis=(1, 2)))
        assert [each.title.partition(" (")[0] for each in histograms(found)] == [
            "frame interval",
            "arrived late by",
            "pixel values",
        ]
        assert [int(each.counts.sum()) for each in histograms(found)] == [30 - 1, 32, 6 * 24 * 40]
