"""What preview costs a recording: throughput with it and without, in pairs; frames lost at 100 full frames/s.

python -m tests.benchmarks.preview [--pairs 6] [--frames 400] [--set preview.mode=dff]
(a pair needs room for 2 x 4.4 GB)
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from recorder.preview.baseline import Baseline
from recorder.preview.picture import Comparison, Renderer
from recorder.preview.regions import region_means
from recorder.settings.field_types import PreviewMode
from tests.system.conftest import COMMAND


def record(config: Path, *arguments: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, "run", str(config), "--headless", "--json", "--output", "x.h5", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        told: dict[str, float] = json.loads(done.stdout)
        return told


def render_ms(mode: PreviewMode, baseline: Baseline, *, mean: bool, rounds: int = 100) -> float:
    """Return what a picture of a full frame takes, with three regions, in ms of one core."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(100, 4000, (2160, 2560), dtype=np.uint16) for _ in range(6)]
    renderer = Renderer(2160, 2560, np.dtype(np.uint16), 16)
    comparison = None if mode == "raw" else Comparison(mode, "auto", baseline)
    boxes = {"a": (0, 0, 300, 300), "b": (500, 500, 900, 900), "c": (100, 1000, 400, 1400)}
    times = []
    for i in range(rounds):
        frame = frames[i % len(frames)]
        began = time.thread_time()
        if comparison is not None:
            baseline.see(frame, i / 15, 0.005)
        renderer.render(frame, i, "auto", mean=mean, overlay=True, comparison=comparison)
        region_means(frame, boxes, comparison)
        times.append(time.thread_time() - began)
    return statistics.median(times) * 1000


def tell_render_ms() -> None:
    """Print what a picture takes in each mode."""
    kinds: tuple[tuple[str, PreviewMode, Baseline], ...] = (
        ("frames", "raw", Baseline(1, running=True)),
        ("difference, running baseline", "difference", Baseline(10, running=True)),
        ("dF/F, running baseline", "dff", Baseline(10, running=True)),
        ("dF/F, captured baseline", "dff", Baseline(1, running=False)),
        ("while a baseline is taken", "dff", Baseline(600, running=False)),
    )
    for name, mode, baseline in kinds:
        each = render_ms(mode, baseline, mean=False)
        baseline.begin()
        means = render_ms(mode, baseline, mean=True)
        print(
            f"a picture of a full frame, {name}: {each:.2f} ms of one core; of means of 4 x 4: {means:.2f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--dry-run", action="store_true", help="without the disk and its noise")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the preview, when it is on")
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    asked = parser.parse_args()
    config = asked.config.resolve()
    tell_render_ms()
    on = ["--set", "preview.on=true"]
    for setting in asked.set:
        on += ["--set", setting]
    fast = ["--set", "camera.rate=max", "--frames", str(asked.frames)]
    fast += ["--dry-run"] * asked.dry_run
    ratios = []
    for pair in range(asked.pairs):
        rates = {}
        for way in (("off", "on"), ("on", "off"))[pair % 2]:
            rates[way] = record(config, *fast, *(on if way == "on" else ()))["fps"]
        ratios.append(rates["on"] / rates["off"])
        print(f"off {rates['off']:.1f}/s, on {rates['on']:.1f}/s, ratio {ratios[-1]:.3f}", flush=True)
    print(f"ratio: median {statistics.median(ratios):.3f}")
    if asked.dry_run:
        return
    told = record(config, "--duration", f"{asked.seconds}s", *on)
    print(f"at 100/s with preview at 15/s: {told['frames']} frames, {told['lost']} lost, {told['verdict']}")


if __name__ == "__main__":
    main()
