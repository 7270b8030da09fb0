"""The [camera] section of a PCO camera."""

import contextlib
import math
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from recorder.settings.field_types import (
    Delay,
    Duration,
    Exposure,
    Fan,
    Frames,
    LineTime,
    Rate,
    Section,
    Unit,
)
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

# The SDK takes line times in ns.
_TOLERANCE_S = 1e-9

# Longer than any experiment.
NO_TIMEOUT_S = 7 * 86400.0


class LineSettings(Section):
    """A hardware I/O line of a PCO camera."""

    number: int = Field(ge=1, le=4, examples=[4])
    """As on the camera's rear panel."""
    on: bool = True
    """Whether the line is used."""
    polarity: Literal["rising edge", "falling edge", "high level", "low level"] | None = None
    """Line 1 takes an edge, the others a level; omitted: as the camera has it."""
    type: (
        Literal["TTL", "high level TTL", "contact mode", "RS485 differential", "two pin differential"] | None
    ) = None
    """The electrical kind of the line; omitted: as the camera has it."""
    filter: Literal["off", "medium", "high"] | None = None
    """Which pulses are too short: up to 65 ns ("off"), 1 us ("medium"), 100 ms ("high"). Omitted:
    as the camera has it."""
    signal: Literal["status busy", "status expos", "status line", "status armed"] | None = None
    """What lines 3 and 4 put out; omitted: as the camera has it."""
    timing: Literal["first line", "global", "last line", "all lines"] | None = None
    """Of a rolling shutter: the sensor line whose exposure `status expos` shows. Omitted: as the camera has
    it."""


