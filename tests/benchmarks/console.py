"""How long the camera thread is away from the camera with a console being typed at, and without.

python -m tests.benchmarks.console [--seconds 30] [--rounds 3] [--config configs/simulated.toml]

Interleaved rounds of the two, the order turned each time; a round needs room on the disk for one recording.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.system.conftest import COMMAND
from tests.system.test_console import Terminal, left

# A quick typist: a key every 0.04 s.
KEY_S = 0.04

LINES = (
    "mark m{n} some text",
    "exposure {ms}ms",
    "preview toggle",
    "status",
    "note hello there",
    "exposre",
    "help",
)


def headless(folder: Path, *arguments: str) -> str:
    """Record without a console; return what was printed at the end."""
    command = [*COMMAND, "run", "--headless", "--output", "x.h5", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def typed_at(folder: Path, seconds: float, *arguments: str) -> str:
    """Record with someone at the keyboard; return what was printed at the end."""
    terminal = Terminal(folder, *arguments)
    chance = random.Random(0)
    try:
        terminal.until("lost 0", seconds=60)
        end = time.monotonic() + seconds - 2
        n = 0
        while time.monotonic() < end:
            n += 1
            line = chance.choice(LINES).format(n=n, ms=chance.randint(1, 9))
            for key in [*line[: chance.randint(3, len(line))], "\t", "\x15", *line, "\r"]:
                os.write(terminal.parent, key.encode())
                terminal.read(KEY_S / 2)
                time.sleep(KEY_S / 2)
        terminal.until("without reading the camera", seconds=60)
        left(terminal)
        return terminal.shown
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    asked = parser.parse_args()
    arguments = (str(asked.config.resolve()), "--duration", f"{asked.seconds}s")
    pauses: dict[str, list[float]] = {"headless": [], "console": []}
    for turn in range(asked.rounds):
        for way in sorted(pauses, reverse=bool(turn % 2)):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                shown = (
                    headless(folder, *arguments)
                    if way == "headless"
                    else typed_at(folder, asked.seconds, *arguments)
                )
            match = re.search(
                r"(complete|frames lost|failed): (?:(\d+) of \d+.*? \(.*?\); )?(\d+) frames", shown
            )
            pause = re.search(r"never longer than ([\d.]+) ms", shown)
            if match is None or pause is None:
                sys.exit(f"{way}: no summary in what was printed:\n{shown[-2000:]}")
            pauses[way].append(float(pause[1]))
            told = {
                "way": way,
                "frames": int(match[3]),
                "lost": int(match[2] or 0),
                "pause_ms": pauses[way][-1],
            }
            print(json.dumps(told), flush=True)
    for way, figures in pauses.items():
        print(
            f"{way:9} longest pause of the camera thread: "
            f"median {statistics.median(figures):.1f} ms of {figures}"
        )


if __name__ == "__main__":
    main()
