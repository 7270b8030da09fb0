"""What every camera is to the rest of the house: eight methods, each with its moment.

    open ─► arm ─► read_into, read_into, ... ─► halt ─► read_into what is left ─► disarm ─► close
                     set_exposure, trigger between two frames

A camera blocks and knows no asyncio. All its methods are called from one thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self

from numpy.typing import NDArray

from recorder.errors import CameraTimeoutError
from recorder.frames.pool import FrameFormat


class FrameInfo(NamedTuple):
    """What the camera tells of one frame."""

    number: int  # the camera's own counter, 1 for the first frame after arming
    camera_time_ns: int  # camera clock: start of the exposure
    exposure_s: float
    temperature_c: float  # NaN where the camera gives none
    backlog: int  # frames left in the FIFO, 0 where the reader keeps up
    overflowed: bool  # the FIFO has overflowed, and the frames just before this one are missing
    # Host monotonic clock at the end of the exposure, where a late arrival tells nothing of it.
    host_time_ns: int | None = None


@dataclass(frozen=True)
class CameraDescription:
    """What an opened camera is and will deliver; `details` go into the file as they are."""

    model: str
    serial: str
    format: FrameFormat
    rate: float  # frames/s expected, inf where it runs free
    details: Mapping[str, str | int | float] = field(default_factory=dict)

    def exposed_for(self, seconds: float) -> Self:
        """Return the description once this exposure is set, where it tells of what is set."""
        if "exposure_time" not in self.details:
            return self
        return replace(self, details={**self.details, "exposure_time": seconds})


class EndOfSourceError(Exception):
    """The source of a playback has no more frames; no failure."""


class StillRecordingError(CameraTimeoutError):
    """The camera records into its own memory, and frames come afterwards; no failure.

    `images` are in there, of `wanted` (0: it goes round and round until it is stopped).
    """

    def __init__(self, images: int, wanted: int) -> None:
        super().__init__(f"the camera records into its own memory: {images} frames of {wanted or 'a ring'}")
        self.images, self.wanted = images, wanted


class Camera(Protocol):
    """A source of frames. Raises CameraError, in words that say what to do."""

    def open(self) -> CameraDescription:
        """Connect, apply the settings, and say what will come."""

    def arm(self) -> None:
        """Start exposing; the counter begins at 1."""

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame of the FIFO into `slot` (H, W); wait up to `timeout_s` for one.

        Raises CameraTimeoutError where none came, EndOfSourceError where none will.
        """

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Expose the frames that begin from now on for `seconds`; return what the camera made of it.

        `first` asks for a beginning at that counter exactly; a camera that cannot do that begins at once.
        """

    def trigger(self) -> None:
        """Expose one frame now, in software trigger mode."""

    def halt(self) -> int | None:
        """Stop exposing; what the FIFO holds can still be read.

        Returns the counter of the last frame exposed, None where the camera cannot tell.
        """

    def disarm(self) -> None:
        """Leave the recording state; also after an error, and twice."""

    def close(self) -> None:
        """Let go of the camera; also after an error, and twice."""
