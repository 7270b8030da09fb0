"""Whoever looks at a file whose values were moved is told so, and by how much at most."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recorder.camera.playback import PlaybackCamera
from recorder.cli.info import _rows
from recorder.files.opened.recording import open_files
from recorder.files.probe import Probe, probing
from recorder.files.reader import describe
from recorder.files.recorded_source import RecordedSource
from recorder.files.report import words
from recorder.files.report.found import find
from recorder.frames.pool import Pool
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import SMALL, fill, take
from tests.unit.storage import test_recording

LADDER = NoiseLadder(NoiseModel(0.46, 1.5, 100), 0.5)
SAID = (
    "shot-noise 0.5: values moved by 64 counts at most, "
    "which adds 2.1 % to the variance of their noise at most"
)


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, Path())
        yield one


def write(path: Path, ladder: NoiseLadder | None) -> Path:
    what = replace(test_recording.describe(SMALL, 4), is_packed=True, ladder=ladder)
    recording = Recording(path, what, "buffered")
    with fill(take(Pool(SMALL, 4, 8 * SMALL.nbytes)), 0, 4, 1) as span:
        recording.append([span])
    recording.finish()
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    return path


def test_every_reader_is_told(tmp_path: Path, probe: Probe) -> None:
    path = write(tmp_path / "x.h5", LADDER)
    told = describe(path)
    assert told.detector.items() >= LADDER.details().items()
    rows = _rows(told)
    assert rows["pixels"] == SAID
    assert not any(name.startswith("lossy_") for name in rows)
    with open_files([path], probe) as recording:
        assert recording.metadata["instrument/detector/lossy_largest_error"] == 64
        assert f"  pixels  {SAID}\n" in repr(recording)
        assert words.disk_facts(find(recording, lambda *_: None))["pixels"] == SAID


def test_of_exact_pixels_nobody_says_anything(tmp_path: Path, probe: Probe) -> None:
    path = write(tmp_path / "x.h5", None)
    assert "pixels" not in _rows(describe(path))
    with open_files([path], probe) as recording:
        assert "pixels" not in repr(recording)
        assert "pixels" not in words.disk_facts(find(recording, lambda *_: None))


def test_what_is_so_of_pixels_is_so_when_they_are_played(tmp_path: Path) -> None:
    source = RecordedSource(write(tmp_path / "x.h5", LADDER))
    camera = PlaybackCamera(source, np.inf, loop=False, frames=None)
    details = camera.open().details
    camera.close()
    assert details.items() >= LADDER.details().items()
    assert details["trigger_mode"] == "playback"
