"""Write one frame as a picture file: TIFF with all its bits, or PNG in grey as the displays show it raw."""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import tifffile
from numpy.typing import NDArray
from PIL import Image

from recorder import __version__
from recorder.errors import UsageError
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import LatestChannel
from recorder.preview.levels import Levels, as_seen

SUFFIXES = (".tif", ".tiff", ".png")


@dataclass(frozen=True)
class TakenFrame:
    """A frame for a picture: pixels (H, W), the camera's counter, exposure and when it came.

    Not known are an exposure of NaN, and None.
    """

    pixels: NDArray[Any]
    number: int
    exposure_s: float
    utc: datetime | None


def check_name(path: Path) -> None:
    """Raise UsageError where the suffix of `path` is none of those of pictures."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: write a name that ends in {' or '.join(SUFFIXES)}")


def write(
    frame: TakenFrame,
    file: BinaryIO,
    suffix: str,
    levels: Levels,
    bits: int,
    gamma: float,
    pixel_size_m: tuple[float, float] | None,
) -> None:
    """Write `frame` into an open file as a picture, in the format of `suffix`.

    `levels`, `gamma` and the `bits` of a pixel in use matter for PNG only; the size of a pixel in m across
    and down (None: not known) for TIFF only. Called on the preview thread; blocks for the disk. Raises
    OSError where it cannot be written.
    """
    if suffix == ".png":
        Image.fromarray(as_seen(frame.pixels, levels, bits, gamma)).save(file, format="png")
        return
    # A line of JSON in the tag ImageDescription, beside the tags that TIFF has for it.
    known: dict[str, Any] = {"counter": frame.number}
    if frame.utc is not None:
        known["utc"] = frame.utc.isoformat(timespec="milliseconds")
    tags: dict[str, Any] = {}
    if not math.isnan(frame.exposure_s):
        known["exposure_s"] = frame.exposure_s
    if pixel_size_m:
        known["pixel_size_um"] = [float(f"{size * 1e6:.9g}") for size in pixel_size_m]
        across, down = (0.01 / size for size in pixel_size_m)
        tags = {"resolution": (across, down), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(
        file,
        frame.pixels,
        photometric="minisblack",
        software=f"recorder {__version__}",
        datetime=frame.utc,
        metadata=known,
        **tags,
    )


async def next_frame(broadcaster: Broadcaster, timeout_s: float) -> TakenFrame | None:
    """Wait for the next frame, up to `timeout_s`; return a copy of it, None where none came.

    Called on the event loop's thread.
    """
    channel = LatestChannel("snapshot")
    disconnect = broadcaster.connect(channel)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                (span,) = await channel.receive()
                with span:
                    row = span.metadata[-1]
                    age_s = (time.perf_counter_ns() - int(row["host_time_ns"])) * 1e-9
                    utc = datetime.fromtimestamp(time.time() - age_s, UTC)
                    number, exposure_s = int(row["frame_number"]), float(row["exposure_s"])
                    return TakenFrame(span.pixels[-1].copy(), number, exposure_s, utc)
        return None
    finally:
        disconnect()
        channel.discard()
