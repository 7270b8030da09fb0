"""What some models have beyond the common, and the SDK's functions for it."""

import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.virtual_sc2.camera import VirtualCamera
    from tests.virtual_sc2.models import Model

NOT_POSSIBLE = 0x80161017
NOT_SUPPORTED = 0x80161020
# As the SDK's library answers, without asking the camera.
WRONG_VALUE = 0xA00A3001
NO_CAPABILITY = 0x800A3004
NOT_APPLICABLE = 0xFFFFFFFF

# dwGeneralCapsDESC1
NOISE_FILTER = 0x00000001
HOT_PIXEL_FILTER = 0x00000002
HOT_PIXELS_WITH_NOISE_FILTER_ONLY = 0x00000004
HOT_PIXEL_CORRECTION = 0x00000040
FAN_AND_LED = 0x00400000
DESCRIPTION_3 = 0x10000000
INTENSIFIED = 0x20000000
# dwGeneralCapsDESC3
AVERAGE_BINNING = 0x00004000

GLOBAL_SHUTTER = 2
# Read out from one end to the other; the rest read two halves at once.
ONE_WAY = {0x0000, 0x0500}


@dataclass(frozen=True)
class Has:
    """What a model has; its camera answers to the rest that it cannot do that."""

    subtype: int = 0
    extended: tuple[int, int] | None = None  # width and height; None: 16 more than the standard format
    least_extended: tuple[int, int] | None = None  # told in a third description
    ir_exposure_ns: tuple[int, int] | None = None  # least, most
    adcs: int = 1
    offset_regulation: bool = False
    double_image: tuple[int, ...] = ()  # with these shutter modes
    line_time_ns: tuple[int, int] | None = None  # least, most
    fast_lines: bool = False  # line timing with all pixel rates, not only the slowest
    image_timing: bool = False
    line_types: int = 0x1
    line_filters: int = 0x1


@dataclass
class Options:
    """What is set; a reset brings back the first ones only."""

    sensor_format: int = 0
    ir: int = 0
    adcs: int = 1
    double_image: int = 0

    offset: int = 0
    hot_pixel_correction: int = 0
    noise_filter: int = 0
    fan: tuple[int, int] = (0, 100)
    led: int = NOT_APPLICABLE
    line_timing: int = 0
    line_time_ns: int = 20_000
    lines: tuple[int, int] = (100, 0)
    row_order: int = 0x0100
    # From which counter on, by whom the clock is synchronised and whether the PLL is locked.
    sync: dict[int, tuple[int, int]] = field(default_factory=dict)

    def reset(self) -> None:
        self.sensor_format = self.ir = self.double_image = 0
        self.adcs = 1

    def size(self, model: "Model") -> tuple[int, int]:
        """Width and height of the sensor in its format."""
        return extended_size(model) if self.sensor_format else (model.width, model.height)

    def exposures(self, model: "Model", usual: tuple[int, int, int]) -> tuple[int, int, int]:
        """The least and the greatest exposure in ns, and its step."""
        return (*model.has.ir_exposure_ns, usual[2]) if self.ir and model.has.ir_exposure_ns else usual

    def line_period_ns(self, rows: int) -> int:
        """From frame to frame where lines decide it."""
        exposed, pause = self.lines
        read = rows if self.row_order in ONE_WAY else (rows + 1) // 2
        return (max(read, exposed) + pause) * self.line_time_ns

    def sync_of(self, counter: int) -> tuple[int, int]:
        """The state in the metadata of a frame."""
        return next((self.sync[n] for n in sorted(self.sync, reverse=True) if n <= counter), (0, 0))


def extended_size(model: "Model") -> tuple[int, int]:
    return model.has.extended or (model.width + 16, model.height + 16)


