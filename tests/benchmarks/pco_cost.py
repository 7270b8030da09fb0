"""What a frame costs: our way out of the SDK's recorder against pco.Camera.image().

python -m tests.benchmarks.pco_cost [--frames 500]

Each way on the same virtual camera in a process of its own, in turn: time and memory of one do not touch the
other. "whole" is a frame's time with the virtual camera's own copy out of its memory, the same for both;
"path" is what comes on top.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from recorder.camera.pco.camera import PcoCamera
from recorder.settings.model import validate
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import SdkRecorder, installed
from tests.virtual_sc2.models import EDGE_55

SIZES = {"2560x2160": [1, 1, 2560, 2160], "128x128": [1217, 1017, 1344, 1144]}
SPEED = 50  # the virtual camera's time runs so much faster: a frame always waits


class Timed:
    """The virtual camera's own share: the time spent in its functions."""

    def __init__(self) -> None:
        self.seconds = 0.0
        for name in ("recordercopyimage", "recordergetstatus", "recordergetsettings"):
            setattr(SdkRecorder, name, self._timing(getattr(SdkRecorder, name)))

    def _timing(self, body: Callable[..., int]) -> Callable[..., int]:
        def timed(*arguments: Any) -> int:
            began = time.perf_counter()
            try:
                return body(*arguments)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def resident_mb() -> float:
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def measure(way: str, size: str, frames: int) -> dict[str, float]:
    settings = {"kind": "pco", "exposure": "500us", "roi": SIZES[size], "fifo": 1_000_000}
    camera = VirtualCamera(EDGE_55, clock=lambda: time.perf_counter_ns() * SPEED)
    timed = Timed()
    with installed(camera):
        device = PcoCamera(validate({"camera": settings}).camera)  # type: ignore[arg-type]
        form = device.open().format
        device.arm()
        # Every page touched, as the pool's are.
        slots = np.ones((8, form.height, form.width), form.dtype)
        assert device._camera is not None
        vendor = device._camera.vendor
        time.sleep(0.05)
        began_mb, most_mb, times = resident_mb(), 0.0, []
        timed.seconds = 0.0
        for i in range(frames):
            began = time.perf_counter()
            if way == "ours":
                device.read_into(slots[i % 8], 1.0)
            else:
                vendor.wait_for_new_image(delay=True, timeout=1.0)
                vendor.image()
            times.append(time.perf_counter() - began)
            most_mb = max(most_mb, resident_mb())
        device.disarm()
        device.close()
    whole_us = statistics.mean(times) * 1e6
    return {
        "whole_us": whole_us,
        "path_us": whole_us - timed.seconds / frames * 1e6,
        "grown_mb": most_mb - began_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs=2, metavar=("WAY", "SIZE"), help="one measurement, as JSON")
    asked = parser.parse_args()
    if asked.only:
        way, size = asked.only
        print(json.dumps(measure(way, size, asked.frames)))
        return
    for size in SIZES:
        found: dict[str, list[dict[str, float]]] = {"ours": [], "vendor": []}
        for _ in range(asked.rounds):
            for way, results in found.items():
                command = [sys.executable, "-m", "tests.benchmarks.pco_cost", "--only", way, size]
                done = subprocess.run(
                    [*command, "--frames", str(asked.frames)], capture_output=True, text=True, check=True
                )
                results.append(json.loads(done.stdout))
        middle = {
            way: {key: statistics.median(result[key] for result in results) for key in results[0]}
            for way, results in found.items()
        }
        for way, figures in middle.items():
            print(
                f"{size:10} {way:7} whole {figures['whole_us']:8.1f} us, path {figures['path_us']:8.1f} us "
                f"a frame, memory grown by {figures['grown_mb']:.0f} MB in {asked.frames} frames"
            )
        ratios = [middle["vendor"][key] / middle["ours"][key] for key in ("whole_us", "path_us")]
        print(f"{size:10} ratio   whole {ratios[0]:.1f}, path {ratios[1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
