"""What C libraries print is caught while they load; what this program says, and a crash report, never is."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is caught there")

BEGIN = """
import ctypes, logging, os, sys, threading
from recorder.camera.pco.library_output import caught
from recorder.frontends.terminal import reserve_output
C = ctypes.CDLL(None)
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return run_alone([sys.executable, "-c", BEGIN + program])


def run_alone(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


RESERVE = """
reserve_output()
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s", force=True)
"""

NOISE = """
C.printf(b"before\\n")
with caught():
    C.printf(b"no frame grabber\\n")
    os.write(2, b"no driver\\n")
    print("ours")
    thread = threading.Thread(target=print, args=("of another thread",), kwargs={"file": sys.stderr})
    thread.start()
    thread.join()
C.printf(b"after\\n")
C.fflush(None)
"""


def test_it_is_logged_at_debug_level_and_ours_is_seen() -> None:
    done = run(RESERVE + NOISE)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")) == ["", "after", "before", "ours"]
    assert sorted(done.stderr.splitlines()) == [
        "DEBUG the camera's libraries: no driver",
        "DEBUG the camera's libraries: no frame grabber",
        "of another thread",
    ]


def test_where_ours_cannot_be_told_apart_nothing_is_caught() -> None:
    done = run(NOISE)
    assert done.returncode == 0, done.stderr
    assert {"no frame grabber", "before", "ours", "after"} <= set(done.stdout.split("\n"))
    assert "no driver\n" in done.stderr
    assert "DEBUG" not in done.stderr


def test_a_crash_and_an_error_are_reported() -> None:
    done = run(RESERVE + "with caught():\n    ctypes.string_at(0)\n")
    assert done.returncode < 0
    assert "Segmentation fault" in done.stderr
    done = run(RESERVE + "with caught():\n    C.puts(b'noise')\n    raise OSError('libusb is missing')\n")
    assert "libusb is missing" in done.stderr
    assert "DEBUG the camera's libraries: noise" in done.stderr
    assert done.stdout == ""


def test_all_that_the_vendors_own_libraries_print_is_caught() -> None:
    done = run_alone([sys.executable, "-m", "recorder", "cameras"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("recorder: ")
    assert done.stderr.count("\n") == 1
