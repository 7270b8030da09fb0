"""What is left of a file whose recorder was killed, or that another program laid hands on."""

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from recorder.camera import timestamp
from recorder.storage.file_bytes import OnDisk
from recorder.storage.layout import DETECTOR
from recorder.storage.superblock import Superblock, lookup3
from tests.conftest import need
from tests.system.conftest import Recorder
from tests.system.test_run import FAST, started


def killed(tmp_path: Path, mode: str = "direct") -> tuple[Path, int]:
    """A file of a recorder that was killed, and how many frames it had committed."""
    run = started(tmp_path, *FAST, "--set", f"storage.mode={mode}")
    run.kill()
    run.communicate()
    path = tmp_path / "x.h5"
    with h5py.File(path, "r", swmr=True) as file:
        return path, len(file[DETECTOR]["frame_number"])


def check_every_frame(path: Path, frames: int) -> None:
    """The file opens like any other, and its frames are those of their numbers."""
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["frame_number"][:]
        assert len(file["data"]) == len(numbers) == len(file[DETECTOR]["frame_time"]) == frames
        for i, number in enumerate(numbers):
            stamp = timestamp.read(file["data"][i])
            assert stamp is not None
            assert stamp.number == number == i + 1


@pytest.mark.parametrize("mode", ["direct", "buffered"])
def test_recover_closes_the_file_of_a_killed_recorder(recorder: Recorder, tmp_path: Path, mode: str) -> None:
    path, frames = killed(tmp_path, mode)
    done = recorder("recover", path)
    assert (done.code, done.out) == (0, f"{path}: recovered with {frames} frames\n")
    check_every_frame(path, frames)
    with h5py.File(path) as file:
        assert file["entry/verdict"][()] == b"failed"
        assert b"killed" in file["entry/cause"][()]
        assert file["entry/end_time"][()] > file["entry/start_time"][()]
    again = recorder("recover", path)
    assert "closed in order, nothing to do" in again.out
    check_every_frame(path, frames)


def test_blocks_that_were_half_full_survive_whatever_mends_the_file(
    recorder: Recorder, tmp_path: Path
) -> None:
    """Frames come more slowly than was planned, and marks while none comes."""
    (tmp_path / "slow.txt").write_text("wait 300ms\nexposure 40ms\nwait 500ms\nmark a\nmark b\nwait 1h\n")
    run = started(tmp_path, *FAST, "--script", tmp_path / "slow.txt")
    time.sleep(1.5)
    run.kill()
    run.communicate()
    path, copy = tmp_path / "x.h5", tmp_path / "copy.h5"
    with h5py.File(path, "r", swmr=True) as file:
        frames = len(file[DETECTOR]["frame_number"])
    shutil.copy(path, copy)
    assert recorder("recover", path).code == 0
    check_every_frame(path, frames)
    need(shutil.which("h5clear"), "h5clear (hdf5-tools)")
    subprocess.run(["h5clear", "-s", copy], check=True)
    check_every_frame(copy, frames)
    for mended in (path, copy):
        with h5py.File(mended) as file:
            assert [row["label"] for row in file["entry/marks"]] == [b"a", b"b"]


