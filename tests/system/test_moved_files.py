"""Files that are renamed, replaced or removed while a recorder writes them."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.system.conftest import COMMAND, Result
from tests.system.test_recover import check_every_frame
from tests.system.test_run import FAST

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no file that is open")

# The first 0.3 s of frames, then what is done to the files, seen at most a second later.
SCRIPT = "wait 300ms\nmark ready\nwait 2500ms\nsave new\nwait 300ms\nquit\n"


def session(tmp_path: Path, act: Callable[[Path], object], script: str = SCRIPT) -> Result:
    """Record into rig/x.h5 by a script; once its mark is there, `act` on the folder."""
    folder = tmp_path / "rig"
    (tmp_path / "script.txt").write_text(script)
    options = ["--headless", "--json", "--script", "script.txt", "--output", "rig/x.h5"]
    command = [*COMMAND, "run", *options, *map(str, FAST)]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = folder / "x.commands.jsonl"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (journal.exists() and "ready" in journal.read_text()):
        time.sleep(0.02)
    act(folder)
    out, err = run.communicate(timeout=40)
    assert "Traceback" not in err
    return Result(run.returncode, out, err)


def frames_of(done: Result) -> dict[str, int]:
    return {entry["file"]: entry["frames"] for entry in done.json["files"]}


def test_a_file_that_is_renamed_is_followed(tmp_path: Path) -> None:
    done = session(tmp_path, lambda rig: (rig / "x.h5").rename(rig / "y.h5"))
    assert (done.code, done.json["verdict"]) == (0, "complete"), done.err
    assert "rig/x.h5 was moved while it was written, and is" in done.err
    y = tmp_path / "rig" / "y.h5"
    check_every_frame(y, frames_of(done)[str(y)])
    assert len(frames_of(done)) == 2


def test_a_folder_that_is_renamed_is_followed(tmp_path: Path) -> None:
    done = session(tmp_path, lambda rig: rig.rename(tmp_path / "away"))
    assert (done.code, done.json["verdict"]) == (0, "complete"), done.err
    moved = tmp_path / "away" / "x.h5"
    check_every_frame(moved, frames_of(done)[str(moved)])
    assert "quit" in (tmp_path / "away" / "x.commands.jsonl").read_text()


def test_a_file_that_is_removed_is_reported_at_once_and_the_next_one_is_whole(tmp_path: Path) -> None:
    done = session(tmp_path, lambda rig: (rig / "x.h5").unlink())
    assert (done.code, done.json["verdict"]) == (1, "failed"), done.err
    assert "rig/x.h5 was removed while it was written" in done.err
    with h5py.File(tmp_path / "rig" / "x_2.h5") as file:
        assert file["entry/verdict"][()] in {b"complete", b"failed"}
        assert len(file["data"]) > 100


def test_another_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    def replace(rig: Path) -> None:
        (rig / "other").write_text("precious")
        (rig / "other").replace(rig / "x.h5")

    done = session(tmp_path, replace)
    assert (done.code, done.json["verdict"]) == (1, "failed"), done.err
    assert "was removed while it was written" in done.err
    assert (tmp_path / "rig" / "x.h5").read_text() == "precious"


def test_a_journal_that_is_removed_ends_nothing(tmp_path: Path) -> None:
    script = "wait 300ms\nmark ready\nwait 1500ms\nquit\n"
    done = session(tmp_path, lambda rig: (rig / "x.commands.jsonl").unlink(), script)
    assert (done.code, done.json["verdict"]) == (0, "complete"), done.err
    check_every_frame(tmp_path / "rig" / "x.h5", done.json["frames"])
