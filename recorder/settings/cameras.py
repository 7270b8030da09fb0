"""The [camera] section of the configuration: one class of settings for each kind of camera."""

from typing import Annotated, Literal

from pydantic import Field

from recorder.settings.field_types import (
    Delay,
    Duration,
    Exposure,
    Frames,
    Pixels,
    PlaybackRate,
    Rate,
    Section,
    Unit,
)
from recorder.settings.pco_camera import NO_TIMEOUT_S, PcoCameraSettings

Counter = Annotated[int, Unit("counter")]


class Drop(Section):
    """Lose frames, as a bad cable does; the counter shows the gap."""

    kind: Literal["drop"]
    at: Counter = Field(ge=1, examples=[100])
    """The first frame that is lost."""
    count: Frames = Field(ge=1, examples=[3])
    """How many are lost."""


class Stall(Section):
    """Deliver nothing for a while, while the camera goes on exposing."""

    kind: Literal["stall"]
    at: Counter = Field(ge=1, examples=[100])
    """The last frame before the pause."""
    duration: Duration = Field(examples=["500ms"])
    """How long the pause is."""


class Silence(Section):
    """Deliver nothing more, without an error."""

    kind: Literal["silence"]
    at: Counter = Field(ge=1, examples=[100])
    """The first frame that does not come."""


class SdkError(Section):
    """Fail with an error of the camera's library."""

    kind: Literal["error"]
    at: Counter = Field(ge=1, examples=[100])
    """The frame that is not read."""
    code: int = Field(0x80332004, ge=1, le=0xFFFFFFFF)
    """The error's code, such as 0x80332004."""


class Disconnect(Section):
    """Lose the connection to the camera."""

    kind: Literal["disconnect"]
    at: Counter = Field(ge=1, examples=[100])
    """The first frame that does not come."""


Fault = Annotated[Drop | Stall | Silence | SdkError | Disconnect, Field(discriminator="kind")]


class Flash(Section):
    """Be brighter for some frames, as a stimulus makes them, with the input high: something for triggers."""

    at: Counter = Field(ge=1, examples=[500])
    """The first frame that is brighter."""
    frames: Frames = Field(10, ge=1)
    """How many are."""
    brighter: Annotated[float, Unit("times")] = Field(2.0, ge=0.0, le=1000, strict=False)
    """How many times as much light there is."""
    every: Frames | None = Field(None, ge=1, examples=[1000])
    """It comes again after so many frames; omitted: once."""
    input: bool = False
    """Whether the camera's acquire input is high meanwhile."""

    def includes(self, number: int) -> bool:
        """Return whether the frame with this counter is brighter."""
        since = number - self.at
        return since >= 0 and (since if self.every is None else since % self.every) < self.frames


class FreeRunningCameraSettings(Section):
    """A camera that needs no trigger."""

    timeout: Duration = 10.0
    """How long no frame may come before the run ends with an error."""

    @property
    def timeout_s(self) -> float:
        """How long no frame may come before the run ends with an error, in s."""
        return self.timeout


class SimulatedCameraSettings(FreeRunningCameraSettings):
    """A simulated camera that behaves like a pco.edge."""

    kind: Literal["simulated"] = "simulated"
    width: Pixels = Field(640, ge=16, le=8192)
    """Width of a frame."""
    height: Pixels = Field(540, ge=1, le=8192)
    """Height of a frame."""
    rate: Rate = 100.0
    """How many frames are exposed; "max": as many as this computer can."""
    exposure: Exposure = 0.005
    """How long each frame is exposed: the longer, the brighter."""
    trigger: Literal["auto sequence", "software trigger"] = "auto sequence"
    """What starts an exposure: the camera itself, `rate` times a second, or the command `trigger`."""
    electrons: Annotated[float, Unit("electrons")] = Field(1000.0, gt=0, le=30_000, strict=False)
    """Of the brightest pixels of the scene at 5 ms of exposure; with more, frames are harder to compress."""
    seed: int = Field(0, ge=0)
    """What the noise is made from: with the same seed and settings, all pixels are the same."""
    # At 100 frames/s, 64 frames cover a pause of 0.64 s.
    fifo: Frames = Field(64, ge=1, le=1_000_000)
    """Depth of the camera's own FIFO: frames that are exposed while nobody reads them."""
    clock_drift: Annotated[float, Unit("ppm")] = Field(0.0, ge=-1000, le=1000)
    """How many millionths faster than the computer's the camera's clock goes."""
    jitter: Delay = 0.0
    """How long after its exposure a frame is delivered at most: each after a time of its own."""
    faults: tuple[Fault, ...] = Field((), strict=False)
    """What goes wrong, and at which frames, to try what happens then."""
    events: tuple[Flash, ...] = Field((), strict=False)
    """What happens in the picture, and at which frames: flashes of light, to try triggers."""

    @property
    def timeout_s(self) -> float:
        """How long no frame may come, in s: where frames wait for a trigger, as long as that takes."""
        return self.timeout if self.trigger == "auto sequence" else NO_TIMEOUT_S


class PlaybackCameraSettings(FreeRunningCameraSettings):
    """Frames from a multi-page TIFF, or from a file that this program recorded."""

    kind: Literal["playback"]
    source: str = Field(min_length=1, examples=["recordings/mouse.h5"])
    """The file, TIFF or HDF5."""
    rate: PlaybackRate = "original"
    """How many frames are given; "original": at their own times, "max": as many as this computer can."""
    loop: bool | Literal["auto"] = "auto"
    """Begin again at its end; "auto": at the console, and where more frames are asked for than there are."""
    fifo: Frames = Field(64, ge=1, le=1_000_000)
    """Frames that wait while nobody reads them; what comes after is lost."""


CameraSettings = Annotated[
    SimulatedCameraSettings | PlaybackCameraSettings | PcoCameraSettings, Field(discriminator="kind")
]

CAMERAS: dict[str, type[Section]] = {
    "simulated": SimulatedCameraSettings,
    "playback": PlaybackCameraSettings,
    "pco": PcoCameraSettings,
}
FAULTS: dict[str, type[Section]] = {
    "drop": Drop,
    "stall": Stall,
    "silence": Silence,
    "error": SdkError,
    "disconnect": Disconnect,
}
