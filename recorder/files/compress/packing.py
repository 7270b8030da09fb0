"""Pack the chunks of a recording on all processors; and read them back, to see whether they are the same."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.checks import Structure
from recorder.files.compress.chunk_reader import ChunkReader, Place
from recorder.files.compress.on_threads import in_order, threads_for
from recorder.files.compress.source import Source, damaged
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


def choose(reader: ChunkReader, name: str) -> tuple[Codec, float]:
    """Return how to pack with the codec of this name, and which share of the pixels' bytes that leaves.

    Noise that fits into a byte becomes smaller byte by byte, greater noise bit by bit (decision 18): pieces
    from all over the recording are packed either way. Raises DamagedFileError and StorageError.
    """
    place, ways = Place(reader.chunk_bytes), CODECS[name]
    whole, stored = 0, np.zeros(len(ways))
    for number in range(0, reader.count, -(-reader.count // SAMPLES)):
        pixels = reader.read(number, place)[: len(reader.frames(number))].reshape(-1)
        count = min(len(pixels), SAMPLE_BYTES // pixels.itemsize)
        begin = (len(pixels) - count) // 2
        piece = pixels[begin : begin + count]
        stored += [pack(piece, place.packed, codec) or piece.nbytes for codec in ways]
        whole += piece.nbytes
    best = int(np.argmin(stored))
    return ways[best], float(stored[best]) / whole


def packed(source: Source, reader: ChunkReader, codec: Codec) -> Generator[Chunk, None, None]:
    """Yield the chunks of a recording in their order, each valid until the next.

    Raises DamagedFileError where pixels cannot be read, or are not those of the file's own checksums,
    StorageError where the disk fails.
    """
    yield from in_order(
        reader.count, _places(reader), lambda number, place: _packed(source, reader, number, place, codec)
    )


def _places(reader: ChunkReader) -> list[Place]:
    return [Place(reader.chunk_bytes) for _ in range(threads_for(2 * reader.chunk_bytes))]


def _packed(source: Source, reader: ChunkReader, number: int, place: Place, codec: Codec) -> Chunk:
    frames, pixels = reader.frames(number), reader.read(number, place)
    sums = reader.sums(number, pixels)
    if source.structure.checksums is not None:
        wrong = np.flatnonzero(sums != source.structure.checksums[frames.start : frames.stop])
        if len(wrong):
            text = f"the pixels of frame {frames[wrong[0]]} are not those of its checksum"
            raise damaged(source.path, text)
    stored = pack(pixels, place.packed, codec)
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
