"""Write one frame as a picture file: TIFF with all its bits, or PNG with the shades of the displays."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import tifffile
from numpy.typing import NDArray
from PIL import Image

from recorder.errors import StorageError, UsageError
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import LatestChannel
from recorder.preview.levels import Levels, as_seen

SUFFIXES = (".tif", ".tiff", ".png")


def write(frame: NDArray[Any], path: Path, levels: Levels, bits: int) -> None:
    """Write `frame` (H, W) to a new file, completely or not at all, in the format of its suffix.

    `levels`, and the `bits` of a pixel in use, matter for PNG only. Makes the folder. Called on the preview
    thread; blocks for the disk. Raises UsageError for a file that exists or another suffix, StorageError
    where it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: write a name that ends in {' or '.join(SUFFIXES)}")
    partial = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise UsageError(f"{path}: exists already, and nothing is ever overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(as_seen(frame, levels, bits)).save(partial, format="png")
        else:
            tifffile.imwrite(partial, frame, photometric="minisblack")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


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