class PcoCameraSettings(Section):
    """A PCO camera, driven through the vendor's package."""

    kind: Literal["pco"]
    serial: int | None = Field(None, ge=1, examples=[61001234])
    """Serial number, as `recorder cameras` lists it; omitted: the first camera found."""
    interface: Interface | None = None
    """How the camera is connected; omitted: looked for at all of them."""
    exposure: Exposure = 0.01
    """How long each frame is exposed; what the camera can is said by `recorder cameras --check`."""
    delay: Delay = 0.0
    """From the trigger to the beginning of the exposure."""
    rate: Rate = math.inf
    """How many frames are exposed, with trigger = "auto sequence"; "max": as fast as exposure and readout
    allow."""
    roi: Annotated[tuple[int, int, int, int], Unit("pixels")] | None = Field(
        None, strict=False, examples=[[1, 1, 1280, 1024]]
    )
    """The region that is read: x0, y0, x1, y1 in binned pixels, counted from 1, both ends included; omitted:
    all."""
    binning: Annotated[tuple[int, int], Unit("pixels")] = Field((1, 1), strict=False)
    """How many pixels across and down become one."""
    binning_mode: Literal["sum", "average"] = "sum"
    """What becomes of the pixels that are binned."""
    sensor_format: Literal["standard", "extended"] = "standard"
    """Whether dark and reference pixels are shown too, or what else the camera has beyond its usual format.
    """
    pixel_rate: Annotated[int, Unit("Hz")] | None = Field(None, examples=[286_000_000])
    """How fast the sensor is read, one of those that the camera has; omitted: the fastest."""
    pixel_format: PixelFormat | None = None
    """Bits of a pixel as the camera sends it, for cameras with a choice; omitted: as the camera has it."""
    trigger: Trigger = "auto sequence"
    """What starts an exposure: the camera itself, `trigger` at the console, or a pulse at its trigger input.
    """
    acquire: Literal["auto", "external", "external modulated", "sequence trigger"] = "auto"
    """What the acquire input does: nothing ("auto"), admit frames ("external"), or start a sequence."""
    frames_per_trigger: Frames | None = Field(None, ge=1, lt=2**32, examples=[20])
    """How many frames a pulse at the acquire input starts, with acquire = "sequence trigger"."""
    timestamp: Literal["off", "binary", "binary & ascii"] | None = None
    """Counter and time of day in the pixels of each frame; omitted: only where it sends no metadata."""
    noise_filter: bool = False
    """The camera's own noise filter."""
    hot_pixel_correction: bool = False
    """Replaces pixels known to be hot by what is around them."""
    ir_sensitivity: bool = False
    """More sensitive to infrared light, with a range of exposures of its own."""
    adcs: Literal[1, 2] | None = None
    """How many converters read the sensor; two are faster and less linear. Omitted: as the camera has it."""
    offset_mode: Literal["auto", "off"] | None = None
    """Whether the camera regulates its dark offset; omitted: as the camera has it."""
    double_image: bool = False
    """A frame is a pair of exposures close together (PIV), the second below the first."""
    fan: Fan | None = Field(None, examples=["auto"])
    """Speed of the fan; omitted: as the camera has it."""
    status_led: bool | None = Field(None, examples=[False])
    """The lights on the camera's rear panel; omitted: as the camera has them."""
    conversion_factor: Annotated[float, Unit("electrons per count")] | None = Field(
        None, gt=0, strict=False, examples=[0.46]
    )
    """What a count stands for, one of those that the camera has; omitted: as the camera has it."""
    shutter: Literal["rolling shutter", "global shutter", "global reset"] | None = None
    """How rows are exposed; omitted: as the camera has it. A change restarts the camera, which takes 10 s."""
    cooling: Annotated[int, Unit("degrees Celsius")] | None = Field(None, examples=[0])
    """Temperature of the sensor to hold, for cameras where it can be chosen; omitted: as the camera has it.
    """
    lines: tuple[LineSettings, ...] = Field((), strict=False)
    """The hardware I/O lines to set."""
    line_time: LineTime | None = Field(None, examples=["20us"])
    """Light sheet: from row to row; with `exposure_lines`, `exposure` is their product, and is omitted."""
    exposure_lines: Annotated[int, Unit("line times")] | None = Field(None, ge=1, lt=2**31, examples=[100])
    """Light sheet: for how long a row is exposed."""
    delay_lines: Annotated[int, Unit("line times")] = Field(0, ge=0, lt=2**31)
    """Light sheet: a pause between frames."""
    readout: RowOrder | None = None
    """In which order rows are read; omitted: with `line_time` "top bottom", else as the camera has it."""
    memory: Literal["fifo", "camram sequence", "camram ring", "camram read"] = "fifo"
    """Where frames go first: through the driver's FIFO to the disk, or into the camera's own memory, until
    that is full ("camram sequence"), or overwriting the oldest until stopped ("camram ring"). "camram read"
    records nothing: it reads out what the memory holds, from a recording before."""
    record_stop: Literal["off", "software", "external"] = "off"
    """What makes a ring stop by itself: `trigger` at the console ("software"), or that and a pulse at the
    acquire input ("external")."""
    frames_after_event: Frames | None = Field(None, ge=1, lt=2**32, examples=[500])
    """How many frames a ring records after what `record_stop` waits for."""
    segment: int | None = Field(None, ge=1, le=4, examples=[2])
    """The part of the camera's memory to record into; omitted: the one that is active."""
    segments: Annotated[tuple[float, float, float, float], Unit("percent")] | None = Field(
        None, strict=False, examples=[[50, 50, 0, 0]]
    )
    """Sizes of the four parts of the memory; a change erases all of them. Omitted: as they are."""
    fifo: Frames | None = Field(None, ge=16, le=1_000_000, examples=[100])
    """Depth of the driver's FIFO; omitted: a second of frames, in at most half a gigabyte."""
    timeout: Duration | None = Field(None, examples=["30s"])
    """How long no frame may come; omitted: 10 s, or 7 days where frames wait for a trigger."""

    @model_validator(mode="before")
    @classmethod
    def _exposed_for_lines(cls, tree: Any) -> Any:  # noqa: ANN401
        """Give `exposure` the value that the lines make, where it is omitted."""
        if isinstance(tree, dict) and tree.get("exposure_lines") and "exposure" not in tree:
            # What is no time, or no number, is told with its own key.
            with contextlib.suppress(ValueError, TypeError, LookupError):
                exposure_s = parse_seconds(tree["line_time"]) * tree["exposure_lines"]
                return tree | {"exposure": format_seconds(round(exposure_s, 9))}
        return tree

    @field_validator("exposure_lines")
    @classmethod
    def _makes_the_exposure(cls, lines: int | None, others: ValidationInfo) -> int | None:
        """Refuse an exposure that is another one than the lines make."""
        line_s, exposure_s = others.data.get("line_time"), others.data.get("exposure")
        if lines is not None and line_s is not None and exposure_s is not None:
            made_s = round(line_s * lines, 9)
            if abs(exposure_s - made_s) > _TOLERANCE_S:
                raise ValueError(
                    f"makes an exposure of {format_seconds(made_s)}, not of {format_seconds(exposure_s)}; "
                    "omit camera.exposure, and change this one or camera.line_time"
                )
        return lines

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
