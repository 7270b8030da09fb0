"""Write one frame as a picture file: TIFF with all its bits, or PNG in grey as the displays show it raw."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any, BinaryIO

import tifffile
from numpy.typing import NDArray
from PIL import Image

from recorder.errors import UsageError
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import LatestChannel
from recorder.preview.levels import Levels, as_seen

SUFFIXES = (".tif", ".tiff", ".png")


def check_name(path: Path) -> None:
    """Raise UsageError where the suffix of `path` is none of those of pictures."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: write a name that ends in {' or '.join(SUFFIXES)}")


def write(frame: NDArray[Any], file: BinaryIO, suffix: str, levels: Levels, bits: int, gamma: float) -> None:
    """Write `frame` (H, W) into an open file as a picture, in the format of `suffix`.

    `levels`, `gamma` and the `bits` of a pixel in use matter for PNG only. Called on the preview thread;
    blocks for the disk. Raises OSError where it cannot be written.
    """
    if suffix == ".png":
        Image.fromarray(as_seen(frame, levels, bits, gamma)).save(file, format="png")
    else:
        tifffile.imwrite(file, frame, photometric="minisblack")


async def next_frame(broadcaster: Broadcaster, timeout_s: float) -> tuple[int, NDArray[Any]] | None:
    """Wait for the next frame, up to `timeout_s`; return its counter and a copy (H, W), None where none came.

    Called on the event loop's thread.
    """
    channel = LatestChannel("snapshot")
    disconnect = broadcaster.connect(channel)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                (span,) = await channel.receive()
                with span:
                    return int(span.metadata["frame_number"][-1]), span.pixels[-1].copy()
        return None
    finally:
        disconnect()
        channel.discard()
