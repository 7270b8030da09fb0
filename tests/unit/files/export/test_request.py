"""What is asked for: the same at the command line and in Python; what archives want; several files."""

from pathlib import Path
from typing import Any

import numpy as np
import nwbinspector
import pynwb
import pytest
from click.testing import CliRunner

import recorder
from recorder.cli.export import export
from recorder.errors import UsageError
from recorder.files.opened.recording import OpenedRecording
from tests.unit.files.export.test_formats import exported, frames_of
from tests.unit.files.opened.recordings import written


def test_python_takes_the_words_of_the_command_line(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    (cut,) = recording.export(tmp_path / "a.npy", frames="3:40", every=5, roi=(5, 2, 21, 10), bin=2)
    same = exported(
        path, tmp_path / "b.npy", "--frames", "3:40", "--every", "5", "--roi", "5,2,21,10", "--bin", "2"
    )
    assert cut.read_bytes() == same.read_bytes()
    clips = recording.export(str(tmp_path / "clip.npy"), around="trial*", before="50ms", after="20ms")
    assert [clip.name for clip in clips] == ["clip_trial1.npy", "clip_trial2.npy"]
    with pytest.raises(UsageError, match=r"--speed: is for films"):
        recording.export(tmp_path / "c.npy", speed="2x")


def test_what_was_said_while_it_ran_is_known(recording: OpenedRecording) -> None:
    assert recording.said == {"subject": "mouse 3", "species": "Mus musculus", "sex": "F", "age": "P90D"}


def test_what_an_archive_will_miss_is_said_with_how_to_give_it(tmp_path: Path) -> None:
    """The inspector of the archive DANDI agrees, both times."""
    frames = written(tmp_path / "x.h5", chunks=1)

    def problems(out: Path) -> set[str]:
        config = nwbinspector.load_config("dandi")
        messages = nwbinspector.inspect_nwbfile(nwbfile_path=out, config=config)
        return {message.check_function_name for message in messages if message.importance.name == "CRITICAL"}

    def told(out: Path, *options: str) -> str:
        done = CliRunner().invoke(export, [str(tmp_path / "x.h5"), str(out), *options], standalone_mode=False)
        assert done.exception is None
        assert np.array_equal(frames_of(out), frames)
        return done.stderr

    advice = told(tmp_path / "a.nwb")
    said = ("subject=M12", "species=Mus musculus", "sex=F", "age=P90D")
    given = [word for one in said for word in ("--meta", one)]
    assert advice.count("\n") == 1
    assert advice.startswith(
        "recorder: a.nwb: for the archive DANDI add --meta subject=M12 --meta 'species=Mus musculus' "
        "--meta sex=F --meta age=P90D (or [metadata]"
    )
    assert problems(tmp_path / "a.nwb") == {"check_subject_exists"}
    assert told(tmp_path / "b.nwb", *given) == ""
    assert problems(tmp_path / "b.nwb") == set()
    with pynwb.NWBHDF5IO(str(tmp_path / "b.nwb"), "r") as io:
        assert io.read().subject.subject_id == "M12"
    assert "add --meta age=P90D (" in told(tmp_path / "c.nwb", *given[:-2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frame": "1:2"}, "frame: export has no such option; did you mean frames"),
        ({"frames": (1, 2)}, r"--frames \(1, 2\): write FIRST:STOP"),
        ({"before": 0.2}, "--before 0.2: a time needs a unit"),
        ({"bin": 0}, "--bin 0: write a number from 1"),
        ({"every": -1}, "--every -1: write a number from 1"),
        ({"meta": {"1st": 2}}, '--meta 1st: "1st" is no key'),
    ],
)
def test_what_is_wrong_in_python_is_one_line(
    recording: OpenedRecording, tmp_path: Path, options: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        recording.export(tmp_path / "x.npy", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["subject", "subject=", "1st=2", "=x"])
def test_what_is_said_wrongly_is_refused(path: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=f"--meta {text.partition('=')[0]}: "):
        exported(path, tmp_path / "x.npy", "--meta", text)


def test_several_files_are_one_recording(tmp_path: Path) -> None:
    parts = [written(tmp_path / "a.h5", chunks=2), written(tmp_path / "b.h5", chunks=1, first=9)]
    out = exported(tmp_path / "a.h5", tmp_path / "b.h5", str(tmp_path / "out.npy"))
    assert out.exists()
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.concatenate(parts))
    with recorder.open(tmp_path / "a.h5", tmp_path / "b.h5") as both:
        assert len(both) == 12
