"""What a report says is what is so."""

from pathlib import Path

import pytest

from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import open_files
from recorder.files.probe import Probe
from recorder.files.report import words
from recorder.files.report.found import Found, find
from recorder.frames.ledger import Cause
from recorder.storage.recording import Recording
from recorder.storage.records import CommandRow, Verdict
from recorder.units import seconds_text
from tests.unit.files.opened.recordings import Written


def found_in(path: Path, probe: Probe) -> Found:
    with open_files([path], probe) as recording:
        return find(recording, lambda _done, _all: None)


@pytest.mark.parametrize(
    ("verdict", "lost", "mood", "says"),
    [
        (Verdict.COMPLETE, 0, "good", "Every frame that the camera exposed is there: 8 frames, none lost."),
        (Verdict.FRAMES_LOST, 3, "bad", "3 of 11 frames are missing (27 %), in one place: 3 because the"),
        (Verdict.INTERRUPTED, 0, "open", "It ended so: a reason. No frame was lost."),
        (Verdict.INTERRUPTED, 2, "bad", "It ended so: a reason. 2 of 10 frames are missing (20 %)"),
        (Verdict.FAILED, 0, "bad", "It ended so: a reason. No frame was lost."),
        # Where triggers were missed, no row of a table says so.
        (Verdict.FRAMES_LOST, 0, "bad", "It ended so: a reason."),
    ],
)
def test_the_verdict_is_that_of_the_file(
    tmp_path: Path, probe: Probe, verdict: Verdict, lost: int, mood: str, says: str
) -> None:
    file = Written(tmp_path / "x.h5")
    file.write()
    file.write(lost=lost)
    file.close(verdict, "a reason")
    told = words.verdict(found_in(tmp_path / "x.h5", probe))
    assert (told.word, told.mood) == (verdict, mood)
    assert " ".join(told.sentences).startswith(says)


def test_a_verdict_never_hides_losses(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "x.h5")
    file.write()
    file.write(lost=3)
    file.close(Verdict.COMPLETE)
    told = words.verdict(found_in(tmp_path / "x.h5", probe))
    assert (told.word, told.mood) == ("frames lost", "bad")


def test_a_file_that_grows_is_told_from_one_that_was_left(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Written(tmp_path / "x.h5")
    file.write()
    told = words.verdict(found_in(tmp_path / "x.h5", probe))
    assert (told.word, told.mood) == ("still being recorded", "open")
    # As after a kill: nobody has it open any more.
    monkeypatch.setattr("recorder.files.opened.problems.is_being_written", lambda *_, **__: False)
    with pytest.warns(RecoverWarning):
        killed = found_in(tmp_path / "x.h5", probe)
    told = words.verdict(killed)
    assert (told.word, told.mood) == ("not closed", "bad")
    assert f"recorder recover {tmp_path / 'x.h5'} closes it" in told.sentences[-1]
    file.close()


def test_every_cause_of_a_loss_has_words() -> None:
    assert set(words.CAUSES) == {cause.words for cause in Cause}


def test_memory_and_disk_are_told_as_status_answered(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (
        "running, saving x.h5 (direct); 120 frames written (90 durable), 122 delivered, 3 lost; "
        "97.7 frames/s, 68 MB/s; exposure 5ms; sensor 7.0 °C; pool 4%; "
        "longest pause of the camera thread 1.5 ms; longest write 15.9 ms and sync 4.8 ms; "
        "disk 74.9 GB free; preview off"
    )
    row = CommandRow(1, "2026-11-30T09:00:56.074+00:00", 1.0, 3, "a", "status", "ok", answer, -1, 4, -1)

    def close_with_status(file: Recording, verdict: Verdict, cause: str) -> None:
        file.add_rows([row])
        close(file, verdict, cause)

    close = Recording.close
    monkeypatch.setattr(Recording, "close", close_with_status)
    file = Written(tmp_path / "x.h5")
    file.write()
    file.close()
    told = words.disk_facts(found_in(tmp_path / "x.h5", probe))
    assert told == {
        "written": "buffered: through the page cache",
        "last status": "2026-11-30 09:00:56 UTC",
        "memory in use": "4%",
        "longest time without reading the camera": "1.5 ms",
        "longest write": "15.9 ms",
        "longest sync": "4.8 ms",
        "free on the disk": "74.9 GB",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (12e-9, "12 ns"),
        (1.5e-6, "1.5 µs"),
        (0.0100002, "10 ms"),
        (59.9, "59.9 s"),
        (-0.005, "-5 ms"),
        (60, "1 min"),
        (3725, "1 h 2 min 5 s"),
        (36000, "10 h"),
    ],
)
def test_measured_times_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_a_recording_without_a_frame_is_told_of(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "x.h5")
    file.close(Verdict.FAILED)
    found = found_in(tmp_path / "x.h5", probe)
    assert found.samples is None
    assert words.facts(found)["frames"].startswith("0 of 40 x 24 pixels")
    assert (words.interval_text(found), words.clock_facts(found)) == ("", {})
