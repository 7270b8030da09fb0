"""When the files of a recording began, and how the clocks of camera and computer went in each."""

import math
from collections.abc import Sequence

import numpy as np

from recorder.errors import UsageError
from recorder.files.clocks import Columns, clocks_of
from recorder.files.opened.contents import Contents
from recorder.frames.clock_fit import ClockFit


def offsets_of(contents: Sequence[Contents]) -> tuple[float, ...]:
    """Return by how much the first frame of each file is later than the first of all, in s."""
    first, *rest = contents
    offsets = [0.0]
    for file in rest:
        seconds = float((file.start - first.start) / np.timedelta64(1, "ns")) * 1e-9
        if math.isnan(seconds) and file.frames:
            raise UsageError(
                f"{file.path}: does not say when its first frame came; open it by itself for its times"
            )
        offsets.append(seconds)
    return tuple(offsets)


def clock_columns(file: Contents) -> Columns:
    """Return the columns that tell of a file's clocks, NaN where it has none."""
    nan = np.full(file.frames, np.nan)
    camera_s, host_s, exposure_s = (
        file.columns.get(name, nan) for name in ("camera_time_ns", "host_time_ns", "exposure_s")
    )
    return camera_s, host_s, exposure_s


def file_clocks(contents: Sequence[Contents]) -> tuple[ClockFit | None, ...]:
    """Return how the clocks went in each file, None where nothing tells it."""
    return clocks_of([file.values for file in contents], [clock_columns(file) for file in contents])
