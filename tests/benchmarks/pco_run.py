"""A run of full frames through the vendor's real package on the virtual camera, then every pixel compared.

python -m tests.benchmarks.pco_run [--frames 2000]      (22 GB on the disk)
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from recorder.storage.layout import DETECTOR
from tests.system.test_pco import record
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.models import EDGE_55


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=2000)
    asked = parser.parse_args()
    camera = VirtualCamera(EDGE_55)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.h5"
        settings = {"exposure": "5ms"}
        began = time.monotonic()
        summary = asyncio.run(record(camera, path, settings, frames=asked.frames))
        seconds = time.monotonic() - began
        print(f"{summary.verdict}: {summary.frames} frames, {summary.lost} lost, {seconds:.1f} s")
        assert camera.sensor is not None
        wrong = 0
        with h5py.File(path) as file:
            detector = file[DETECTOR]
            numbers = detector["frame_number"][:]
            times = np.rint(detector["frame_time"][:] * 1e6).astype(int)
            first_us = round(times[0])
            for i, number in enumerate(numbers):
                us = int(times[i] - first_us)
                wrong += (detector["data"][i] != camera.sensor.frame(int(number), us, stamped=True)).any()
            rows = {name: np.unique(detector[name][:]).tolist() for name in ("exposure", "temperature")}
        print(f"{wrong} frames differ in a pixel; counters 1 to {numbers[-1]}; rows: {rows}")


if __name__ == "__main__":
    main()
