import subprocess
import sys

import pytest


@pytest.mark.timeout(120)
def test_a_recording_is_whole_whenever_its_compression_is_killed() -> None:
    """A sample, in a process that forks; more: python -m tests.fault_injection.compress_kills."""
    command = [
        sys.executable,
        "-m",
        "tests.fault_injection.compress_kills",
        "--kills",
        "10",
        "--frames",
        "200",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("10 kills within")
    # The kills came while there was something to leave.
    assert "; 0 left half a file" not in done.stdout
