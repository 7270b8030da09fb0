"""A recorder is killed at any moment: each committed row is there with its frame, before and after recovery.

    python -m tests.fault_injection.recorder_kills [--kills 20] [--set storage.compression=lossless]

What follows is given to each recorder. Linux and Windows; a second or two for each kill.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - reads what is compressed
import numpy as np

from recorder.camera.timestamp import read_numbers
from recorder.storage.layout import DETECTOR
from tests.system.conftest import COMMAND
from tests.system.test_run import FAST, started

MOST_S = 3.0


def rows(path: Path, *, swmr: bool) -> tuple[int, int]:
    """Return how many rows a file has, and packed chunks; hold each frame against its row."""
    with h5py.File(path, "r", swmr=swmr) as file:
        numbers, data = file[DETECTOR]["frame_number"][:], file["data"]
        assert len(data) >= len(numbers)
        per_chunk, packed = data.chunks[0], 0
        for first in range(0, len(numbers), per_chunk):
            wanted = numbers[first : first + per_chunk]
            stamps, are_valid = read_numbers(data[first : first + len(wanted), 0, :14])
            assert are_valid.all()
            assert np.array_equal(stamps, wanted), f"{path}: frame {first}"
            packed += data.id.get_chunk_info_by_coord((first, 0, 0)).filter_mask == 0
        assert np.array_equal(numbers, np.arange(1, len(numbers) + 1))
        return len(numbers), packed if data.id.get_create_plist().get_nfilters() else 0


def kill_one(folder: Path, after_s: float, arguments: list[str]) -> tuple[int, int]:
    """Kill a recorder so long after its first frames; return how many frames it left, and packed chunks."""
    run = started(folder, *FAST, *arguments)
    time.sleep(after_s)
    run.kill()
    run.communicate()
    path = folder / "x.h5"
    before, packed = rows(path, swmr=True)
    subprocess.run([*COMMAND, "recover", str(path)], check=True, capture_output=True)
    after, _ = rows(path, swmr=False)
    assert after >= before, f"{after} of {before} rows are left"
    return after, packed


def main() -> None:
    """Kill so many recorders; ends with an AssertionError at the first frame that is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked, arguments = parser.parse_known_args()
    rng = random.Random(asked.seed)
    left = []
    for _ in range(asked.kills):
        with tempfile.TemporaryDirectory() as folder:
            left.append(kill_one(Path(folder), rng.uniform(0, MOST_S), arguments))
    frames, packed = map(sum, zip(*left, strict=True))
    sys.stdout.write(
        f"{asked.kills} kills: {frames} frames left, {packed} packed chunks; nothing missing or wrong\n"
    )


if __name__ == "__main__":
    main()
