"""Captures at random moments, each held against what was asked for; and memory while nothing is asked.

python -m tests.benchmarks.pretrigger [--kind full|small] [--captures 20] [--before 0.5s] [--after 0.5s]
python -m tests.benchmarks.pretrigger --wait 10min
(a file is removed as soon as it has been looked at)
"""

import argparse
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import recorder
from recorder.camera.timestamp import read_numbers
from recorder.units import parse_seconds
from tests.system.conftest import COMMAND

# Frames of a whole sensor at its full rate, and of a small part of it at the highest.
KINDS: dict[str, dict[str, Any]] = {
    "full": {"width": 2560, "height": 2160, "rate": 100, "exposure": "5ms", "fifo": 64},
    "small": {"width": 128, "height": 128, "rate": 5000, "exposure": "100us", "fifo": 1000},
}
MB = 2**20

# How long the program takes to begin, and its caches to fill, on a busy machine.
SETTLES_S = 20


def look_at(path: Path, before: int, after: int) -> str:
    """Return what is wrong with a capture, "" where it holds exactly what was asked for."""
    with recorder.open(path) as capture:
        trigger = int(capture.metadata["instrument/detector/trigger_number"])  # type: ignore[arg-type]
        numbers = capture.frame_number.astype(np.int64)
        wanted = np.arange(trigger - before, trigger + after)
        problems = [] if np.array_equal(numbers, wanted) else [f"{len(numbers)} of {len(wanted)} frames"]
        if lost := int(capture.losses["count"].sum()):
            problems.append(f"{lost} lost")
        torn = 0
        for first, frames in capture.frames.blocks():
            stamps, are_valid = read_numbers(frames[:, 0, :14])
            torn += int((~are_valid | (stamps != numbers[first : first + len(frames)])).sum())
        if torn:
            problems.append(f"{torn} are not what their rows say")
    return ", ".join(problems)


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def command(asked: argparse.Namespace, folder: Path, script: Path) -> list[str]:
    camera = KINDS[asked.kind] | ({"rate": asked.rate} if asked.rate else {})
    settings = {f"camera.{name}": value for name, value in camera.items()}
    settings |= {"recording.pretrigger": asked.before, "recording.posttrigger": asked.after}
    settings |= {"pool.memory": asked.memory, "recording.captures": asked.captures}
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    sets += [word for text in asked.set for word in ("--set", text)]
    output = ("--output", f"{folder}/", "--script", f"{script}")
    return [*COMMAND, "run", "--headless", "--json", *output, *sets]


def capture(asked: argparse.Namespace, root: Path) -> None:
    rate = float(asked.rate or KINDS[asked.kind]["rate"])
    before, after = (round(parse_seconds(text) * rate) for text in (asked.before, asked.after))
    rng = random.Random(asked.seed)
    moment_s = parse_seconds(asked.before) + 1
    lines = []
    for i in range(asked.captures):
        lines.append(f"in {moment_s:.4f}s capture {i + 1}")
        moment_s += parse_seconds(asked.after) + rng.uniform(0.1, 1.0) * asked.apart
    script = root / "script.txt"
    script.write_text("\n".join(lines))
    wrong = looked_at = 0
    with subprocess.Popen(command(asked, root, script), stdout=subprocess.PIPE, text=True) as process:
        while True:
            is_over = process.poll() is not None
            for path in sorted(root.glob("*.h5")):
                with recorder.open(path) as there:
                    is_closed = there.contents[0].was_closed
                if is_closed:
                    problem = look_at(path, before, after)
                    looked_at, wrong = looked_at + 1, wrong + bool(problem)
                    print(f"{path.name}: {problem or f'exactly {before} and {after} frames'}", flush=True)
                    path.unlink()
            if is_over:
                break
            time.sleep(0.2)
        told: dict[str, Any] = json.loads(process.stdout.read()) if process.stdout else {}
    print(f"{looked_at} captures, {wrong} not as asked for; {told['verdict']}, {told['lost']} frames lost")


def wait(asked: argparse.Namespace, root: Path) -> None:
    script = root / "script.txt"
    script.write_text(f"in {asked.wait} quit")
    asked.captures = 0
    memory: list[int] = []
    with subprocess.Popen(command(asked, root, script), stdout=subprocess.PIPE, text=True) as process:
        began_s = time.monotonic()
        while process.poll() is None:
            passed_s = time.monotonic() - began_s
            # Before, the pool is made and the ring fills.
            if passed_s > parse_seconds(asked.before) + SETTLES_S:
                memory.append(resident_bytes(process.pid))
                if len(memory) % 60 == 1:
                    print(f"{passed_s:.0f} s: {memory[-1] / MB:.1f} MB", flush=True)
            time.sleep(0.5)
        told: dict[str, Any] = json.loads(process.stdout.read()) if process.stdout else {}
    memory = memory[:-4]
    print(
        f"waited {asked.wait}: {memory[0] / MB:.1f} MB at first, {memory[-1] / MB:.1f} MB at last, "
        f"{min(memory) / MB:.1f} to {max(memory) / MB:.1f} MB; {told['unsaved']} frames came, "
        f"{told['lost']} lost, {told['verdict']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kind", choices=sorted(KINDS), default="small")
    parser.add_argument("--rate", type=float, help="another rate, for a machine that is slower")
    parser.add_argument("--captures", type=int, default=20)
    parser.add_argument("--before", default="0.5s")
    parser.add_argument("--after", default="0.5s")
    parser.add_argument("--apart", type=float, default=2.0, help="s between captures, at most")
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--wait", help="watch the memory for so long, and capture nothing")
    parser.add_argument("--folder", type=Path, default=Path())
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        (wait if asked.wait else capture)(asked, Path(folder))


if __name__ == "__main__":
    main()
