"""The pixels of one file, read at their addresses without HDF5; from any thread, process or computer."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, StorageError
from recorder.storage.direct_io import open_to_read, read_into

# Frames of which a band of rows is wanted are read in part where that leaves out so much.
WORTH_SKIPPING = 64 * 1024


@dataclass(frozen=True)
class Piece:
    """`count` frames that stand one behind the other in the file at `path`, from byte `address` on."""

    path: str
    address: int
    count: int


def pieces(
    path: Path, addresses: NDArray[np.int64], per_chunk: int, frame_bytes: int, first: int, stop: int
) -> Iterator[Piece]:
    """Yield where frames [first, stop) are; chunks that follow each other are one piece."""
    begin, count = -1, 0
    for chunk in range(first // per_chunk, -(-stop // per_chunk)):
        start, end = max(first, chunk * per_chunk), min(stop, (chunk + 1) * per_chunk)
        address = int(addresses[chunk]) + (start - chunk * per_chunk) * frame_bytes
        if count and address == begin + count * frame_bytes:
            count += end - start
            continue
        if count:
            yield Piece(str(path), begin, count)
        begin, count = address, end - start
    if count:
        yield Piece(str(path), begin, count)


def open_file(path: Path | str) -> int:
    """Open a file to read its bytes; raises StorageError where it is gone."""
    try:
        return open_to_read(Path(path))
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened: {error.strerror or error}") from None


def read_piece(fd: int, piece: Piece, rows: slice, out: NDArray[Any], height: int) -> None:
    """Read rows [rows.start, rows.stop) of each frame of a piece into `out` (count, rows, W), in order.

    Raises DamagedFileError where the file ends before, StorageError where the disk fails.
    """
    row_bytes = out.shape[2] * out.itemsize
    start, band = rows.start * row_bytes, (rows.stop - rows.start) * row_bytes
    if band == height * row_bytes:
        _read(fd, piece, piece.address, out)
        return
    if (height * row_bytes - band) < WORTH_SKIPPING:
        whole = np.empty(
            (min(piece.count, max(1, 2**24 // (height * row_bytes))), height, out.shape[2]), out.dtype
        )
        for begin in range(0, piece.count, len(whole)):
            part = whole[: piece.count - begin]
            _read(fd, piece, piece.address + begin * height * row_bytes, part)
            out[begin : begin + len(part)] = part[:, rows]
        return
    for i in range(piece.count):
        _read(fd, piece, piece.address + i * height * row_bytes + start, out[i])


def _read(fd: int, piece: Piece, address: int, out: NDArray[Any]) -> None:
    """Fill `out`, which is contiguous; a system may return a part only."""
    left = out.reshape(-1).view(np.uint8).data
    while left:
        try:
            count = read_into(fd, address, left)
        except OSError as error:
            raise StorageError(f"{piece.path}: cannot be read: {error.strerror or error}") from None
        if not count:
            raise DamagedFileError(f"{piece.path}: cut short; recorder recover keeps what can be read")
        left, address = left[count:], address + count


def close_file(fd: int) -> None:
    """Close what `open_file` opened."""
    os.close(fd)
