"""What reading a recording costs: against dd, for traces, and on one and on two workers of a Dask cluster.

python -m tests.benchmarks.analysis [--gb 4] [--rounds 5] [--folder .]
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from dask import distributed
from numpy.typing import NDArray

import recorder
from recorder.files.opened.recording import OpenedRecording
from recorder.frames.pool import FrameFormat
from tests.unit.files.opened.recordings import PER_CHUNK, Written

FORM = FrameFormat(2160, 2560, np.dtype(np.uint16))


def record(path: Path, size: float) -> None:
    """Write a recording of so many bytes."""
    file = Written(path, FORM, keep=False)
    for _ in range(round(size / (FORM.nbytes * PER_CHUNK))):
        file.write()
    file.close()


def timed(act: Callable[[], Any]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def through(recording: OpenedRecording) -> int:
    """Read all frames."""
    return sum(len(frames) for _, frames in recording.frames.blocks())


def into_memory(recording: OpenedRecording, count: int) -> None:
    """Read frames as a user does, some at a time."""
    for first in range(0, len(recording), count):
        recording.frames[first : first + count]


def reading(path: Path, rounds: int) -> None:
    """Print what ways of reading take of dd's time, in the same rounds."""
    seconds: dict[str, list[float]] = {}
    with recorder.open(path) as recording:
        ways: dict[str, Callable[[], Any]] = {
            "dd": lambda: subprocess.run(
                ["dd", f"if={path}", "of=/dev/null", "bs=16M"], check=True, capture_output=True
            ),
            "frames.blocks()": lambda: through(recording),
            "frames[i:i+10]": lambda: into_memory(recording, 10),
            "trace()": recording.trace,
            "trace of 64x64": lambda: recording.trace((1000, 1000, 64, 64)),
            "trace of a pixel": lambda: recording.trace((1000, 1000, 1, 1)),
        }
        for _ in range(rounds):
            for name, way in ways.items():
                seconds.setdefault(name, []).append(timed(way))
        print(f"{recording.frames.nbytes / 1e9:.1f} GB, medians of {rounds}, and the time in those of dd")
        for name, times in seconds.items():
            ratio = statistics.median(a / b for a, b in zip(times, seconds["dd"], strict=True))
            rate = recording.frames.nbytes / statistics.median(times) / 1e9
            print(f"{name:18} {statistics.median(times):7.3f} s  {rate:7.2f} GB/s  {ratio:6.3f}")


def compute(client: Any, work: Any, expected: NDArray[Any]) -> None:
    """Have a cluster do it; what comes is what is expected."""
    np.testing.assert_allclose(client.compute(work).result(), expected)


def workers(path: Path, rounds: int) -> None:
    """Print how much faster two workers are than one: with figures of each frame, and a mean image."""
    # Half of it is typed.
    cluster: Any = distributed.LocalCluster
    client: Any = distributed.Client
    with (
        recorder.open(path) as recording,
        cluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as one,
        cluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as two,
        client(one) as alone,
        client(two) as pair,
    ):
        frames: Any = recording.dask()
        works = {
            "median": frames.map_blocks(np.median, axis=(1, 2), drop_axis=(1, 2), dtype=float),
            "deviation": frames.std(axis=(1, 2)),
            "mean image": frames.mean(axis=0),
        }
        for name, work in works.items():
            expected = pair.compute(work).result()
            ratios = []
            for _ in range(rounds):
                with_one = timed(partial(compute, alone, work, expected))
                with_two = timed(partial(compute, pair, work, expected))
                ratios.append(with_one / with_two)
                print(f"{name}: one worker {with_one:.2f} s, two {with_two:.2f} s: {ratios[-1]:.2f}")
            print(
                f"{name}: two workers are {statistics.median(ratios):.2f} times as fast (median of {rounds})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gb", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "benchmark.h5"
        record(path, arguments.gb * 1e9)
        reading(path, arguments.rounds)
        workers(path, arguments.rounds)


if __name__ == "__main__":
    main()