def test_a_note_of_another_file_beside_it_counts_for_nothing(recorder: Recorder, tmp_path: Path) -> None:
    """Older recorders left a note beside a file whose recovery was interrupted, with the length it had."""
    path, frames = killed(tmp_path)
    note = tmp_path / "x.h5.recovering"
    note.write_text(str(path.stat().st_size // 2))
    assert recorder("recover", path).code == 0
    check_every_frame(path, frames)
    assert "nothing to do" in recorder("recover", path).out
    check_every_frame(path, frames)
    assert note.exists()


def test_one_file_that_cannot_be_recovered_keeps_no_other_from_it(recorder: Recorder, tmp_path: Path) -> None:
    path, frames = killed(tmp_path)
    (tmp_path / "a.txt").write_text("hello")
    done = recorder("recover", tmp_path / "a.txt", path)
    assert (done.code, done.out) == (2, f"{path}: recovered with {frames} frames\n")
    assert "a.txt" in done.err


def test_recover_finds_the_end_of_a_file_whose_beginning_does_not_tell_it(
    recorder: Recorder, tmp_path: Path
) -> None:
    path, frames = killed(tmp_path)
    with path.open("r+b") as file:
        disk = OnDisk(file.fileno())
        replace(Superblock.read(disk, path), end=14_803).write(disk)
    assert recorder("recover", path).code == 0
    check_every_frame(path, frames)


def test_recover_keeps_what_a_copy_that_was_cut_short_still_has(recorder: Recorder, tmp_path: Path) -> None:
    path, frames = killed(tmp_path)
    os.truncate(path, path.stat().st_size * 2 // 3)
    assert "cut short; recorder recover keeps what can be read" in recorder("info", path).err
    done = recorder("recover", path)
    with h5py.File(path) as file:
        left = len(file["data"])
        assert b"killed" in file["entry/cause"][()]
    assert (
        done.out
        == f"{path}: recovered with {left} frames; {frames - left} more have no pixels and are gone\n"
    )
    assert 10 < left < frames
    check_every_frame(path, left)


def test_recover_keeps_what_a_cut_copy_of_a_whole_file_still_has(recorder: Recorder, tmp_path: Path) -> None:
    recorder("run", "--headless", "--frames", 300, "--output", "x.h5", *FAST)
    path = tmp_path / "x.h5"
    os.truncate(path, path.stat().st_size * 2 // 3)
    told = recorder("info", path)
    assert (told.code, told.err) == (
        2,
        f"recorder: {path}: cut short; recorder recover keeps what can be read\n",
    )
    assert recorder("recover", path).code == 0
    with h5py.File(path) as file:
        left = len(file["data"])
        assert b"cut short" in file["entry/cause"][()]
        assert file["entry/verdict"][()] == b"failed"
    assert 10 < left < 300
    check_every_frame(path, left)


def test_the_tool_of_hdf5_cuts_nothing_off(tmp_path: Path) -> None:
    need(shutil.which("h5clear"), "h5clear (hdf5-tools)")
    path, frames = killed(tmp_path)
    subprocess.run(["h5clear", "-s", path], check=True)
    check_every_frame(path, frames)


def test_a_file_that_is_being_written_is_left_alone(recorder: Recorder, tmp_path: Path) -> None:
    run = started(tmp_path, *FAST)
    done = recorder("recover", tmp_path / "x.h5")
    assert (done.code, done.err) == (
        2,
        f"recorder: {tmp_path / 'x.h5'}: a recorder writes to it; stop that first\n",
    )
    run.terminate()
    run.communicate(timeout=20)
    assert run.returncode == 130


def test_a_file_that_another_program_cuts_while_it_grows_is_told(tmp_path: Path) -> None:
    run = started(tmp_path, *FAST)
    path = tmp_path / "x.h5"
    os.truncate(path, path.stat().st_size - 2_000_000)
    run.terminate()
    out, err = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "another program changed this file while it was written" in err
    assert '"verdict": "failed"' in out
    with h5py.File(path) as file:
        assert b"another program changed this file" in file["entry/cause"][()]


def test_the_tool_of_hdf5_on_a_growing_file_does_no_harm_in_silence(tmp_path: Path) -> None:
    need(shutil.which("h5clear"), "h5clear (hdf5-tools)")
    run = started(tmp_path, *FAST)
    path = tmp_path / "x.h5"
    subprocess.run(["h5clear", "-s", path], check=True)
    time.sleep(0.3)
    run.terminate()
    _, err = run.communicate(timeout=20)
    with h5py.File(path) as file:
        frames = len(file["data"])
        is_told = b"another program changed this file" in file["entry/cause"][()]
    assert is_told == (run.returncode == 1) == ("another program changed" in err)
    if not is_told:
        check_every_frame(path, frames)


@pytest.mark.parametrize("kind", ["nothing", "text", "foreign", "damaged"])
def test_what_cannot_be_recovered_is_told_in_one_line_and_not_touched(
    recorder: Recorder, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x.h5"
    match kind:
        case "text":
            path.write_text("hello")
        case "foreign":
            with h5py.File(path, "w") as file:
                file["data"] = [1, 2, 3]
        case "damaged":
            killed(tmp_path)
            with path.open("r+b") as raw:
                raw.seek(30)
                raw.write(b"\x55\x55")
    before = path.read_bytes() if path.exists() else b""
    done = recorder("recover", path)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "x.h5" in line
    assert before == (path.read_bytes() if path.exists() else b"")


def test_the_checksum_is_the_one_of_its_author() -> None:
    # From the driver in Bob Jenkins' lookup3.c.
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551
