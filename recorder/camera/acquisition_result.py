"""When an acquisition stops, how it ended, and its statistics. Frozen values, for any thread."""

from dataclasses import dataclass

from recorder.errors import CameraError
from recorder.frames.ledger import Cause


@dataclass(frozen=True)
class StopCondition:
    """When a run ends by itself: after `frames`, or `duration_s` of the camera's clock (None: no limit)."""

    frames: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class AcquisitionResult:
    """How an acquisition ended; `error` is None where nothing failed.

    `last_exposed` is the counter of the last frame that belongs to the run, None where it is not known, or
    nothing is missing. Frames after the last one delivered, up to it, are lost to `trailing_cause`.
    """

    last_exposed: int | None
    trailing_cause: Cause
    error: CameraError | None


@dataclass(frozen=True)
class AcquisitionStatistics:
    """The run so far: how many `frames` were read, and what the last one's metadata says.

    `backlog` frames wait in the camera's FIFO. `longest_pause_s` is the longest time between two reads of the
    camera, waits for a free block left out. A camera that records into its own memory holds `in_camera`
    frames there (None: another camera), of the `wanted_in_camera` before they are read out (0: until it is
    stopped); `waits_for` is what it waits for meanwhile, "" for nothing.
    """

    frames: int
    last_number: int
    exposure_s: float
    temperature_c: float
    backlog: int
    longest_pause_s: float
    in_camera: int | None = None
    wanted_in_camera: int = 0
    waits_for: str = ""

    @property
    def records_inside(self) -> bool:
        """Whether the camera still fills its own memory, and no frame has been read from it."""
        return self.in_camera is not None and self.frames == 0

    @property
    def is_ring(self) -> bool:
        """Whether that memory is a ring: its oldest frames are overwritten until the camera is stopped."""
        return self.records_inside and self.wanted_in_camera == 0
