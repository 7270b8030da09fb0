"""One frame as a picture file: TIFF with all its bits, or PNG as seen."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from recorder.errors import StorageError, UsageError
from recorder.preview.glance import look

SUFFIXES = (".tif", ".tiff", ".png")


def write(frame: NDArray[Any], path: Path, levels: tuple[int, int] | None) -> None:
    """Write `frame` (H, W) to a new file, whole or not at all, in the format of its suffix.

    Raises UsageError for a file that exists or another suffix, StorageError where it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: write a name that ends in {' or '.join(SUFFIXES)}")
    if path.exists():
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten")
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(as_seen(frame, levels)).save(partial, format="png")
        else:
            tifffile.imwrite(partial, frame, photometric="minisblack")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def as_seen(frame: NDArray[Any], levels: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return `frame` in 8 bit, `levels` (None: automatic) stretched over black to white."""
    figures = look(frame, 0, levels)
    scaled = (frame.astype(np.float32) - figures.low) * (255 / max(1, figures.high - figures.low))
    seen: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return seen
