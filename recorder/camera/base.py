"""The protocol of every camera: ten methods, each called at its place in a run.

    open ─► arm ─► read_into, read_into, ... ─► halt ─► read_into what is left ─► disarm ─► close
                     set_exposure, trigger, input_is_high between two frames

Every method but `interrupt` is called on the camera thread and may block; a camera does not use asyncio.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self

from numpy.typing import NDArray

from recorder.errors import CameraTimeoutError
from recorder.frames.pool import FrameFormat


class FrameInfo(NamedTuple):
    """The metadata of one frame, as the camera gives it."""

    number: int  # the camera's own counter, 1 for the first frame after arming
    camera_time_ns: int  # camera clock: start of the exposure
    exposure_s: float  # NaN where the camera gives none
    temperature_c: float  # of the sensor; NaN where the camera gives none
    backlog: int  # frames left in the FIFO, 0 where the reader keeps up
    overflowed: bool  # the FIFO has overflowed, and the frames just before this one are missing
    # Host monotonic clock at the end of the exposure, for a frame read much later; None: now.
    host_time_ns: int | None = None


# What the details call the size of a pixel in m, across and down, as NeXus does.
PIXEL_SIZE = ("x_pixel_size", "y_pixel_size")


@dataclass(frozen=True)
class CameraDescription:
    """An opened camera and the frames it will deliver; `details` are stored in the file by their names."""

    model: str
    serial: str
    format: FrameFormat
    rate: float  # frames/s expected, inf where it runs free
    details: Mapping[str, str | int | float] = field(default_factory=dict)
    # Why the arrival of frames tells nothing of the camera's clock, where it does not.
    clock_unknown: str = ""

    def exposed_for(self, seconds: float) -> Self:
        """Return the description with `seconds` as its `exposure_time`, or unchanged where it has none."""
        if "exposure_time" not in self.details:
            return self
        return replace(self, details={**self.details, "exposure_time": seconds})

    @property
    def pixel_m(self) -> tuple[float, float]:
        """Width and height of a pixel on the sensor in m, (0, 0) where they are not known."""
        across, down = (float(self.details.get(name, 0.0)) for name in PIXEL_SIZE)
        return (across, down) if across and down else (0.0, 0.0)


class CameraEvent(NamedTuple):
    """Something that the camera itself saw, which is marked on the frame whose counter is `number`."""

    label: str
    text: str
    number: int
    host_ns: int  # host monotonic clock at the start of that frame's exposure


class EndOfSourceError(Exception):
    """No more frames will come: the end of a playback, or of the camera's own memory. Not a failure.

    `last_exposed` is the counter of the last frame that was exposed, None where all of them have come.
    """

    def __init__(self, last_exposed: int | None = None) -> None:
        super().__init__("no more frames")
        self.last_exposed = last_exposed


class CameraRestartedError(CameraTimeoutError):
    """No frame came, and the camera was started again: its silence counts anew."""


class StillRecordingError(CameraTimeoutError):
    """The camera still records into its own memory; its frames can be read afterwards. Not a failure.

    The memory holds `images` frames, of `wanted` (0: the oldest are overwritten until it is stopped). The
    camera waits for `waits_for`, "" for nothing.
    """

    def __init__(self, images: int, wanted: int, waits_for: str = "") -> None:
        super().__init__(f"the camera records into its own memory: {images} frames of {wanted or 'a ring'}")
        self.images, self.wanted, self.waits_for = images, wanted, waits_for


class Camera(Protocol):
    """A source of frames; every method may raise CameraError, whose message says what to do."""

    def open(self) -> CameraDescription:
        """Connect, apply the settings, and describe the camera and its frames; blocks for seconds.

        Raises ConfigurationError for a setting that this camera cannot have.
        """

    def interrupt(self) -> None:
        """Have a long wait in `open` end with a CameraError; may be called on any thread."""

    def arm(self) -> None:
        """Start exposing; the counter begins at 1. After `disarm` it may be called again."""

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame of the FIFO into `slot` (H, W); wait up to `timeout_s` for one.

        `slot` is C-contiguous, of the type that `open` described. Raises CameraTimeoutError where no frame
        came, its subclass StillRecordingError while the camera fills its own memory, EndOfSourceError where
        no more frames will come, CameraDisconnectedError where the camera is gone.
        """

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Expose the frames that begin from now on for `seconds`; return the exposure that the camera set.

        `first` asks for a beginning at that counter exactly; a camera that cannot do that begins at once.
        """

    def trigger(self) -> None:
        """Do now what a trigger does: expose a frame, start a sequence, or give a record stop event.

        Raises CameraError where the camera's settings take no software trigger.
        """

    def input_is_high(self) -> bool:
        """Return whether the input that may call for a capture is high now; may block for milliseconds.

        Raises CameraError where the camera has no such input.
        """

    def halt(self) -> int | None:
        """Stop exposing; frames in the FIFO can still be read. May block for seconds.

        Returns the counter of the last frame exposed, None where the camera does not know it. A second call
        returns the same.
        """

    def disarm(self) -> None:
        """Leave the recording state; may be called at any time, also after an error and twice."""

    def close(self) -> None:
        """Release the camera; may be called at any time, also after an error and twice."""
