"""The [camera] section of a PCO camera."""

import contextlib
import math
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from recorder.settings.field_types import Delay, Duration, Exposure, Fan, LineTime, Rate, Section
from recorder.units import format_seconds, parse_seconds

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

# In which order a pco.edge reads its rows: of the upper half, then of the lower one.
RowOrder = Literal[
    "top bottom",
    "top center bottom center",
    "center top center bottom",
    "center top bottom center",
    "top center center bottom",
    "inverse",
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
    # The electrical kind of the line; and which pulses are too short for it: up to 65 ns ("off"), 1 us
    # ("medium"), 100 ms ("high"). Omitted: as the camera has them.
    type: (
        Literal["TTL", "high level TTL", "contact mode", "RS485 differential", "two pin differential"] | None
    ) = None
    filter: Literal["off", "medium", "high"] | None = None
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
    # What becomes of the pixels that are binned.
    binning_mode: Literal["sum", "average"] = "sum"
    # "extended" shows dark and reference pixels too, or what else the camera has beyond its usual format.
    sensor_format: Literal["standard", "extended"] = "standard"
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
    # Replaces pixels known to be hot by what is around them.
    hot_pixel_correction: bool = False
    # More sensitive to infrared light, with a range of exposures of its own.
    ir_sensitivity: bool = False
    # How many converters read the sensor; two are faster and less linear. Omitted: as the camera has it.
    adcs: Literal[1, 2] | None = None
    # Whether the camera regulates its dark offset; omitted: as the camera has it.
    offset_mode: Literal["auto", "off"] | None = None
    # A frame is a pair of exposures close together (PIV), the second below the first.
    double_image: bool = False
    # "auto", or its speed in percent; omitted: as the camera has it.
    fan: Fan | None = None
    # The lights on the camera's rear panel; omitted: as the camera has them.
    status_led: bool | None = None
    # Electrons per count; omitted: as the camera has it.
    conversion_factor: float | None = Field(None, gt=0, strict=False)
    # Changing it restarts the camera, which takes some 10 s.
    shutter: Literal["rolling shutter", "global shutter", "global reset"] | None = None
    # Set point in degrees Celsius.
    cooling: int | None = None
    lines: tuple[LineSettings, ...] = Field((), strict=False)
    # Light sheet: time from row to row, and for how many of it a row is exposed; their product is the
    # exposure, and `exposure` is omitted. `delay_lines` is a pause between frames, in line times.
    line_time: LineTime | None = None
    exposure_lines: int | None = Field(None, ge=1, lt=2**31)
    delay_lines: int = Field(0, ge=0, lt=2**31)
    # Omitted: with `line_time` "top bottom", else as the camera has it.
    readout: RowOrder | None = None
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

    @model_validator(mode="before")
    @classmethod
    def _exposed_for_lines(cls, tree: Any) -> Any:  # noqa: ANN401
        """Give `exposure` the value that the lines make, where it is omitted."""
        if isinstance(tree, dict) and tree.get("exposure_lines") and "exposure" not in tree:
            # What is no time, or no number, is told with its own key.
            with contextlib.suppress(ValueError, TypeError, LookupError):
                return tree | {
                    "exposure": format_seconds(parse_seconds(tree["line_time"]) * tree["exposure_lines"])
                }
        return tree

    @model_serializer(mode="wrap")
    def _without_what_follows(self, to_tree: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `exposure` out where lines decide it, so that each of the two can be changed alone."""
        tree: dict[str, Any] = to_tree(self)
        if self.exposure_lines is not None:
            tree.pop("exposure", None)
        return tree

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
