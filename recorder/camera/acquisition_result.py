"""When an acquisition stops, how it ended, and its figures while it runs."""

from dataclasses import dataclass

from recorder.errors import CameraError
from recorder.frames.ledger import Cause


@dataclass(frozen=True)
class StopCondition:
    """When a run is over by itself: after `frames`, or after `duration_s` of the camera's clock."""

    frames: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class AcquisitionResult:
    """How reading ended.

    `last_exposed` is the counter of the last frame that belongs to the run, None where the camera cannot
    tell; frames from the last one delivered up to it are missing because of `trailing_cause`.
    """

    last_exposed: int | None
    trailing_cause: Cause
    error: CameraError | None


@dataclass(frozen=True)
class AcquisitionStatistics:
    """The camera thread so far; `longest_pause_s` is the longest it was away from the camera.

    A camera that records into its own memory holds `in_camera` frames, of `wanted_in_camera` that it records
    before they are read out (0: until it is stopped); None for other cameras.
    """

    frames: int
    last_number: int
    exposure_s: float
    temperature_c: float
    backlog: int
    longest_pause_s: float
    in_camera: int | None = None
    wanted_in_camera: int = 0

    @property
    def records_inside(self) -> bool:
        """Whether the camera fills its own memory, and frames come afterwards."""
        return self.in_camera is not None and self.frames == 0

    @property
    def goes_round(self) -> bool:
        """Whether that memory overwrites its oldest frames until the camera is stopped."""
        return self.records_inside and self.wanted_in_camera == 0
