"""Kill `recorder compress` at random moments: under its name, a recording is whole each time.

python -m tests.fault_injection.compress_kills [--kills 200] [--frames 400] [--folder FOLDER]

Each is a process of its own that is forked from this one; every other one compresses in place.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from recorder.files.checks import Kind, structure_of
from recorder.files.compress.compressing import compress
from recorder.files.compress.packing import read_back
from recorder.files.compress.unfinished import ENDING
from recorder.files.probe import Probe
from recorder.frames.checksum import checksums
from recorder.frames.pool import FrameFormat
from tests.unit.files.opened.recordings import PER_CHUNK, Written

T = TypeVar("T")

# Frames of a few pages, so that much happens in a short time.
FORM = FrameFormat(48, 100, np.dtype(np.uint16))


class Here(Probe):
    """Looks into files in this process: another one takes half a second to begin."""

    def ask(self, look: Callable[[Path], T], path: Path, timeout_s: float = 0) -> T:
        del timeout_s
        return look(path)


def begin(path: Path, to: Path | None) -> int:
    """Compress a file in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        try:
            compress(path, Here(), to)
            os._exit(0)
        finally:
            os._exit(1)
    return child


def require_whole(path: Path, sums: bytes) -> None:
    """Fail where a file is not a sound recording of the frames with these checksums."""
    structure = structure_of(path)
    assert not [problem for problem in structure.problems if problem.kind is Kind.DAMAGE], path
    found = np.concatenate([now for _, now in read_back(path, structure)])
    assert found.tobytes() == sums, path


def kill_once(
    folder: Path, content: bytes, sums: bytes, after_s: float, *, in_place: bool, goes_on: bool
) -> str:
    """Kill one after so many seconds; return what it left. Fails where the recording is not whole.

    With `goes_on` another one then does it, and nothing must be left of the first.
    """
    path, to = folder / "x.h5", folder / "y.h5"
    path.write_bytes(content)
    began_s = time.monotonic()
    child = begin(path, None if in_place else to)
    time.sleep(max(0.0, began_s + after_s - time.monotonic()))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}, code
    hidden = [one for one in folder.iterdir() if one.name.endswith(ENDING)]
    assert {one.name for one in folder.iterdir()} - {"x.h5", "y.h5", *(one.name for one in hidden)} == set()
    is_done = to.exists()
    if path.read_bytes() != content:
        assert in_place
        is_done = True
    for one in (path, to):
        if one.exists():
            require_whole(one, sums)
    if not is_done and goes_on:
        assert not compress(path, Here(), None if in_place else to).why_not
        assert not [one for one in folder.iterdir() if one.name.endswith(ENDING)]
        require_whole(path if in_place else to, sums)
    for one in list(folder.iterdir()):
        one.unlink()
    return "done" if is_done else "half" if hidden else "nothing"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        file = Written(folder / "x.h5", FORM, levels=16, checksums=True)
        for _ in range(asked.frames // PER_CHUNK):
            file.write()
        file.mark(3, "trial1")
        file.close()
        content = file.path.read_bytes()
        sums = checksums(frame.data.cast("B") for frame in file.frames).tobytes()
        # Once here, so that all is imported; then as it will be killed.
        assert not compress(file.path, Here(), None).why_not
        file.path.write_bytes(content)
        began_s = time.monotonic()
        os.waitpid(begin(file.path, None), 0)
        takes_s = time.monotonic() - began_s
        require_whole(file.path, sums)
        assert file.path.read_bytes() != content
        left = [
            kill_once(
                folder,
                content,
                sums,
                chance.uniform(0, 1.3 * takes_s),
                in_place=bool(turn % 2),
                goes_on=turn % 5 == 0,
            )
            for turn in range(asked.kills)
        ]
    sys.stdout.write(
        f"{len(left)} kills within {takes_s:.2f} s (seed {asked.seed}): whole each time; "
        f"{left.count('half')} left half a file, {left.count('done')} were done\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
