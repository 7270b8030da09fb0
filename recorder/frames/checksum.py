"""The checksum of a frame: CRC-32C of its pixels as they are in memory (little-endian, row by row)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def checksums(frames: Iterable[memoryview]) -> NDArray[np.uint32]:
    """Return the checksum of each frame's bytes; blocks, and lets other threads run meanwhile."""
    # Imported only where it is asked for.
    import crc32c  # noqa: PLC0415

    return np.fromiter((crc32c.crc32c(frame) for frame in frames), np.uint32)
