"""`recorder compress` as it is typed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - the filter
import numpy as np
import pytest

from tests.system.conftest import COMMAND
from tests.unit.files.compress.conftest import FORM, FRAMES, record
from tests.unit.files.opened.recordings import Written


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "compress", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_says_what_it_did_and_the_worst_file_counts(tmp_path: Path) -> None:
    file = record(tmp_path / "x.h5")
    (tmp_path / "no.h5").write_text("hello")
    (tmp_path / ".x.compressed.h5.00000000.compressing").write_text("half")
    done = run(tmp_path, "no.h5", "x.h5")
    assert done.returncode == 2
    said = done.stdout.strip()
    assert said.startswith(f"x.h5: {tmp_path}/x.compressed.h5, ")
    assert said.endswith(f" GB, {FRAMES} frames read back and compared")
    assert done.stderr.splitlines() == [
        "recorder: " + f"{tmp_path}/no.h5: not an HDF5 file; expected a file that this recorder wrote",
        "recorder: "
        + f"{tmp_path}/.x.compressed.h5.00000000.compressing: left by one that was killed, and removed",
    ]
    assert names(tmp_path) == ["no.h5", "x.compressed.h5", "x.h5"]
    with h5py.File(tmp_path / "x.compressed.h5") as opened:
        assert np.array_equal(opened["data"][:], file.frames)


def test_in_place_and_into_a_folder(tmp_path: Path) -> None:
    record(tmp_path / "x.h5")
    (tmp_path / "archive").mkdir()
    assert run(tmp_path, "x.h5", "--output", "archive", "--codec", "lz4").returncode == 0
    assert names(tmp_path / "archive") == ["x.h5"]
    size = (tmp_path / "x.h5").stat().st_size
    assert run(tmp_path, "x.h5", "--in-place").returncode == 0
    assert (tmp_path / "x.h5").stat().st_size < size
    again = run(tmp_path, "x.h5", "--in-place")
    assert (again.returncode, again.stdout) == (
        0, "x.h5: stays as it is: it is compressed with zstd already\n"
    )  # fmt: skip
    assert names(tmp_path) == ["archive", "x.h5"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["x.h5", "--in-place", "--output", "y.h5"], "--in-place and --output contradict each other"),
        (["x.h5", "y.h5", "--output", "z.h5"], "z.h5: one file for 2 recordings; name a folder"),
        (["x.h5", "--output", "nowhere"], "no such folder as nowhere; make it first"),
        (["gone.h5"], "gone.h5: no such file"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, arguments: list[str], text: str) -> None:
    record(tmp_path / "x.h5")
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert names(tmp_path) == ["x.h5"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_nothing(tmp_path: Path, number: signal.Signals) -> None:
    file = Written(tmp_path / "x.h5", FORM, keep=False, levels=16)
    for _ in range(500):
        file.write()
    file.close()
    content = file.path.read_bytes()
    command = [*COMMAND, "compress", "x.h5", "--in-place"]

    def heed() -> None:
        # Whoever runs the tests in the background has Ctrl-C ignored.
        signal.signal(number, signal.SIG_DFL)

    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed,  # noqa: PLW1509
    )
    while process.poll() is None and len(names(tmp_path)) == 1:
        time.sleep(0.001)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert error == "recorder: interrupted: x.h5 is as it was, and nothing else is left\n"
    assert names(tmp_path) == ["x.h5"]
    assert file.path.read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="scheduling classes of Linux")
def test_beside_a_recorder_that_works_it_takes_only_what_nobody_wants(tmp_path: Path) -> None:
    def is_behind_all(file: Path) -> bool:
        """Return whether one takes only what nobody wants; such a one is not waited for."""
        command = [*COMMAND, "compress", str(file), "--output", "other"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                if os.sched_getscheduler(process.pid) == os.SCHED_IDLE:
                    return True
                time.sleep(0.002)
            assert process.returncode == 0
            return False
        finally:
            process.kill()
            process.wait()

    (tmp_path / "other").mkdir()
    file = record(tmp_path / "x.h5")
    assert not is_behind_all(file.path)
    (tmp_path / "other" / "x.h5").unlink()
    growing = Written(tmp_path / "growing.h5")
    growing.write()
    assert is_behind_all(file.path)
    growing.close()
