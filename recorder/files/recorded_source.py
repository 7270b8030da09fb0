"""The frames of one of our files for playback."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import CameraError, NotOurFileError, RecorderError
from recorder.files.opened.contents import ask_contents
from recorder.files.opened.frames import Frames
from recorder.files.probe import probing
from recorder.frames.pool import FrameFormat
from recorder.storage.noise_ladder import LOSSY

# What a file says of the counts of its pixels, which holds for them wherever they are recorded again.
OF_PIXELS = ("bit_resolution", "binning", "conversion_factor", "read_noise", "dark_offset", *LOSSY)


class RecordedSource:
    """The frames of one of our files, with their times and exposures."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises UsageError, NotOurFileError and DamagedFileError."""
        self.path = path
        with probing() as probe:
            contents = ask_contents(path, probe)
        if contents.frames == 0:
            raise NotOurFileError(f"{path}: holds no frame to play")
        pixels = contents.pixels
        self.count = contents.frames
        self.format = FrameFormat(pixels.height, pixels.width, np.dtype(pixels.dtype))
        self.times_s: NDArray[np.float64] | None = contents.columns.get("camera_time_ns")
        told = {name: contents.values.get(f"instrument/detector/{name}") for name in OF_PIXELS}
        self.details = {name: value for name, value in told.items() if isinstance(value, str | int | float)}
        self._exposures = contents.columns.get("exposure_s")
        self._frames = Frames([pixels])

    def read(self, index: int, slot: NDArray[Any]) -> float:
        """Copy frame `index` into `slot` (H, W); return its exposure in s; raises CameraError."""
        try:
            self._frames.read_into(index, slot[np.newaxis])
        except RecorderError as error:
            raise CameraError(f"frame {index} cannot be read: {error}") from None
        return math.nan if self._exposures is None else float(self._exposures[index])

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        self._frames.close()
