"""What syncing once a second, checksums and means of regions cost sessions that are as fast as the disk.

python -m tests.benchmarks.storage_options [--rounds 12]

Interleaved sessions of the simulated camera, the order turned each time: MB/s, and CPU s/GB of the process.
A round writes 25 GB. Then 20 s of full frames at 100/s, with means that are
compared with numpy's.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy as np

from tests.system.conftest import COMMAND

WAYS = {
    "never": ("--set", "storage.durable_every=never"),
    "1s": (),
    "1s, checksums": ("--set", "storage.checksum=true"),
    "1s, regions": (
        *("--set", "analysis.regions=true", "--set", "preview.regions.a=[10, 10, 50, 90]"),
        *("--set", "preview.regions.b=[0, 60, 100, 120]", "--set", "preview.regions.c=[90, 5, 128, 128]"),
    ),
}

# As large as what is looked at in a wide field.
LARGE = {"a": [100, 100, 400, 400], "b": [500, 1000, 1100, 1500], "c": [1400, 300, 2400, 2100]}

# Width, height, and how many frames.
SIZES = {"2560x2160": (2560, 2160, 400), "128x128": (128, 128, 60_000)}


def session(width: int, height: int, frames: int, way: str) -> tuple[float, float]:
    """Record so many frames; return MB/s and CPU s/GB."""
    camera = {"width": width, "height": height, "rate": "max", "exposure": "10us"}
    settings = [word for key, value in camera.items() for word in ("--set", f"camera.{key}={value}")]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        command = [*COMMAND, "run", "--headless", "--json", "--frames", str(frames), "--output", "x.h5"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, *settings, "--set", "pool.memory=1GB", *WAYS[way]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(done.stdout)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told["MBps"], cpu_s / (told["bytes"] / 1e9)


def compare_means(seconds: int) -> str:
    """Record full frames at 100/s with their means; say what is missing, and what differs from numpy's."""
    settings = [f"preview.regions.{name}={box}" for name, box in LARGE.items()]
    settings += ["analysis.regions=true", "pool.memory=1GB", f"recording.duration={seconds}s"]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        command = [*COMMAND, "run", str(Path("configs/simulated.toml").resolve()), "--headless", "--json"]
        command += [word for setting in settings for word in ("--set", setting)]
        done = subprocess.run([*command, "--output", "x.h5"], cwd=folder, capture_output=True, check=False)
        told = json.loads(done.stdout)
        differing = without = 0
        with h5py.File(Path(folder) / "x.h5") as file:
            means = {name: file["entry/regions"][name]["mean"][:] for name in LARGE}
            for i, frame in enumerate(file["data"]):
                for name, (x0, y0, x1, y1) in LARGE.items():
                    without += bool(np.isnan(means[name][i]))
                    differing += means[name][i] != frame[y0:y1, x0:x1].mean()
    return (
        f"100/s, regions of {', '.join(f'{x1 - x0}x{y1 - y0}' for x0, y0, x1, y1 in LARGE.values())}: "
        f"{told['frames']} frames, {told['lost']} lost, {without} means not taken, {differing} not numpy's"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args()
    rounds = asked.rounds
    for name, size in SIZES.items():
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in list(WAYS)[:: -1 if turn % 2 else 1]:
                # What the session before left to the system is not this one's.
                os.sync()
                found[way].append(session(*size, way))
        for way, pairs in found.items():
            speeds, costs = zip(*pairs, strict=True)
            print(
                f"{name:9} {way:13} {statistics.median(speeds):5.0f} MB/s ({min(speeds):.0f} to "
                f"{max(speeds):.0f}), {statistics.median(costs):.2f} CPU s/GB",
                flush=True,
            )
    print(compare_means(asked.seconds))


if __name__ == "__main__":
    main()
