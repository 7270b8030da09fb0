"""Full frames at the camera's rate onto a disk that is too slow for them: with compression and without.

python -m tests.benchmarks.compression [--limit 700MB/s] [--seconds 20] [--busy 2]

Then with compression while other programs keep the processors busy, onto the disk as it is and onto the slow
one. Frames that come are compared with the ledger's; a run writes up to 22 GB. Throughput as fast as it
goes, in interleaved pairs: recorder bench --compression lossless [--disk-limit 500MB/s] [--small-frames].
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.system.conftest import COMMAND

LOSSLESS = ("--set", "storage.compression=lossless")


def record(folder: Path, seconds: int, *options: str) -> dict[str, Any]:
    config = Path("configs/simulated.toml").resolve()
    command = [*COMMAND, "run", str(config), "--headless", "--json", "--output", "x.h5"]
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        done = subprocess.run(
            [*command, "--duration", f"{seconds}s", *options],
            cwd=inside,
            capture_output=True,
            text=True,
            check=False,
        )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def busy(programs: int) -> list["subprocess.Popen[bytes]"]:
    """Begin programs that each keep a processor busy."""
    return [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]


def in_words(name: str, told: dict[str, Any]) -> str:
    packed = ""
    if "ratio" in told:
        packed = f", ratio {told['ratio']:.2f}, {told['as_is']:.0%} of the chunks as they are"
    frames = f"{told['frames']} frames, {told['lost']} lost, {told['verdict']}"
    return f"{name}: {frames}; {told['MBps']:.0f} MB/s{packed}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--limit", default="700MB/s")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args(arguments)
    slow = ("--set", f"storage.limit={asked.limit}")
    for name, options in {"none": slow, "lossless": (*slow, *LOSSLESS)}.items():
        told = record(asked.folder, asked.seconds, *options)
        print(in_words(f"{asked.limit}, {name}", told), flush=True)
    others = busy(asked.busy)
    try:
        for name, options in {"": LOSSLESS, f"{asked.limit}, ": (*slow, *LOSSLESS)}.items():
            told = record(asked.folder, asked.seconds, *options)
            print(in_words(f"{name}lossless, {asked.busy} other programs", told), flush=True)
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
