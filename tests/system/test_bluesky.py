"""Scans of bluesky's real RunEngine with a recorder as their detector; the files are the recorder's own."""

import importlib.util
import itertools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import recorder
from tests.conftest import need
from tests.system.conftest import ROOT

# Importing bluesky and tiled takes seconds on a busy computer.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _installed() -> None:
    missing = [name for name in ("bluesky", "ophyd_async", "tiled") if importlib.util.find_spec(name) is None]
    need(not missing, ", ".join(missing) or "nothing")


@dataclass(frozen=True)
class Scan:
    """What one scan left: documents, what the plan raised, frames as bluesky reads them, and the files."""

    documents: list[tuple[str, dict[str, Any]]]
    raised: str
    frames: NDArray[Any] | None
    files: list[Path]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [document for kind, document in self.documents if kind == name]


def scanned(scenario: str, folder: Path) -> Scan:
    command = [sys.executable, "-m", "tests.system.bluesky_scans", scenario, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    stored = folder / "consolidated.npy"
    return Scan(
        [(name, document) for name, document in told["documents"]],
        told["raised"],
        np.load(stored) if stored.exists() else None,
        sorted(folder.glob("*.h5")),
    )


def require_valid(scan: Scan) -> None:
    """Have event-model check every document against its schema."""
    from event_model import DocumentNames, schema_validators

    for name, document in scan.documents:
        schema_validators[DocumentNames[name]].validate(document)


def test_count_has_a_frame_for_each_event_and_bluesky_reads_the_pixels_of_the_file(tmp_path: Path) -> None:
    scan = scanned("count", tmp_path)
    assert scan.raised == ""
    require_valid(scan)
    assert len(scan.named("event")) == 10
    assert [each["indices"] for each in scan.named("stream_datum")] == [
        {"start": i, "stop": i + 1} for i in range(10)
    ]
    (resource,) = scan.named("stream_resource")
    (file,) = scan.files
    assert resource["uri"] == f"file://localhost{file}"
    with recorder.open(file) as recording:
        assert recording.verdict == "complete"
        assert resource["parameters"] == {
            "chunk_shape": [recording.contents[0].pixels.frames_per_chunk, 32, 64],
            "dataset": "/entry/instrument/detector/data",
            "swmr": True,
        }
        assert recording.frames.shape == (10, 32, 64)
        assert recording.frame_number.tolist() == list(range(1, 11))
        np.testing.assert_array_equal(scan.frames, recording.frames[:])


def test_a_fly_scan_has_the_first_frames_of_its_file(tmp_path: Path) -> None:
    scan = scanned("fly", tmp_path)
    assert scan.raised == ""
    require_valid(scan)
    indices = [each["indices"] for each in scan.named("stream_datum")]
    assert (indices[0]["start"], indices[-1]["stop"]) == (0, 20)
    assert all(one["stop"] == after["start"] for one, after in itertools.pairwise(indices))
    (file,) = scan.files
    with recorder.open(file) as recording:
        assert not len(recording.losses)
        np.testing.assert_array_equal(scan.frames, recording.frames[:20])


def test_an_event_of_five_frames_each_triggered(tmp_path: Path) -> None:
    scan = scanned("five each", tmp_path)
    assert scan.raised == ""
    require_valid(scan)
    assert scan.named("stream_datum")[-1]["indices"]["stop"] == 3
    assert scan.named("descriptor")[0]["data_keys"]["camera"]["shape"] == [5, 32, 64]
    with recorder.open(scan.files[0]) as recording:
        np.testing.assert_array_equal(scan.frames, recording.frames[:])
        assert len(recording) == 15


def test_a_drop_in_a_fly_scan_fails_it_and_no_document_tells_of_frames_behind_it(tmp_path: Path) -> None:
    scan = scanned("fly dropped", tmp_path)
    require_valid(scan)
    assert "2 frames of the scan are lost: counter 150 to 151 (counter gap)" in scan.raised
    assert scan.named("stop")[0]["exit_status"] == "fail"
    (file,) = scan.files
    with recorder.open(file) as recording:
        before = int(recording.losses["after_frame"][0]) + 1
        told = [each["indices"]["stop"] for each in scan.named("stream_datum")]
        assert max(told, default=0) <= before
        assert len(recording) > before


def test_a_drop_of_a_triggered_frame_fails_its_event(tmp_path: Path) -> None:
    scan = scanned("count dropped", tmp_path)
    require_valid(scan)
    assert "the frame of trigger 5 did not come within 2 s: it is lost" in scan.raised
    assert len(scan.named("event")) == 4
    assert scan.named("stop")[0]["exit_status"] == "fail"
    (file,) = scan.files
    with recorder.open(file) as recording:
        assert (len(recording), recording.verdict) == (4, "frames lost")
        np.testing.assert_array_equal(scan.frames, recording.frames[:])


def test_what_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    refused = scanned("livetime", tmp_path)
    assert "camera.exposure and camera.rate hold" in refused.raised
    assert not refused.files


def test_a_file_of_which_nobody_knows_where_it_is_seen_is_refused(tmp_path: Path) -> None:
    refused = scanned("relative", tmp_path)
    assert "a path from where it was started; give it a whole one as recording.output" in refused.raised
    assert not refused.named("event")


def test_a_step_scan_of_a_camera_that_runs_by_itself_is_refused(tmp_path: Path) -> None:
    scan = scanned("count free running", tmp_path)
    assert 'events of a step scan want camera.trigger = "software trigger"' in scan.raised
    assert len(scan.named("event")) == 1
    with recorder.open(scan.files[0]) as recording:
        np.testing.assert_array_equal(scan.frames, recording.frames[:1])


def test_the_example_of_the_notes_runs(tmp_path: Path) -> None:
    scan = scanned("example", tmp_path)
    counts = []
    for file in scan.files:
        with recorder.open(file) as recording:
            counts.append((len(recording), recording.verdict))
    assert counts == [(10, "complete"), (50, "complete")]
