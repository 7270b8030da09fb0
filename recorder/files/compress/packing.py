"""Pack the chunks of a recording on all processors; and read them back, to see whether they are the same."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.files.checks import Structure
from recorder.files.compress.chunk_reader import ChunkReader, Place
from recorder.files.compress.on_threads import in_order, threads_for
from recorder.files.compress.source import Source, damaged
from recorder.storage.noise_ladder import NoiseLadder
from recorder.storage.packed_chunk import LZ4, Codec, pack

# In blocks that Blosc would choose, zstd is slower, and packs less.
_ZSTD_BLOCK = 2**19

# How each codec packs; of several ways, the one that makes a recording's samples smallest.
CODECS = {
    "zstd": (Codec("zstd", "shuffle", _ZSTD_BLOCK), Codec("zstd", "bitshuffle", _ZSTD_BLOCK)),
    "lz4": (LZ4,),
}

# So many pieces from all over a recording tell how small it becomes.
SAMPLES, SAMPLE_BYTES = 16, 2**20


@dataclass(frozen=True)
class Chunk:
    """What is to be stored of some `frames`, packed or as they are, and the checksum of each of them."""

    frames: range
    data: memoryview
    is_packed: bool
    sums: NDArray[np.uint32]


@dataclass(frozen=True)
class Way:
    """How the chunks are packed; with `ladder` their values are moved to its levels before."""

    codec: Codec
    ladder: NoiseLadder | None

    def moved(self, pixels: NDArray[Any], place: Place) -> NDArray[Any]:
        """Return the pixels (k, H, W) that are to be stored, in `place` where they are others."""
        if self.ladder is None or place.moved is None:
            return pixels
        moved: NDArray[Any] = np.frombuffer(place.moved, pixels.dtype, pixels.size).reshape(pixels.shape)
        self.ladder.apply(pixels, moved, exact=timestamp.PIXELS)
        return moved


def choose(reader: ChunkReader, name: str, ladder: NoiseLadder | None) -> tuple[Way, float]:
    """Return how to pack with the codec of this name, and which share of the pixels' bytes that leaves.

    Noise that fits into a byte becomes smaller byte by byte, greater noise bit by bit (decision 18): pieces
    from all over the recording are packed either way. Raises DamagedFileError and StorageError.
    """
    place = Place(reader.chunk_bytes, moves=ladder is not None)
    ways = [Way(codec, ladder) for codec in CODECS[name]]
    whole, stored = 0, np.zeros(len(ways))
    for number in range(0, reader.count, -(-reader.count // SAMPLES)):
        chunk = ways[0].moved(reader.read(number, place), place)
        pixels = chunk[: len(reader.frames(number))].reshape(-1)
        count = min(len(pixels), SAMPLE_BYTES // pixels.itemsize)
        begin = (len(pixels) - count) // 2
        piece = pixels[begin : begin + count]
        stored += [pack(piece, place.packed, way.codec) or piece.nbytes for way in ways]
        whole += piece.nbytes
    best = int(np.argmin(stored))
    return ways[best], float(stored[best]) / whole


def packed(source: Source, reader: ChunkReader, way: Way) -> Generator[Chunk, None, None]:
    """Yield the chunks of a recording in their order, each valid until the next.

    Raises DamagedFileError where pixels cannot be read, or are not those of the file's own checksums,
    StorageError where the disk fails.
    """
    yield from in_order(
        reader.count,
        _places(reader, moves=way.ladder is not None),
        lambda number, place: _packed(source, reader, number, place, way),
    )


def _places(reader: ChunkReader, *, moves: bool = False) -> list[Place]:
    threads = threads_for((2 + moves) * reader.chunk_bytes)
    return [Place(reader.chunk_bytes, moves=moves) for _ in range(threads)]


def _packed(source: Source, reader: ChunkReader, number: int, place: Place, way: Way) -> Chunk:
    frames, pixels = reader.frames(number), reader.read(number, place)
    sums = reader.sums(number, pixels)
    if source.structure.checksums is not None:
        wrong = np.flatnonzero(sums != source.structure.checksums[frames.start : frames.stop])
        if len(wrong):
            text = f"the pixels of frame {frames[wrong[0]]} are not those of its checksum"
            raise damaged(source.path, text)
    if way.ladder is not None:
        pixels = way.moved(pixels, place)
        sums = reader.sums(number, pixels)
    stored = pack(pixels, place.packed, way.codec)
    data: Any = place.packed[:stored] if stored else pixels.reshape(-1).view(np.uint8).data
    return Chunk(frames, data, bool(stored), sums)


def read_back(path: Path, structure: Structure) -> Generator[tuple[range, NDArray[np.uint32]], None, None]:
    """Yield frames of a file, in their order, with the checksum of each as it is on the disk.

    Raises DamagedFileError, and StorageError where the disk fails.
    """
    with ChunkReader(path, structure) as reader:

        def sums(number: int, place: Place) -> tuple[range, NDArray[np.uint32]]:
            return reader.frames(number), reader.sums(number, reader.read(number, place))

        yield from in_order(reader.count, _places(reader), sums)
