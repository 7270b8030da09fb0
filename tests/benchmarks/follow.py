"""What `rec.follow()` in another process costs a recording: throughput with and without, in pairs; losses.

python -m tests.benchmarks.follow [--pairs 6] [--frames 400] [--seconds 20]
(a pair needs room for 2 x 4.4 GB)
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import recorder
from recorder.errors import RecorderError
from tests.system.conftest import COMMAND

# Sees every frame, as somebody's own program does, with as little work of its own as there can be.
FOLLOWER = "-m", "tests.benchmarks.follow", "--follow"


def follow(path: Path) -> None:
    """Follow a recording from its first frame on, as soon as it is there; print what was seen, and when."""
    while True:
        with contextlib.suppress(RecorderError):
            recording = recorder.open(path)
            break
        time.sleep(0.05)
    seen, behind_s = 0, []
    with recording:
        for first, frames in recording.follow(first=0):
            seen += len(frames)
            # Pixels of the last one have come here.
            frames[-1].max()
            behind_s.append(time.time() - float(recording.utc[first + len(frames) - 1].astype(int)) * 1e-9)
    told = {"seen": seen, "behind_s": statistics.median(behind_s), "verdict": recording.verdict}
    sys.stdout.write(json.dumps(told) + "\n")


@contextlib.contextmanager
def following(path: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, *FOLLOWER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def record(
    config: Path, root: Path, *arguments: str, followed: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a recording told, and what its follower did, which has seen each of its frames."""
    with tempfile.TemporaryDirectory(dir=root) as folder, contextlib.ExitStack() as stack:
        path = Path(folder, "x.h5")
        follower = stack.enter_context(following(path)) if followed else None
        command = [*COMMAND, "run", str(config), "--headless", "--json", "--output", str(path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told: dict[str, Any] = json.loads(done.stdout)
        if follower is None:
            return told, {}
        seen: dict[str, Any] = json.loads(follower.communicate(timeout=120)[0])
        assert seen["seen"] == told["frames"], (seen, told)
        return told, seen


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--follow", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.follow:
        follow(asked.follow)
        return
    config = asked.config.resolve()
    fast = ("--set", "camera.rate=max", "--frames", str(asked.frames))
    ratios = []
    for pair in range(asked.pairs):
        rates = {}
        for followed in (bool(pair % 2), not pair % 2):
            rates[followed] = record(config, asked.folder, *fast, followed=followed)[0]["fps"]
        ratios.append(rates[True] / rates[False])
        print(f"alone {rates[False]:.1f}/s, followed {rates[True]:.1f}/s, ratio {ratios[-1]:.3f}", flush=True)
    if ratios:
        print(f"ratio: median {statistics.median(ratios):.3f}")
    told, seen = record(config, asked.folder, "--duration", f"{asked.seconds}s", followed=True)
    print(
        f"at 100/s, followed: {told['frames']} frames, {told['lost']} lost, {told['verdict']}; "
        f"seen {seen['seen']}, {seen['behind_s']:.2f} s after their exposure (median)"
    )


if __name__ == "__main__":
    main()
