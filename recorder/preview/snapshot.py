"""One frame as a picture file: TIFF with all its bits, or PNG as seen."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from recorder.errors import StorageError, UsageError
from recorder.frames.channel import LatestChannel, Outlet
from recorder.preview.picture import BRIGHTEST, DARKEST, Levels

SUFFIXES = (".tif", ".tiff", ".png")


def write(frame: NDArray[Any], path: Path, levels: Levels) -> None:
    """Write `frame` (H, W) to a new file, whole or not at all, in the format of its suffix.

    Raises UsageError for a file that exists or another suffix, StorageError where it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: write a name that ends in {' or '.join(SUFFIXES)}")
    partial = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise UsageError(f"{path}: exists already, and nothing is ever overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(as_seen(frame, levels)).save(partial, format="png")
        else:
            tifffile.imwrite(partial, frame, photometric="minisblack")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def as_seen(frame: NDArray[Any], levels: Levels) -> NDArray[np.uint8]:
    """Return `frame` in 8 bit, `levels` stretched over black to white."""
    if levels == "auto":
        low, high = (float(v) for v in np.quantile(frame, (DARKEST, BRIGHTEST)))
    elif levels == "full":
        low, high = 0.0, float(np.iinfo(frame.dtype).max)
    else:
        low, high = levels
    scaled = (frame.astype(np.float32) - low) * (255 / max(1.0, high - low))
    seen: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return seen


async def next_frame(outlet: Outlet, timeout_s: float) -> tuple[int, NDArray[Any]] | None:
    """Return counter and a copy of the next frame that comes, None where none does in time."""
    channel = LatestChannel("snapshot")
    disconnect = outlet.connect(channel)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                (span,) = await channel.receive()
                with span:
                    return int(span.facts["frame_number"][-1]), span.pixels[-1].copy()
        return None
    finally:
        disconnect()
        channel.discard()
