"""Damaged chunks, unpacked between pages that nobody may touch: reading or writing beyond ends the process.

python -m tests.unit.storage.damaged_chunks --chunks 100000
"""

import argparse
import ctypes
import mmap
import random
import sys
from collections.abc import Callable

import imagecodecs
import numpy as np

from recorder.errors import DamagedFileError
from recorder.frames.pool import PAGE
from recorder.storage.packed_chunk import HEADER_BYTES, unpack

# Of a chunk before it is packed; some end inside of a page, some of Blosc's blocks are small.
SIZES = (130, 4096, 4608, 65_536, 1 << 18)
CODECS = ("lz4", "zstd", "zlib", "blosclz")


def guarded(size: int) -> memoryview:
    """Return memory that ends where a page begins that cannot be touched, where the system has such pages."""
    whole = -(-size // PAGE) * PAGE
    memory = mmap.mmap(-1, whole + 2 * PAGE)
    if sys.platform == "linux":
        begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        protect = ctypes.CDLL(None).mprotect
        for page in (begin, begin + PAGE + whole):
            assert protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
    return memoryview(memory)[PAGE + whole - size : PAGE + whole]


def sound(size: int, codec: str, seed: int) -> bytes:
    """Return a chunk as it should be: noise, dark, or all zeros."""
    values = np.random.default_rng(seed).poisson([1000, 3, 0][seed % 3], size // 2).astype("<u2")
    blocks = [0, 4096, 16 * 1024][seed // 3 % 3]
    data = values.tobytes()
    return bytes(
        imagecodecs.blosc_encode(
            data, level=1, compressor=codec, typesize=2, shuffle="bitshuffle", blocksize=blocks
        )
    )


def flipped(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 3, 30])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flipped_in_front(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 2, 4])):
        data[chance.randrange(min(64, len(data)))] = chance.randrange(256)


def holed(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    data[start : start + 512] = bytes(len(data[start : start + 512]))


def wrong_lengths(data: bytearray, chance: random.Random) -> None:
    """Places and lengths of blocks that lead elsewhere."""
    for _ in range(chance.choice([1, 5])):
        start = chance.randrange(4, min(len(data) - 4, 2000))
        near = [0, 1, len(data) - 3, len(data), 2**31 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)]
        data[start : start + 4] = chance.choice(near).to_bytes(4, "little")


def shortened(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(HEADER_BYTES, len(data)) :]
    data[12:16] = len(data).to_bytes(4, "little")


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flipped,
    flipped_in_front,
    holed,
    wrong_lengths,
    shortened,
)


def check(chunks: int) -> int:
    """Unpack so many damaged chunks; return how many were refused. Raises what is no DamagedFileError."""
    outs = {size: guarded(size) for size in SIZES}
    refused = 0
    for seed in range(chunks):
        chance = random.Random(seed)
        size = chance.choice(SIZES)
        data = bytearray(sound(size, chance.choice(CODECS), chance.randrange(9)))
        chance.choice(WAYS)(data, chance)
        stored = guarded(len(data))
        stored[:] = data
        try:
            unpack(stored, outs[size])
        except DamagedFileError:
            refused += 1
    return refused


def main() -> None:
    """Check so many chunks; a crash is what this looks for."""
    parser = argparse.ArgumentParser(description="Unpack damaged chunks.")
    parser.add_argument("--chunks", type=int, default=100_000)
    chunks = parser.parse_args().chunks
    sys.stdout.write(f"{chunks} damaged chunks, {check(chunks)} refused\n")


if __name__ == "__main__":
    main()
