"""Two cameras under one console: marks, exposures and preview meanwhile; one killed; two against one.

python -m tests.benchmarks.rig --seconds 60 --rate 50                     # full frames: 1.1 GB/s in all
python -m tests.benchmarks.rig --seconds 6 --rate 50 --size 1280 1080     # 0.28 GB/s

Each camera has a core of its own where there are two. Needs room on the disk for the frames, which are
removed (with --only endure --passing: for some seconds of them). Linux: finds the processes by /proc.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import recorder
from recorder.files.opened.rig import OpenedRig
from tests.benchmarks.passing_frames import giving_room_back

COMMAND = [sys.executable, "-m", "recorder"]
NAMES = ("left", "right")


@dataclass(frozen=True)
class Asked:
    seconds: float
    rate: float
    size: tuple[int, int]
    passing: bool


def configuration(asked: Asked, names: tuple[str, ...], rate: float | str, limit: str) -> str:
    """Return the file of a rig with cameras of these names."""
    cores = sorted(os.sched_getaffinity(0))
    width, height = asked.size
    parts = ["[rig]\nname = 'bench'\n"]
    for i, name in enumerate(names):
        cpus = f"cpus = [{cores[i]}]\n" if len(cores) > 1 else ""
        shown = f"{rate!r}" if isinstance(rate, str) else f"{rate:g}"
        parts.append(
            f"[camera.{name}]\n{cpus}settings.recording.{limit}\nsettings.pool.memory = '1GB'\n"
            f"settings.camera = {{width = {width}, height = {height}, rate = {shown}, exposure = '2ms'}}\n"
        )
    return "".join(parts)


def begin(folder: Path, text: str, *arguments: str) -> "subprocess.Popen[str]":
    (folder / "rig.toml").write_text(text)
    command = [*COMMAND, "rig", "rig.toml", "--headless", "--json", "--output", "x.rig.h5", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def endure(asked: Asked) -> None:
    """Record with all that one does meanwhile; compare what both files say of each mark."""
    lines = ["preview on"]
    marks = int(asked.seconds)
    for i in range(marks):
        lines += [f"mark m{i}", "wait 700ms", f"exposure {1 + i % 3}ms"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.txt").write_text("\n".join(lines))
        text = configuration(asked, NAMES, asked.rate, f"duration = '{asked.seconds:g}s'")
        files = [folder / f"x_{camera}.h5" for camera in NAMES]
        with giving_room_back(*files) if asked.passing else contextlib.nullcontext():
            rig = begin(folder, text, "--script", "script.txt")
            told = json.loads(rig.communicate()[0])
        for camera, figures in told["cameras"].items():
            print(
                f"{camera}: {figures['verdict']}, {figures['frames']} frames, {figures['lost']} lost, "
                f"{figures['MBps']:.0f} MB/s"
            )
        with recorder.open_rig(folder / "x.rig.h5") as opened:
            compare(opened)


def compare(rig: OpenedRig) -> None:
    """Print how far apart the frames of each mark were, and how many frames stand beside each other."""
    apart = []
    labels = set.intersection(*({row["label"] for row in rig[name].marks} for name in NAMES))
    for label in labels:
        begins = []
        for name in NAMES:
            (frame,) = (row["frame"] for row in rig[name].marks if row["label"] == label)
            begins.append(rig.moments(name)[frame])
        apart.append(abs(begins[0] - begins[1]))
    interval = float(np.median(np.diff(rig["left"].time)))
    print(
        f"{len(labels)} marks in both files, "
        f"{sum(gap < interval * 1.05 for gap in apart)} of them on frames of "
        f"one moment; the furthest {max(apart) / interval:.2f} frame intervals apart"
    )
    print(rig.aligned())


def kill(asked: Asked) -> None:
    """Kill one camera in the middle; the other goes on, and both files are whole after `recover`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = configuration(asked, NAMES, asked.rate, f"duration = '{asked.seconds:g}s'")
        rig = begin(folder, text)
        left = folder / "x_left.h5"
        while not left.exists():
            time.sleep(0.1)
        time.sleep(asked.seconds / 2)
        children = Path(f"/proc/{rig.pid}/task/{rig.pid}/children").read_text().split()
        (victim,) = (int(c) for c in children if "x_left.h5" in Path(f"/proc/{c}/cmdline").read_text())
        os.kill(victim, signal.SIGKILL)
        told = json.loads(rig.communicate()[0])
        print(f"left killed: rig {told['verdict']}, left {told['cameras']['left']['cause']}")
        right: dict[str, Any] = told["cameras"]["right"]
        print(f"right: {right['verdict']}, {right['frames']} frames, {right['lost']} lost")
        for words in (["recover", "x_left.h5"], ["verify", "x_left.h5", "x_right.h5"]):
            done = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)
            print(f"{' '.join(words)}: exit code {done.returncode}")


def throughput(asked: Asked) -> None:
    """Measure how fast one camera, and two, are recorded as fast as it goes."""
    frames = max(20, int(asked.seconds * asked.rate / 2))
    for names in (NAMES[:1], NAMES, NAMES[:1], NAMES):
        with tempfile.TemporaryDirectory() as name:
            rig = begin(Path(name), configuration(asked, names, "max", f"frames = {frames}"))
            told = json.loads(rig.communicate()[0])
            flows = [figures["MBps"] for figures in told["cameras"].values()]
            each = " + ".join(f"{flow:.0f}" for flow in flows)
            print(f"{len(names)} as fast as it goes: {each} = {sum(flows):.0f} MB/s, {told['verdict']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=50, help="frames/s of each camera")
    parser.add_argument("--size", type=int, nargs=2, default=(2560, 2160), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--only", choices=("endure", "kill", "throughput"))
    parser.add_argument("--passing", action="store_true", help="endure with less room: see passing_frames")
    given = parser.parse_args()
    asked = Asked(given.seconds, given.rate, (given.size[0], given.size[1]), given.passing)
    for part in (endure, kill, throughput):
        if given.only in (None, part.__name__):
            part(asked)


if __name__ == "__main__":
    main()
