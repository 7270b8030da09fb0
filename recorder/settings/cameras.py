"""The [camera] section of the configuration: one class of settings for each kind of camera."""

from typing import Annotated, Literal

from pydantic import Field

from recorder.settings.field_types import Duration, Exposure, PlaybackRate, Rate, Section
from recorder.settings.pco_camera import PcoCameraSettings


class Drop(Section):
    """Lose `count` frames from counter `at` on, as a bad cable does; the counter shows the gap."""

    kind: Literal["drop"]
    at: int = Field(ge=1)
    count: int = Field(ge=1)


class Stall(Section):
    """Deliver nothing for `duration` (s) after counter `at`, while the camera goes on exposing."""

    kind: Literal["stall"]
    at: int = Field(ge=1)
    duration: Duration


class Silence(Section):
    """Deliver nothing more from counter `at` on, without an error."""

    kind: Literal["silence"]
    at: int = Field(ge=1)


class SdkError(Section):
    """Fail at counter `at` with the error `code` of the camera's library."""

    kind: Literal["error"]
    at: int = Field(ge=1)
    code: int = Field(0x80332004, ge=1, le=0xFFFFFFFF)


class Disconnect(Section):
    """Lose the connection to the camera at counter `at`."""

    kind: Literal["disconnect"]
    at: int = Field(ge=1)


Fault = Annotated[Drop | Stall | Silence | SdkError | Disconnect, Field(discriminator="kind")]


class FreeRunningCameraSettings(Section):
    """A camera that needs no trigger."""

    # How long no frame may come before the run ends with an error.
    timeout: Duration = 10.0

    @property
    def timeout_s(self) -> float:
        """How long no frame may come before the run ends with an error, in s."""
        return self.timeout


class SimulatedCameraSettings(FreeRunningCameraSettings):
    """A simulated camera that behaves like a pco.edge; width and height in pixels, `rate` in frames/s."""

    kind: Literal["simulated"] = "simulated"
    width: int = Field(640, ge=16, le=8192)
    height: int = Field(540, ge=1, le=8192)
    rate: Rate = 100.0
    exposure: Exposure = 0.005
    seed: int = Field(0, ge=0)
    # Depth of the camera's own FIFO in frames: at 100 frames/s, 64 frames cover a pause of 0.64 s.
    fifo: int = Field(64, ge=1, le=1_000_000)
    faults: tuple[Fault, ...] = Field((), strict=False)


class PlaybackCameraSettings(FreeRunningCameraSettings):
    """Frames from a multi-page TIFF, or from a file that this program recorded."""

    kind: Literal["playback"]
    source: str = Field(min_length=1)
    rate: PlaybackRate = "original"
    # "auto": once; repeated at the console, and where more frames are asked for than the source holds.
    loop: bool | Literal["auto"] = "auto"
    fifo: int = Field(64, ge=1, le=1_000_000)


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
