import subprocess
import sys

import pytest


@pytest.mark.timeout(120)
def test_each_row_of_a_killed_recorder_that_packs_has_its_frame() -> None:
    """A sample; more: python -m tests.fault_injection.recorder_kills --kills 20."""
    command = [sys.executable, "-m", "tests.fault_injection.recorder_kills", "--kills", "2"]
    options = ["--set", "storage.compression=lossless", "--set", "camera.rate=max"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing missing or wrong" in done.stdout
    assert " 0 frames left" not in done.stdout
    assert " 0 packed chunks" not in done.stdout
