"""The [camera] section of a PCO camera."""

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from recorder.settings.field_types import Delay, Duration, Exposure, Rate, Section

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
    acquire: Literal["auto", "external", "external modulated", "sequence trigger"] = "auto"
    # How many frames a pulse at the acquire input starts, with acquire = "sequence trigger".
    frames_per_trigger: int | None = Field(None, ge=1, lt=2**32)
    # In the pixels of each frame; omitted: only where the camera sends no metadata.
    timestamp: Literal["off", "binary", "binary & ascii"] | None = None
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
    # "camram read" records nothing: it reads out what the memory holds, from a recording before.
    memory: Literal["fifo", "camram sequence", "camram ring", "camram read"] = "fifo"
    # What makes a ring stop by itself: `trigger` at the console ("software"), or that and a pulse at the
    # acquire input ("external"); and how many frames are recorded after it.
    record_stop: Literal["off", "software", "external"] = "off"
    frames_after_event: int | None = Field(None, ge=1, lt=2**32)
    # The part of the camera's memory to record into, from 1; omitted: the one that is active.
    segment: int | None = Field(None, ge=1, le=4)
    # Sizes of the four parts in percent of the memory; a change erases all of them. Omitted: as they are.
    segments: tuple[float, float, float, float] | None = Field(None, strict=False)
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
