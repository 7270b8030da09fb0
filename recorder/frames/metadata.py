"""The metadata of a frame: one table, from which the rows of blocks, files and analyses follow.

A further value that the camera thread knows needs a line at the end of `FIELDS`, and its value at the same
place of the tuple in `AcquisitionThread._next`; the file gets a column for it. One that is computed as the
file is written stands beside `CHECKSUM`, and `storage/uncommitted_rows` computes it. Plain functions, for any
thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The detector's field in a file whose numbers need not be those of the camera's own counter, which timestamps
# in the pixels show: where it was not 1 with the first frame, or began anew.
NUMBERS_BEGIN = "numbers_begin"


# That in a file of frames around a trigger: the counter of the trigger's frame.
TRIGGER_NUMBER = "trigger_number"


@dataclass(frozen=True)
class FrameField:
    """One value of each frame.

    `name` and `dtype` are those in a block. In the file it is the column `column` of NXdetector, under NeXus'
    own name where NeXus has one ("": it is not stored), in `unit`; `alias` is what the column was called
    before layout 2, kept as a link; `since` is the layout version from which on every file has it. Clocks
    are ns in a block, and s since the first frame in the file.
    """

    name: str
    dtype: type[np.generic]
    meaning: str
    column: str = ""
    unit: str = ""
    alias: str = ""
    is_clock: bool = False
    since: int = 1

    @property
    def stored_dtype(self) -> type[np.generic]:
        """Type of the file's column: float64 for clocks, `dtype` for the rest."""
        return np.float64 if self.is_clock else self.dtype


# In this order the camera thread fills them in.
FIELDS = (
    FrameField(
        "frame_number", np.uint64, "the camera's own counter", column="sequence_number", alias="frame_number"
    ),
    FrameField(
        "camera_time_ns",
        np.int64,
        "start of the exposure by the camera's clock, since the first frame",
        column="start_time",
        unit="s",
        alias="frame_time",
        is_clock=True,
    ),
    FrameField(
        "host_time_ns",
        np.int64,
        "arrival by the host's monotonic clock, since the first frame",
        column="host_time",
        unit="s",
        is_clock=True,
    ),
    FrameField(
        "exposure_s",
        np.float64,
        "exposure from the frame's own metadata, NaN where not given",
        column="count_time",
        unit="s",
        alias="exposure",
    ),
    FrameField(
        "temperature_c",
        np.float32,
        "sensor temperature, NaN where not given",
        column="temperature",
        unit="degC",
    ),
    FrameField("gap_cause", np.uint8, "why frames before this one are missing, 0: none are"),
    FrameField(
        "unread_ns", np.int64, "longest time before in which no frame was read, 0 where none is missing"
    ),
)
STORED = tuple(field for field in FIELDS if field.column)

# Worked out by the writer, where storage.checksum asks for it.
CHECKSUM = FrameField("checksum", np.uint32, "CRC-32C of the frame's pixels", column="checksum")

# Worked out by the writer, in a file of frames around a trigger.
RELATIVE = FrameField(
    "relative_frame", np.int64, "counted from the trigger's frame, which is 0", column="relative_frame"
)

# Which of `recording.channels` a frame is of, where there are some.
CHANNEL = FrameField(
    "channel", np.uint8, "index into names: the light of the frame, by the camera's counter", column="channel"
)

# Every column that a file may have.
COLUMNS = (*STORED, RELATIVE, CHANNEL, CHECKSUM)

# One row of a block's metadata.
METADATA = np.dtype([(field.name, field.dtype) for field in FIELDS], align=True)


def stored_columns(metadata: NDArray[Any], first: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the values (n,) of each field in `STORED`, in its order, from rows of `metadata` (n,).

    `first` is the file's first row, from which clocks are counted, in s; other values are views.
    """
    for field in STORED:
        values = metadata[field.name]
        yield (values - first[field.name]) * 1e-9 if field.is_clock else values


def channel_of(numbers: NDArray[np.integer[Any]], channels: int) -> NDArray[np.uint8]:
    """Return which of so many channels frames (n,) are of that take turns, from their counters.

    The first frame after arming, whose counter is 1, is of the first: a frame that is lost shifts nothing.
    """
    return ((numbers.astype(np.int64) - 1) % channels).astype(np.uint8)
