"""The programs of notes/analysis.md run as they stand there, on a cluster too; a worker is killed."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.readme import ROOT
from tests.system.conftest import COMMAND

PAGE = (ROOT / "notes" / "analysis.md").read_text(encoding="utf-8")
PROGRAMS = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recording that the page opens: 60 frames, two marks."""
    folder = tmp_path_factory.mktemp("analysis")
    size = ("--set", "camera.width=128", "--set", "camera.height=96")
    command = [
        *COMMAND,
        "run",
        "--headless",
        "--frames",
        "60",
        "--output",
        "mouse.h5",
        *size,
        "--script",
        "-",
    ]
    lines = "wait 100ms\nmark trial1\nwait 200ms\nmark trial2\n"
    subprocess.run(command, cwd=folder, input=lines, text=True, capture_output=True, check=True)
    return folder


def run(folder: Path, program: str, timeout_s: float = 50) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_recording_in_a_few_lines(folder: Path) -> None:
    tour, clips, growing, *_ = PROGRAMS
    assert run(folder, tour).startswith("Recording mouse.h5: complete\n  frames  60 x 96 x 128 uint16")
    assert run(folder, clips).startswith("<Clips around 2 marks, 81 frames each from -0.2 s to +0.6 s")
    assert "60 frames, mean" in run(folder, growing)


# One cluster is begun: its two workers import everything anew.
@pytest.mark.timeout(180)
def test_two_workers_find_what_numpy_finds_also_when_one_is_killed(folder: Path) -> None:
    *_, local, elsewhere, work = PROGRAMS
    assert 'Client("tcp://scheduler:8786")' in elsewhere
    program = f"""
import json, os, signal
import h5py
def main():
    scope = {{}}
    exec({local!r}, scope)
    cluster, client = scope["cluster"], scope["client"]
    client.close()
    exec({elsewhere!r}.replace("tcp://scheduler:8786", cluster.scheduler_address), scope)
    client = scope["client"]
    exec({work!r}, scope)
    np, rec = scope["np"], scope["recorder"].open("mouse.h5")
    frames = h5py.File("mouse.h5")["data"][:]
    np.testing.assert_allclose(scope["mean"], frames.mean(axis=0))
    np.testing.assert_array_equal(scope["brightest"], frames.max(axis=0))
    traces = np.stack([frames[:, y:y+h, x:x+w].mean(axis=(1, 2)) for x, y, w, h in scope["cells"]])
    np.testing.assert_allclose(scope["dff"], traces / np.percentile(traces, 20, axis=1, keepdims=True) - 1)
    pids = client.run(os.getpid)
    blocks = rec.dask(block_bytes=1)
    def slow(block):
        import time
        time.sleep(0.05)
        return block.sum(axis=(1, 2), keepdims=True, dtype="uint64")
    sums = client.compute(blocks.map_blocks(slow, dtype="uint64", chunks=(blocks.chunks[0], 1, 1)))
    os.kill(next(iter(pids.values())), signal.SIGKILL)
    expected = frames.sum(axis=(1, 2), dtype="uint64")
    np.testing.assert_array_equal(sums.result()[:, 0, 0], expected)
    print(json.dumps([len(set(pids.values())), blocks.numblocks[0]]))
    client.close()
    cluster.close()
if __name__ == "__main__":
    main()
"""
    # Workers are begun from a file, not from a line of code.
    (folder / "cluster.py").write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "cluster.py"], cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr
    workers, blocks = json.loads(done.stdout.splitlines()[-1])
    assert workers == 2
    assert blocks >= 2
