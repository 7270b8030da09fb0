"""The first bytes of an HDF5 file, kept right for the case that its writer is killed.

While a file grows HDF5 keeps its end in memory, and leaves on disk where it ended at first. Programs that
mend a file after a kill (h5clear) cut it off there, and every frame with it.
"""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from recorder.errors import NotOurFileError
from recorder.storage.file_bytes import FileBytes

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Signature, version, sizes of offsets and lengths, flags, base address, extension, end of file, root group.
_FIELDS = struct.Struct("<8sBBBBQQQQ")
_CHECKSUM = struct.Struct("<I")
CHECKSUM_BYTES = _CHECKSUM.size
_SIZE = _FIELDS.size + _CHECKSUM.size
_VERSION = 3
FLAGS_AT = 11
_OPEN_FLAGS = 0b101  # open for writing, and with SWMR

_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Superblock:
    """Where the file ends, and whether a writer has it open; base, extension and root nobody here changes."""

    end: int
    flags: int
    base: int
    extension: int
    root: int

    @classmethod
    def read(cls, file: FileBytes, path: Path) -> Self:
        """Raises OSError, and NotOurFileError for a file of another layout or with a damaged superblock."""
        data = file.read(0, _SIZE)
        if len(data) == _SIZE:
            signature, version, offsets, lengths, flags, base, extension, end, root = _FIELDS.unpack_from(
                data
            )
            (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
            ours = (signature, version, offsets, lengths) == (_SIGNATURE, _VERSION, 8, 8)
            if ours and checksum == lookup3(data[: _FIELDS.size]):
                return cls(end, flags, base, extension, root)
        raise NotOurFileError(f"{path}: its first bytes are not those of a file that this recorder wrote")

    def ending_at(self, end: int) -> Self:
        """Return the superblock of a file of `end` bytes."""
        return replace(self, end=end)

    @property
    def is_open(self) -> bool:
        """Whether a writer has the file open, or was killed while it had."""
        return bool(self.flags & _OPEN_FLAGS)

    def closed(self) -> Self:
        """Return the superblock of a file that no writer has open."""
        return replace(self, flags=self.flags & ~_OPEN_FLAGS)

    def write(self, file: FileBytes) -> None:
        """Put it in its place, in one write; raises OSError."""
        data = _FIELDS.pack(
            _SIGNATURE, _VERSION, 8, 8, self.flags, self.base, self.extension, self.end, self.root
        )
        file.write(0, checksummed(data))


def with_checksum(image: bytes) -> bytes:
    """Return the bytes of a file with the checksum that fits its superblock."""
    return checksummed(image[: _FIELDS.size]) + image[_SIZE:]


def checksummed(data: bytes) -> bytes:
    """Return a structure of HDF5 with its checksum behind it."""
    return data + _CHECKSUM.pack(lookup3(data))


def lookup3(data: bytes) -> int:
    """Return Jenkins' hash of `data`, the checksum of HDF5's metadata (32 bits)."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    if not data:
        return c
    # Twelve bytes at a time; the last twelve, or less, are not mixed but finished.
    words = struct.unpack(f"<{-(-len(data) // 12) * 3}I", data + bytes(-len(data) % 12))
    for i in range(0, len(words), 3):
        if i:
            # In each step the three change places.
            for by in (4, 6, 8, 16, 19, 4):
                a, b, c = b, c + b & _MASK, (a - c & _MASK) ^ _rotated(c, by)
        a, b, c = a + words[i] & _MASK, b + words[i + 1] & _MASK, c + words[i + 2] & _MASK
    for by in (14, 11, 25, 16, 4, 14, 24):
        a, b, c = b, (c ^ b) - _rotated(b, by) & _MASK, a
    return b


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & _MASK
