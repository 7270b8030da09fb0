"""The description of one dataset as HDF5 has it on disk, read and corrected without HDF5.

HDF5 refuses a header whose checksum does not fit. After a power cut a header can be half old and half new:
only the dataset's length and the checksum differ, so that it is made right again from any mixture of the two.

Source: HDF5 File Format Specification 3.0, IV.A.1.b (version 2 object headers), IV.A.2.b, IV.A.2.i,
IV.A.2.l.
"""

import struct
from dataclasses import dataclass
from typing import Self

from recorder.errors import DamagedFileError
from recorder.storage.file_bytes import FileBytes
from recorder.storage.packed_chunk import BLOSC, MAX_CHUNK
from recorder.storage.superblock import CHECKSUM_BYTES, checksummed

UNDEFINED = 2**64 - 1

_DATASPACE, _LAYOUT, _FILTERS, _CONTINUATION = 0x01, 0x08, 0x0B, 0x10
_CONTIGUOUS, _CHUNKED, _EXTENSIBLE_ARRAY = 1, 2, 4

# More than any header of ours has: a damaged one may point at itself, or claim any size.
_MAX_PARTS = 16
_MAX_BYTES = 65536


@dataclass
class _Part:
    """Bytes of a header that have a checksum of their own, at `address`."""

    address: int
    data: bytearray  # without the checksum


@dataclass(frozen=True)
class ChunkIndexAddress:
    """Where a dataset's chunk index is, and how much each of its chunks holds.

    `packed_from` is that once more where Blosc packs chunks, 0 where they are all stored as they are.
    """

    address: int
    rows_per_chunk: int
    chunk_bytes: int
    packed_from: int


class ObjectHeader:
    """The header of one dataset; `read` and `write` block, and raise OSError."""

    def __init__(self, parts: list[_Part], found: dict[int, tuple[int, int, int]]) -> None:
        self._parts = parts
        # Which part, and where in it; of those that are read as a whole their size as well.
        self._dataspace, self._layout_place = found[_DATASPACE][:2], found[_LAYOUT]
        self._filters_place = found.get(_FILTERS)

    @classmethod
    def read(cls, file: FileBytes, address: int) -> Self:
        """Read the header at `address`, whether or not its checksums fit.

        Raises DamagedFileError where no dataset's header is there.
        """
        prefix = file.read(address, 64)
        if prefix[:5] != b"OHDR\x02":
            raise DamagedFileError(f"no description of a dataset at byte {address}")
        flags = prefix[5]
        start = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(prefix[start : start + width], "little")
        start += width
        parts = [_Part(address, bytearray(file.read(address, min(start + size, _MAX_BYTES))))]
        found: dict[int, tuple[int, int, int]] = {}  # kind: part, start, size
        begin = start
        for part in parts:
            for kind, at, length in _messages(part.data, begin, ordered=bool(flags & 0x04)):
                if kind != _CONTINUATION:
                    found.setdefault(kind, (parts.index(part), at, length))
                elif len(parts) < _MAX_PARTS:
                    where, count = struct.unpack_from("<QQ", part.data, at)
                    count = min(count, _MAX_BYTES) - CHECKSUM_BYTES
                    parts.append(_Part(where, bytearray(file.read(where, max(0, count)))))
            begin = 4  # behind the signature of a continuation
        if _DATASPACE not in found or _LAYOUT not in found:
            raise DamagedFileError(f"no dataset is described at byte {address}")
        return cls(parts, found)

    @property
    def _layout(self) -> bytes:
        return self._message(self._layout_place)

    def _message(self, place: tuple[int, int, int]) -> bytes:
        which, at, length = place
        return bytes(self._parts[which].data[at : at + length])

    @property
    def shape(self) -> tuple[int, ...]:
        """The dataset's extent, () of a single value."""
        which, at = self._dataspace
        data = self._parts[which].data
        return struct.unpack_from(f"<{data[at + 1]}Q", data, at + 4)

    def set_length(self, length: int) -> None:
        """Have the dataset's first dimension be `length`; `write` puts it into the file."""
        which, at = self._dataspace
        struct.pack_into("<Q", self._parts[which].data, at + 4, length)

    @property
    def contiguous(self) -> tuple[int, int]:
        """Address and size in bytes of the values of a dataset without chunks."""
        if self._layout[1] != _CONTIGUOUS:
            raise DamagedFileError("a dataset's values are not in one place")
        address, size = struct.unpack_from("<QQ", self._layout, 2)
        return address, size

    @property
    def chunk_index(self) -> ChunkIndexAddress:
        """Where the index of a dataset with chunks is; raises DamagedFileError for one of another kind."""
        version, kind, _, rank, width = struct.unpack_from("<BBBBB", self._layout)
        sizes = self._layout[5 : 5 + rank * width]
        dims = [int.from_bytes(sizes[i * width : (i + 1) * width], "little") for i in range(rank)]
        at = 5 + rank * width
        if (version, kind) != (4, _CHUNKED) or self._layout[at] != _EXTENSIBLE_ARRAY:
            raise DamagedFileError("a dataset's chunks have an index of another kind")
        (address,) = struct.unpack_from("<Q", self._layout, at + 6)
        size = 1
        for dim in dims:  # the last one is the size of an element
            size *= dim
        packed_from = size if self._is_packed else 0
        if packed_from > MAX_CHUNK:
            raise DamagedFileError(f"a dataset's chunks are said to be packed from {size} bytes each")
        return ChunkIndexAddress(address, dims[0], size, packed_from)

    @property
    def _is_packed(self) -> bool:
        """Whether chunks go through the one filter that is known; raises DamagedFileError for others."""
        if self._filters_place is None:
            return False
        version, count = struct.unpack_from("<BB", self._message(self._filters_place))
        if count == 0:
            return False
        (first,) = struct.unpack_from("<H", self._message(self._filters_place), 8 if version == 1 else 2)
        if count > 1 or first != BLOSC:
            more = f" and {count - 1} more" if count > 1 else ""
            raise DamagedFileError(
                f"a dataset is compressed by HDF5's filter {first}{more}; this recorder reads Blosc "
                f"({BLOSC}) alone"
            )
        return True

    def forget_chunk_index(self) -> None:
        """Have the dataset be one that never had a chunk; `write` puts it into the file."""
        layout = self._layout
        _, _, _, rank, width = struct.unpack_from("<BBBBB", layout)
        which, at, _ = self._layout_place
        struct.pack_into("<Q", self._parts[which].data, at + 11 + rank * width, UNDEFINED)

    def write(self, file: FileBytes) -> None:
        """Put the header into its place, with checksums that fit."""
        for part in self._parts:
            file.write(part.address, checksummed(bytes(part.data)))


def _messages(data: bytearray, start: int, *, ordered: bool) -> list[tuple[int, int, int]]:
    """Return kind, start and size of each message in a part of a header."""
    messages = []
    prefix = 6 if ordered else 4
    while start + prefix <= len(data):
        kind, size = struct.unpack_from("<BH", data, start)
        start += prefix
        if start + size > len(data):
            break
        messages.append((kind, start, size))
        start += size
    return messages