def describe(camera: "VirtualCamera", d: Any) -> None:
    """Fill in the SDK's description."""
    m, has = camera.model, camera.model.has
    d.wMaxHorzResExtDESC, d.wMaxVertResExtDESC = extended_size(m)
    d.wNumADCsDESC = has.adcs
    d.wOffsetRegulationDESC = has.offset_regulation
    d.wDoubleImageDESC = camera.shutter in has.double_image
    if has.ir_exposure_ns is not None:
        d.wIRDESC = 1
        d.dwMinExposIRDESC, d.dwMaxExposIRDESC = has.ir_exposure_ns[0], has.ir_exposure_ns[1] // 1_000_000
        d.dwMaxDelayIRDESC = m.delay_ms


class OptionFunctions:
    """The SDK's functions, for `libraries.Sc2`."""

    camera: "VirtualCamera"

    def _set(self, able: bool, error: int = NOT_SUPPORTED, **values: Any) -> int:
        if not able:
            return error
        if self.camera.recording:
            return NOT_POSSIBLE
        for name, number in values.items():
            setattr(self.camera.options, name, number)
        self.camera.armed = False
        return 0

    def _get(self, able: bool, given: Any, name: str, error: int = NOT_SUPPORTED) -> int:
        if not able:
            return error
        given.value = getattr(self.camera.options, name)
        return 0

    def _caps(self, bit: int) -> bool:
        return bool(self.camera.model.caps & bit)

    def getcameradescriptionex(self, handle: Any, d: Any, kind: Any) -> int:
        del handle
        m = self.camera.model
        if kind.value != 3 or not m.caps & DESCRIPTION_3:
            return NOT_SUPPORTED
        d.wMinHorzResStdDESC3, d.wMinVertResStdDESC3 = m.least
        d.wPixelsize_horzDESC3 = d.wPixelsize_vertDESC3 = 6500
        d.wMinHorzResExtDESC3, d.wMinVertResExtDESC3 = m.has.least_extended or m.least
        return 0

    def getsensorformat(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(True, given, "sensor_format")

    def setsensorformat(self, handle: Any, wanted: Any) -> int:
        del handle
        return self._set(True, sensor_format=wanted.value)

    def getirsensitivity(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(self.camera.model.has.ir_exposure_ns is not None, given, "ir")

    def setirsensitivity(self, handle: Any, wanted: Any) -> int:
        del handle
        return self._set(self.camera.model.has.ir_exposure_ns is not None, ir=wanted.value)

    def getadcoperation(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(True, given, "adcs")

    def setadcoperation(self, handle: Any, wanted: Any) -> int:
        del handle
        return self._set(wanted.value <= self.camera.model.has.adcs, WRONG_VALUE, adcs=wanted.value)

    def getoffsetmode(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(self.camera.model.has.offset_regulation, given, "offset", NO_CAPABILITY)

    def setoffsetmode(self, handle: Any, wanted: int) -> int:
        del handle
        return self._set(self.camera.model.has.offset_regulation, NO_CAPABILITY, offset=wanted)

    def getdoubleimagemode(self, handle: Any, given: Any) -> int:
        del handle
        has = self.camera.shutter in self.camera.model.has.double_image
        return self._get(has, given, "double_image", NO_CAPABILITY)

    def setdoubleimagemode(self, handle: Any, wanted: int) -> int:
        del handle
        has = self.camera.shutter in self.camera.model.has.double_image
        return self._set(has, NO_CAPABILITY, double_image=wanted)

    def gethotpixelcorrectionmode(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(self._caps(HOT_PIXEL_CORRECTION), given, "hot_pixel_correction", NO_CAPABILITY)

    def sethotpixelcorrectionmode(self, handle: Any, wanted: int) -> int:
        del handle
        if not self.camera.options.noise_filter and wanted and self._caps(HOT_PIXELS_WITH_NOISE_FILTER_ONLY):
            return NOT_POSSIBLE
        return self._set(self._caps(HOT_PIXEL_CORRECTION), NO_CAPABILITY, hot_pixel_correction=wanted)

    def getnoisefiltermode(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(self._caps(NOISE_FILTER), given, "noise_filter", NO_CAPABILITY)

    def setnoisefiltermode(self, handle: Any, wanted: int) -> int:
        """The library itself refuses all bits but these two, 5 for example."""
        del handle
        if wanted & ~0x0101:
            return WRONG_VALUE
        if wanted & 0x0100 and not self._caps(HOT_PIXEL_FILTER):
            return NOT_SUPPORTED
        return self._set(self._caps(NOISE_FILTER), NO_CAPABILITY, noise_filter=wanted)

    def getfancontrolparameters(self, handle: Any, mode: Any, speed: Any, *rest: Any) -> int:
        del handle, rest
        if not self._caps(FAN_AND_LED):
            return NOT_SUPPORTED
        mode.value, speed.value = self.camera.options.fan
        return 0

    def setfancontrolparameters(self, handle: Any, mode: Any, speed: Any, *rest: Any) -> int:
        del handle, rest
        return self._set(self._caps(FAN_AND_LED), fan=(mode.value, speed.value))

    def gethwledsignal(self, handle: Any, given: Any) -> int:
        del handle
        return self._get(self._caps(FAN_AND_LED), given._obj, "led")

    def sethwledsignal(self, handle: Any, wanted: Any) -> int:
        del handle
        return self._set(self._caps(FAN_AND_LED), led=wanted.value)

    # Light sheet.

    def getcmoslinetiming(
        self, handle: Any, on: Any, base: Any, line_time: Any, reserved: Any, length: Any
    ) -> int:
        """In its reserved words the library gives the limits."""
        del handle
        o, has = self.camera.options, self.camera.model.has
        if has.line_time_ns is None:
            return NOT_SUPPORTED
        on.value, base.value, line_time.value = o.line_timing, 0, o.line_time_ns
        count = length if isinstance(length, int) else length.value
        limits = (has.line_time_ns[0], has.line_time_ns[1] // 10**6, 3 if has.fast_lines else 1)
        for i, number in enumerate(limits[:count]):
            reserved[i] = number
        return 0

    def setcmoslinetiming(self, handle: Any, on: Any, base: Any, line_time: Any, *rest: Any) -> int:
        del handle, rest
        has = self.camera.model.has
        if has.line_time_ns is None:
            return NOT_SUPPORTED
        ns = line_time.value * (1, 1_000, 1_000_000)[base.value]
        if on.value and not has.line_time_ns[0] <= ns <= has.line_time_ns[1]:
            return 0x80161016
        return self._set(True, line_timing=on.value, line_time_ns=ns if on.value else 20_000)

    def getcmoslineexposuredelay(self, handle: Any, exposed: Any, pause: Any, *rest: Any) -> int:
        del handle, rest
        if not self.camera.options.line_timing:
            return NOT_SUPPORTED
        exposed.value, pause.value = self.camera.options.lines
        return 0

    def setcmoslineexposuredelay(self, handle: Any, exposed: Any, pause: Any, *rest: Any) -> int:
        del handle, rest
        able = bool(self.camera.options.line_timing)
        return self._set(able, NOT_POSSIBLE, lines=(exposed.value, pause.value))

    def getinterfaceoutputformat(self, handle: Any, interface: Any, row_order: Any, *rest: Any) -> int:
        del handle, interface, rest
        return self._get(self.camera.model.has.line_time_ns is not None, row_order, "row_order")

    def setinterfaceoutputformat(self, handle: Any, interface: Any, row_order: Any, *rest: Any) -> int:
        del handle, rest
        able = self.camera.model.has.line_time_ns is not None and interface.value == 2
        return self._set(able, row_order=row_order.value)

    def getimagetiming(self, handle: Any, timing: Any) -> int:
        """What the camera does not know is left at a number that stands for nothing."""
        del handle
        c = self.camera
        if not c.model.has.image_timing:
            return NOT_SUPPORTED
        ctypes.memset(ctypes.addressof(timing) + 4, 0xFF, ctypes.sizeof(timing) - 4)
        timing.FrameTime_s, timing.FrameTime_ns = divmod(c.period_ns, 10**9)
        timing.ExposureTime_s, timing.ExposureTime_ns = divmod(c.exposure_ns, 10**9)
        timing.TriggerSystemJitter_ns = 250
        timing.TriggerDelay_s, timing.TriggerDelay_ns = divmod(c.delay_ns + 1_500, 10**9)
        return 0
