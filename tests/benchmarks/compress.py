"""How fast `recorder compress` is, against its codec alone on as many threads; in pairs.

python -m tests.benchmarks.compress [--gigabytes 1] [--pairs 6] [--folder /dev/shm] [--codec zstd]

Frames are those of a simulated pco.edge 5.5. Of the codec it measures packing the same chunks in memory, and
unpacking them: `recorder compress` does both, as it reads everything back. By the clock, and by the time that
the processors were busy: that holds on a computer with other work, too, to which the command leaves them.
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.checks import Structure, structure_of
from recorder.files.compress.chunk_reader import ChunkReader, Place
from recorder.files.compress.packing import choose
from recorder.files.compress.source import Source
from recorder.files.probe import probing
from recorder.frontends.priority import step_back
from recorder.storage.packed_chunk import HEADER_BYTES, Codec, pack, unpack
from tests.system.conftest import COMMAND

FRAME_BYTES = 2560 * 2160 * 2

PROCESSORS = len(os.sched_getaffinity(0))

# What the codec is measured with: chunks that fit into memory many times over.
CHUNKS = 48


def record(folder: Path, gigabytes: float) -> Path:
    path = folder / "x.h5"
    frames = max(1, int(gigabytes * 1e9 / FRAME_BYTES))
    arguments = ["run", "configs/simulated.toml", "--headless", "--frames", str(frames)]
    subprocess.run([*COMMAND, *arguments, "--output", str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


class InMemory:
    """Chunks of a recording, packed and unpacked on as many threads as there are processors."""

    def __init__(self, path: Path, structure: Structure, codec: Codec) -> None:
        with ChunkReader(path, structure) as reader:
            self._bytes = reader.chunk_bytes
            some = np.linspace(0, reader.count - 2, min(CHUNKS, reader.count - 1)).astype(int)
            self._chunks = [reader.read(int(number), Place(self._bytes)) for number in some]
        self._codec = codec
        self._out = [np.zeros(self._bytes + HEADER_BYTES, np.uint8) for _ in self._chunks]
        self._back = [np.zeros(self._bytes, np.uint8) for _ in self._chunks]
        self._sizes = [0] * len(self._chunks)

    def speeds(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return seconds for each GB, by the clock and of a processor, of packing, and of unpacking."""
        return self._took(self._pack), self._took(self._unpack)

    def _pack(self, i: int) -> None:
        self._sizes[i] = pack(self._chunks[i], self._out[i].data, self._codec)
        assert self._sizes[i]

    def _unpack(self, i: int) -> None:
        unpack(self._out[i].data[: self._sizes[i]], self._back[i].data)

    def _took(self, work: Callable[[int], None]) -> NDArray[Any]:
        with ThreadPoolExecutor(PROCESSORS) as threads:
            began_s = np.array([time.perf_counter(), time.process_time()])
            list(threads.map(work, range(len(self._chunks))))
            took_s = np.array([time.perf_counter(), time.process_time()]) - began_s
        per_gb: NDArray[Any] = took_s / (len(self._chunks) * self._bytes / 1e9)
        return per_gb


def compressed(path: Path, codec: str) -> tuple[NDArray[Any], str]:
    """Return how long the command took, by the clock and of processors, and what it said."""
    command = [*COMMAND, "compress", str(path), "--codec", codec]
    began_s = np.array([time.perf_counter(), _children_s()])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took_s = np.array([time.perf_counter(), _children_s()]) - began_s
    path.with_name("x.compressed.h5").unlink()
    return took_s, done.stdout.partition(", ")[2].strip()


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--codec", choices=["zstd", "lz4"], default="zstd")
    asked = parser.parse_args()
    # Both as the command is.
    step_back()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        path = record(folder, asked.gigabytes)
        with probing() as probe:
            source = Source.of(path, probe)
        with ChunkReader(path, source.structure) as reader:
            way, _ = choose(reader, asked.codec, None)
            size = source.structure.frames * reader.frame_bytes
        alone = InMemory(path, structure_of(path), way.codec)
        print(f"{size / 1e9:.2f} GB, {PROCESSORS} processors, {way.codec}")
        ratios = []
        for _ in range(asked.pairs):
            packing, unpacking = alone.speeds()
            took_s, said = compressed(path, asked.codec)
            took = took_s / (size / 1e9)
            ratios.append([packing / took, (packing + unpacking) / took])
            print(
                f"command {1 / took[0]:.2f} GB/s, {took[1]:.2f} s of a processor for each GB; codec packs "
                f"{1 / packing[0]:.2f} GB/s, {packing[1]:.2f} s; unpacks {1 / unpacking[0]:.2f}, "
                f"{unpacking[1]:.2f} s; {said}",
                flush=True,
            )
        for what, (clock, busy) in zip(
            ("packing alone", "packing and unpacking"), np.median(ratios, axis=0), strict=True
        ):
            print(f"of the codec's speed at {what}: {clock:.2f} by the clock, {busy:.2f} of processors")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
