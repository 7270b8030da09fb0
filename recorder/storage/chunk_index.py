"""The index of a dataset's chunks as HDF5 has it on disk, read and corrected without HDF5.

HDF5 calls it an extensible array: the elements of the first chunks stand in an index block, the others in
data blocks that grow in size; where there are many, super blocks have the data blocks' addresses. Large
data blocks are divided into pages. Each of these has a checksum. An element is the address of a chunk; where
chunks may be packed also its size in the file, and a filter mask that says whether it is. It is written once
and never changes; so in a block that is half old and half new after a power cut, what both had is right.

Source: HDF5 File Format Specification 3.0, VII.D (the extensible array index), and H5EA*.c of HDF5 1.10.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Self

from recorder.errors import DamagedFileError
from recorder.storage.file_bytes import FileBytes
from recorder.storage.object_header import UNDEFINED
from recorder.storage.packed_chunk import is_size_possible
from recorder.storage.superblock import CHECKSUM_BYTES, checksummed

_ADDRESS = struct.Struct("<Q")
_HEADER = struct.Struct("<4sBBBBBBBB6QQ")
_PREFIX_BYTES = 14  # signature, version, kind of elements, address of the header

# What a disk writes as a whole.
SECTOR = 512

# Kinds of elements: an address only, or with stored size and filter mask.
_UNFILTERED, _FILTERED = 0, 1

# Filter masks: packed, or stored as it is.
_PACKED, _AS_IT_IS = 0, 1


@dataclass(frozen=True)
class _Sizes:
    """How the index grows: the numbers that HDF5 writes into every index (H5D_EARRAY_* in H5Dearray.c)."""

    element_bytes: int = 8
    max_bits: int = 32
    in_index_block: int = 4
    min_per_block: int = 16
    min_pointers: int = 4
    page_bits: int = 10

    @classmethod
    def of_chunks(cls, packed_from: int) -> Self:
        """Return those of chunks that are packed from `packed_from` bytes; 0: they are not."""
        if not packed_from:
            return cls()
        # A byte more than the size of a chunk takes, as packing may make it longer.
        return cls(8 + min(8, 1 + (packed_from.bit_length() + 7) // 8) + 4)

    @property
    def none(self) -> bytes:
        """The element of a chunk that there is not."""
        return _ADDRESS.pack(UNDEFINED).ljust(self.element_bytes, b"\0")

    @property
    def prefix_bytes(self) -> int:
        """What stands before the contents of a data block or a super block."""
        return _PREFIX_BYTES + (self.max_bits + 7) // 8

    @property
    def super_blocks(self) -> int:
        """Number of super blocks possible, those included whose data blocks the index block points at."""
        return 1 + self.max_bits - (self.min_per_block.bit_length() - 1)

    @property
    def inlined(self) -> int:
        """Number of super blocks whose data blocks the index block points at."""
        return 2 * (self.min_pointers.bit_length() - 1)

    @property
    def page_chunks(self) -> int:
        return 1 << self.page_bits

    def data_blocks(self, super_block: int) -> int:
        """Number of data blocks of a super block."""
        return 1 << super_block // 2

    def chunks(self, super_block: int) -> int:
        """Number of chunks in each data block of a super block."""
        return (1 << (super_block + 1) // 2) * self.min_per_block

    def pages(self, super_block: int) -> int:
        """Number of pages of each data block of a super block; 0: it is not divided."""
        return (
            self.chunks(super_block) >> self.page_bits if self.chunks(super_block) > self.page_chunks else 0
        )

    def data_block_bytes(self, super_block: int) -> int:
        if pages := self.pages(super_block):
            page_bytes = self.element_bytes * self.page_chunks + CHECKSUM_BYTES
            return self.prefix_bytes + CHECKSUM_BYTES + pages * page_bytes
        return self.prefix_bytes + self.element_bytes * self.chunks(super_block) + CHECKSUM_BYTES

    def super_block_bits(self, super_block: int) -> int:
        """Bytes that say which pages of a super block's data blocks are in use."""
        return self.data_blocks(super_block) * ((self.pages(super_block) + 7) // 8)


@dataclass
class _Part:
    """Bytes with a checksum of their own, and what they say of chunks.

    `blocks` and `page_bits` are places in `data`, and the number of the first chunk they are about.
    """

    sizes: _Sizes
    address: int
    data: bytearray  # without the checksum
    at: int = 0
    first: int = 0
    chunks: int = 0
    blocks: list[tuple[int, int]] = field(default_factory=list)
    page_bits: list[tuple[int, int]] = field(default_factory=list)

    def elements(self, packed_from: int) -> Iterator[tuple[int, int | None]]:
        """Yield the address of each chunk, and its size where it is packed, 0 where it is stored as it is.

        None as the size: this element is not whole.
        """
        width = self.sizes.element_bytes
        data = self.data[self.at : self.at + width * self.chunks]
        if not packed_from:
            yield from ((address, 0) for (address,) in _ADDRESS.iter_unpack(data))
            return
        for address, size, mask in struct.iter_unpack(f"<Q{width - 12}sI", data):
            stored = int.from_bytes(size, "little")
            if mask == _AS_IT_IS and stored == packed_from:
                yield address, 0
            else:
                is_whole = mask == _PACKED and is_size_possible(stored, packed_from)
                yield address, stored if is_whole else None

    def keep(self, count: int) -> None:
        """Take out what is said of chunks from number `count` on."""
        kept, size = min(max(0, count - self.first), self.chunks), self.sizes.element_bytes
        begin, end = self.at + size * kept, self.at + size * self.chunks
        self.data[begin:end] = self.sizes.none * (self.chunks - kept)
        for at, first in self.blocks:
            if first >= count:
                _ADDRESS.pack_into(self.data, at, UNDEFINED)
        for bit, first in self.page_bits:
            at, mask = bit // 8, 0x80 >> bit % 8
            self.data[at] = self.data[at] | mask if first < count else self.data[at] & ~mask


@dataclass(frozen=True)
class _Block:
    """A super block (`chunks` 0) or a data block that the header counts, and its first chunk."""

    first: int
    size: int
    chunks: int = 0


class MissingIndexError(DamagedFileError):
    """An index was begun, and never reached the disk."""


class ChunkIndex:
    """The index at `address` of a file; `read` and `keep` block, and raise OSError."""

    def __init__(self, file: FileBytes, address: int, header: tuple[int, ...], packed_from: int) -> None:
        self._file, self._address, self._header = file, address, header
        self._sizes = _Sizes.of_chunks(packed_from)
        self._parts: list[_Part] = []
        self._blocks: list[_Block] = []
        # Address of each chunk, up to the first that has none; size in the file of each that is packed,
        # 0 of one stored as it is.
        self.addresses: list[int] = []
        self.packed: list[int] = []
        for part in self._read_all():
            self._parts.append(part)
            for chunk, size in part.elements(packed_from):
                if chunk in {0, UNDEFINED} or size is None:
                    return
                self.addresses.append(chunk)
                self.packed.append(size)

    @classmethod
    def read(cls, file: FileBytes, address: int, packed_from: int = 0) -> Self:
        """Read the index at `address`, whether or not its checksums fit.

        `packed_from` is the size of a chunk before it is packed; 0: of chunks that never are. Raises
        MissingIndexError where there is none yet, DamagedFileError where something else is, or an index of
        the other kind.
        """
        data = file.read(address, _HEADER.size)
        header = _HEADER.unpack(data.ljust(_HEADER.size, b"\0"))
        kind = _FILTERED if packed_from else _UNFILTERED
        if header[:9] != (b"EAHD", 0, kind, *astuple(_Sizes.of_chunks(packed_from))):
            if never_landed(data, address):
                raise MissingIndexError(f"no index of chunks at byte {address} yet")
            raise DamagedFileError(f"no index of chunks at byte {address}")
        return cls(file, address, header, packed_from)

    def keep(self, count: int) -> None:
        """Have the index hold its first `count` chunks and no other, with checksums that fit.

        Raises DamagedFileError where it does not have so many.
        """
        if count > len(self.addresses):
            raise DamagedFileError(f"the index of chunks at byte {self._address} has less than {count}")
        for part in self._parts:
            part.keep(count)
            self._file.write(part.address, checksummed(bytes(part.data)))
        kept = [block for block in self._blocks if block.first < count]
        data = [block.size for block in kept if block.chunks]
        supers = [block.size for block in kept if not block.chunks]
        # An index block that never reached the disk is one that was never made.
        begun = bool(self._parts)
        elements = self._sizes.in_index_block * begun + sum(block.chunks for block in kept)
        figures = (len(supers), sum(supers), len(data), sum(data), count, elements)
        index_block = self._header[-1] if begun else UNDEFINED
        header = _HEADER.pack(*self._header[:9], *figures, index_block)
        self._file.write(self._address, checksummed(header))

    def _read_all(self) -> Iterator[_Part]:
        """Read one part after the other, in the order of their chunks, and stop where a block is missing."""
        sizes = self._sizes
        inlined = sum(sizes.data_blocks(i) for i in range(sizes.inlined))
        pointers = inlined + sizes.super_blocks - sizes.inlined
        elements = sizes.element_bytes * sizes.in_index_block
        data = self._block(self._header[-1], b"EAIB", elements + 8 * pointers, _PREFIX_BYTES)
        if data is None:
            return
        index = _Part(sizes, self._header[-1], data, _PREFIX_BYTES, 0, sizes.in_index_block)
        at, first = _PREFIX_BYTES + elements, sizes.in_index_block
        for super_block in range(sizes.inlined):
            for _ in range(sizes.data_blocks(super_block)):
                index.blocks.append((at, first))
                at, first = at + 8, first + sizes.chunks(super_block)
        for super_block in range(sizes.inlined, sizes.super_blocks):
            index.blocks.append((at, first))
            at, first = at + 8, first + sizes.chunks(super_block) * sizes.data_blocks(super_block)
        yield index
        pointed = iter(index.blocks)
        for super_block in range(sizes.super_blocks):
            if super_block < sizes.inlined:
                for _ in range(sizes.data_blocks(super_block)):
                    yield from self._data_block(index, *next(pointed), super_block)
            else:
                yield from self._super_block(index, *next(pointed), super_block)

    def _super_block(self, parent: _Part, at: int, first: int, super_block: int) -> Iterator[_Part]:
        sizes = self._sizes
        bits, count = sizes.super_block_bits(super_block), sizes.data_blocks(super_block)
        address = _address(parent.data, at)
        data = self._block(address, b"EASB", bits + 8 * count, sizes.prefix_bytes)
        if data is None:
            return
        part = _Part(sizes, address, data)
        self._blocks.append(_Block(first, len(data) + CHECKSUM_BYTES))
        pages = sizes.pages(super_block)
        for block in range(count):
            begin = first + block * sizes.chunks(super_block)
            part.blocks.append((sizes.prefix_bytes + bits + 8 * block, begin))
            for page in range(pages):
                bit = 8 * sizes.prefix_bytes + block * pages + page
                part.page_bits.append((bit, begin + page * sizes.page_chunks))
        yield part
        for place, begin in part.blocks:
            yield from self._data_block(part, place, begin, super_block)

    def _data_block(self, parent: _Part, at: int, first: int, super_block: int) -> Iterator[_Part]:
        sizes = self._sizes
        address, chunks, pages = (
            _address(parent.data, at),
            sizes.chunks(super_block),
            sizes.pages(super_block),
        )
        elements = 0 if pages else sizes.element_bytes * chunks
        data = self._block(address, b"EADB", elements, sizes.prefix_bytes)
        if data is None:
            return
        self._blocks.append(_Block(first, sizes.data_block_bytes(super_block), chunks))
        yield _Part(sizes, address, data, sizes.prefix_bytes, first, 0 if pages else chunks)
        at = address + sizes.prefix_bytes + CHECKSUM_BYTES
        page_bytes = sizes.element_bytes * sizes.page_chunks
        for page in range(pages):
            # A page in which nothing was ever written has no contents that mean anything.
            begin = first + page * sizes.page_chunks
            if len(self.addresses) < begin:
                return
            content = self._file.read(at, page_bytes).ljust(page_bytes, b"\0")
            yield _Part(sizes, at, bytearray(content), 0, begin, sizes.page_chunks)
            at += len(content) + CHECKSUM_BYTES

    def _block(self, address: int, signature: bytes, size: int, prefix: int) -> bytearray | None:
        """Return the bytes of a block without its checksum, None where it never reached the disk.

        Raises DamagedFileError where something else is in its place.
        """
        if address in {0, UNDEFINED}:
            return None
        data = self._file.read(address, prefix + size)
        if len(data) < prefix + size:
            return None
        if data[:4] == signature and _address(data, 6) == self._address:
            return bytearray(data)
        if never_landed(data[:prefix], address):
            return None
        raise DamagedFileError(f"no block of an index of chunks at byte {address}")


def never_landed(data: bytes, address: int) -> bool:
    """Return whether a piece that a disk writes as a whole is all zeros in the bytes at `address`."""
    edges = [0, *range(-address % SECTOR or SECTOR, len(data), SECTOR), len(data)]
    return any(not any(data[start:stop]) for start, stop in itertools.pairwise(edges))


def _address(data: bytes | bytearray, at: int) -> int:
    (address,) = _ADDRESS.unpack_from(data, at)
    return int(address)
