"""What "shot-noise" makes of the simulated camera's frames, and what moving their values costs.

python -m tests.benchmarks.shot_noise [--rounds 9] [--electrons 1000]

Frames are packed as they are, moved, and packed again, in turn; times are those that the thread works, as
medians of the ratios of each round.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.camera.simulated.scene import CONVERSION_FACTOR, DARK, READ_NOISE, REFERENCE_EXPOSURE_S, Scene
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel
from recorder.storage.packed_chunk import pack

# A chunk of frames of 11 MB is one of them.
CHUNK_BYTES = 11_000_000

FRACTIONS = (0.25, 0.5, 1.0)


def seconds(work: Callable[[], object]) -> float:
    """Return how long this thread works."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def measure(frames: NDArray[np.uint16], fraction: float, rounds: int) -> str:
    """Return what a ladder makes of frames, against packing them as they are."""
    moved, room = np.empty_like(frames), memoryview(bytearray(frames.nbytes))
    noise = NoiseModel(CONVERSION_FACTOR, READ_NOISE, DARK)
    ladder = NoiseLadder(noise, fraction)

    def move() -> None:
        ladder.apply(frames, moved, exact=timestamp.PIXELS)

    move()
    lossless, stored = pack(frames, room), pack(moved, room)
    added = ((moved.astype(float) - frames) ** 2).mean() / noise.variance(frames).mean()
    times = [
        (seconds(lambda: pack(frames, room)), seconds(move), seconds(lambda: pack(moved, room)))
        for _ in range(rounds)
    ]
    moving = statistics.median(move_s / pack_s for pack_s, move_s, _ in times)
    both = statistics.median((move_s + again_s) / pack_s for pack_s, move_s, again_s in times)
    return (
        f"{frames.nbytes / stored:.2f} times smaller, lossless {frames.nbytes / lossless:.2f}; {added:.2%} "
        f"of the noise's variance added, {ladder.added_variance:.2%} at most; moving takes {moving:.2f} of "
        f"the time of packing without, both {both:.2f}"
    )


def main() -> None:
    """Measure, and print a line for each fraction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--width", type=int, default=2560)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--electrons", type=float, default=1000)
    options = parser.parse_args()
    scene = Scene(options.height, options.width, 1, options.electrons)
    count = max(1, CHUNK_BYTES // (2 * options.width * options.height))
    frames = np.stack([scene.frame(number, REFERENCE_EXPOSURE_S) for number in range(1, count + 1)])
    for fraction in FRACTIONS:
        print(f"{fraction}: {measure(frames, fraction, options.rounds)}")


if __name__ == "__main__":
    main()
