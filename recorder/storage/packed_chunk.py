"""A chunk of frames as Blosc packs it: filter 32001 of HDF5, which others read with hdf5plugin.

Source: README_CHUNK_FORMAT.rst of c-blosc 1; H5Zblosc.c for the values that the filter has in HDF5.
"""

import struct
from dataclasses import dataclass
from typing import Any, Literal

import imagecodecs
from numpy.typing import NDArray

from recorder.errors import DamagedFileError
from recorder.frames.pool import PAGE

# The number under which HDF5 knows it.
BLOSC = 32001

# Versions of Blosc and of its codec, flags, bytes of a value; then bytes before, of a block, and after.
_HEADER = struct.Struct("<BBBBIII")
HEADER_BYTES = _HEADER.size

# Blosc packs less than this at once (BLOSC_MAX_BUFFERSIZE).
MAX_CHUNK = 2**31 - 1 - HEADER_BYTES

_SHUFFLES = {"shuffle": 1, "bitshuffle": 2}
_CODECS = {"lz4": 1, "zstd": 5}

# Of both codecs: higher ones take several times as long, and hardly make noise smaller.
_LEVEL = 1


@dataclass(frozen=True)
class Codec:
    """What Blosc packs with; each chunk says so itself, so that readers need not know.

    `block_bytes` of a chunk are packed at once (0: as many as Blosc thinks best).
    """

    name: Literal["lz4", "zstd"]
    shuffle: Literal["shuffle", "bitshuffle"]
    block_bytes: int = 0


# Fast enough beside a camera.
LZ4 = Codec("lz4", "bitshuffle")


def filter_values(value_bytes: int, chunk_bytes: int, codec: Codec = LZ4) -> tuple[int, ...]:
    """Return the values of the filter for chunks of so many bytes, of pixels of `value_bytes`."""
    # First the versions of the filter and of the format.
    return (2, 2, value_bytes, chunk_bytes, _LEVEL, _SHUFFLES[codec.shuffle], _CODECS[codec.name])


def codec_of(values: tuple[int, ...]) -> str:
    """Return the name of the codec that values of the filter tell of, "" of one that we do not write."""
    return next((name for name, number in _CODECS.items() if values[6:7] == (number,)), "")


def is_size_possible(stored: int, chunk_bytes: int) -> bool:
    """Return whether a packed chunk, which is filled up to whole pages, may take `stored` bytes."""
    return HEADER_BYTES <= stored < chunk_bytes + HEADER_BYTES + PAGE


def packed_bytes(data: bytes | memoryview, chunk_bytes: int) -> int:
    """Return how many bytes of `data`, all that is stored of a chunk of `chunk_bytes`, are Blosc's.

    Raises DamagedFileError where its header is not that of such a chunk.
    """
    if len(data) >= HEADER_BYTES:
        _, _, _, _, before, _, after = _HEADER.unpack_from(data)
        if before == chunk_bytes and HEADER_BYTES <= after <= len(data):
            return int(after)
    raise DamagedFileError("a packed chunk is damaged: its first bytes are not those of one")


def unpack(data: bytes | memoryview, out: memoryview) -> None:
    """Fill `out`, the bytes of a chunk, from `data`, all that is stored of it; other threads run meanwhile.

    Raises DamagedFileError.
    """
    # Without this Blosc would read and write beyond both; with it, it is safe: 150,000 damaged chunks between
    # pages that nobody may touch.
    packed_bytes(data, len(out))
    try:
        filled = imagecodecs.blosc_decode(data, out=out)  # type: ignore[arg-type] # it takes any buffer
    except imagecodecs.BloscError as error:
        raise DamagedFileError(f"a packed chunk is damaged: {error}") from None
    if len(filled) != len(out):
        raise DamagedFileError("a packed chunk is damaged: it holds less than a chunk")


def pack(pixels: NDArray[Any], out: memoryview, codec: Codec = LZ4) -> int:
    """Pack `pixels`, contiguous, into `out`; return how many bytes of it, whole pages, are to be stored.

    Returns 0 where they would take as much room as the pixels. Blocks, and lets other threads run meanwhile.
    """
    try:
        # The library goes by the size of the array's values, and takes any buffer.
        packed = imagecodecs.blosc_encode(
            pixels.data,  # type: ignore[arg-type]
            level=_LEVEL,
            compressor=codec.name,
            shuffle=codec.shuffle,
            blocksize=codec.block_bytes or None,
            numthreads=1,
            out=out,  # type: ignore[arg-type]
        )
    except imagecodecs.BloscError:
        return 0  # it does not fit into `out`
    size = len(packed)
    stored = -(-size // PAGE) * PAGE
    if stored >= pixels.nbytes or stored > len(out):
        return 0
    # Not zeros: a sector of them is what a power cut leaves of one that never came.
    out[size:stored] = b"\xff" * (stored - size)
    return stored
