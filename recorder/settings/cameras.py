"""The [camera] section of the configuration: one class of settings for each kind of camera."""

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from recorder.settings.field_types import Delay, Duration, Exposure, PlaybackRate, Rate, Section

Interface = Literal[
    "CLHS", "USB 3.0", "Camera Link ME4", "Camera Link MTX", "Camera Link NAT", "GenICam", "GigE", "USB 2.0",
    "FireWire",
]  # fmt: skip
Trigger = Literal[
    "auto sequence",
    "software trigger",
    "external exposure start & software trigger",
    "external exposure control",
    "external synchronized",
    "fast external exposure control",
    "external CDS control",
    "slow external exposure control",
]

PixelFormat = Annotated[
    Literal["8", "10", "12", "14", "16"], BeforeValidator(lambda v: str(v) if type(v) is int else v)
]

# Longer than any experiment.
NO_TIMEOUT_S = 7 * 86400.0


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
    # "auto": once, or repeated where more frames are asked for than the source holds.
    loop: bool | Literal["auto"] = "auto"
    fifo: int = Field(64, ge=1, le=1_000_000)


class LineSettings(Section):
    """A hardware I/O line of a PCO camera, numbered as on its rear panel."""

    number: int = Field(ge=1, le=4)
    on: bool = True
    # Line 1 takes an edge, the others a level; omitted: as the camera has it.
    polarity: Literal["rising edge", "falling edge", "high level", "low level"] | None = None
    # The signal that lines 3 and 4 put out.
    signal: Literal["status busy", "status expos", "status line", "status armed"] | None = None
    # Of a rolling shutter: the sensor line whose exposure `status expos` shows.
    timing: Literal["first line", "global", "last line", "all lines"] | None = None


class PcoCameraSettings(Section):
    """A PCO camera, driven through the vendor's package; `exposure` and `delay` in s, `rate` in frames/s."""

    kind: Literal["pco"]
    # Omitted: the first camera found.
    serial: int | None = Field(None, ge=1)
    interface: Interface | None = None
    exposure: Exposure = 0.01
    delay: Delay = 0.0
    # "max": as fast as exposure and readout allow.
    rate: Rate = math.inf
    # x0, y0, x1, y1 in binned pixels, counted from 1, both ends included; omitted: all.
    roi: tuple[int, int, int, int] | None = Field(None, strict=False)
    binning: tuple[int, int] = Field((1, 1), strict=False)
    # Hz; omitted: the fastest.
    pixel_rate: int | None = None
    # Bits of a pixel as the camera sends it, for cameras with a choice.
    pixel_format: PixelFormat | None = None
    trigger: Trigger = "auto sequence"
    acquire: Literal["auto", "external", "external modulated"] = "auto"
    timestamp: Literal["off", "binary", "binary & ascii"] = "binary"
    noise_filter: bool = False
    # Electrons per count; omitted: as the camera has it.
    conversion_factor: float | None = Field(None, gt=0, strict=False)
    # Changing it restarts the camera, which takes some 10 s.
    shutter: Literal["rolling shutter", "global shutter", "global reset"] | None = None
    # Set point in degrees Celsius.
    cooling: int | None = None
    lines: tuple[LineSettings, ...] = Field((), strict=False)
    # Where frames go first: through the driver's FIFO to the disk, or into the camera's own memory, until
    # that is full ("camram sequence"), or overwriting the oldest frames until stopped ("camram ring").
    memory: Literal["fifo", "camram sequence", "camram ring"] = "fifo"
    # Frames in the driver's FIFO; omitted: a second of them, in at most half a gigabyte.
    fifo: int | None = Field(None, ge=4, le=1_000_000)
    # How long no frame may come; omitted: 10 s, or 7 days where frames wait for a trigger.
    timeout: Duration | None = None

    @property
    def timeout_s(self) -> float:
        """How long no frame may come before the run ends with an error, in s."""
        if self.timeout is not None:
            return self.timeout
        return 10.0 if self.runs_free else NO_TIMEOUT_S

    @property
    def runs_free(self) -> bool:
        """Whether the camera alone decides when frames are exposed."""
        return self.trigger == "auto sequence" and self.acquire == "auto"


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
