"""What syncing once a second, and checksums of frames, cost whole sessions that are as fast as the disk.

python -m tests.benchmarks.durability [--rounds 12]

Interleaved sessions of the simulated camera, the order turned each time: MB/s, and CPU s/GB of the process.
A round writes 19 GB.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.system.conftest import COMMAND

WAYS = {
    "never": ("--set", "storage.durable_every=never"),
    "1s": (),
    "1s, checksums": ("--set", "storage.checksum=true"),
}

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
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


if __name__ == "__main__":
    main()
