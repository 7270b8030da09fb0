"""One array (N, H, W) of numpy's own format."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.lib import format as npy_format
from numpy.typing import NDArray

from recorder.files.export.content import Content
from recorder.files.export.raw_frames import PAGE, put_frames, read_frames


def write(path: Path, content: Content) -> None:
    """Write the frames into `path`, which is made; blocks. Raises OSError."""
    header = f"{{'descr': '{content.dtype.str}', 'fortran_order': False, 'shape': {content.shape}, }}"
    # As numpy pads it, but to a page.
    begin = npy_format.magic(1, 0) + struct.pack("<H", PAGE - npy_format.MAGIC_LEN - 2)
    with path.open("xb") as file:
        file.write(begin + header.ljust(PAGE - len(begin) - 1).encode() + b"\n")
    put_frames(path, PAGE, content.blocks())


def read(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames (k, h, w) of what `write` wrote, each block valid until the next."""
    with path.open("rb") as file:
        npy_format.read_magic(file)
        shape, _, dtype = npy_format.read_array_header_1_0(file)
        offset = file.tell()
    yield from read_frames(path, offset, shape, dtype)
