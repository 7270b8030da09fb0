"""The vendor's C functions, spoken with the package's own ctypes structures, on virtual cameras."""

import calendar
import contextlib
import ctypes
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pco.loader import shared_library_loader
from pco.recorder import PCO_METADATA_STRUCT
from pco.sdk import PCO_Device

from recorder.camera.simulated.fifo import Exposed
from tests.virtual_sc2.camera import (
    DISCONNECTED,
    NOT_AVAILABLE,
    NOT_POSSIBLE,
    NOT_SUPPORTED,
    Settings,
    VirtualCamera,
)
from tests.virtual_sc2.models import EDGE_FAMILY, GLOBAL, GLOBAL_RESET, PIXEL_FORMATS, ROLLING
from tests.virtual_sc2.options import OptionFunctions, describe
from tests.virtual_sc2.ram import RamFunctions
from tests.virtual_sc2.sensor import Sensor, counter_digits

NO_CAMERA = 0x80162001
TEXTS = {
    0x2015: "Device is disconnected or power off",
    0x2001: "Initialization failed; no camera connected",
    0x1017: "Desired function not possible",
    0x1021: "Starting record failed due not armed",
    0x103C: "ROI setting is wrong",
}
SIGNALS = (
    ("exposure trigger",),
    ("acquire enable",),
    ("status busy", "status line", "status armed"),
    ("status expos", "status line", "status armed"),
)


def value(argument: Any) -> int:
    """An argument that came as a number of Python or of ctypes."""
    return argument if isinstance(argument, int) else int(argument.value)


class Function:
    """A C function: takes `argtypes`, and converts its arguments by them as ctypes would."""

    def __init__(self, name: str, library: "Library", body: Callable[..., int]) -> None:
        self.name, self.library, self.body = name, library, body
        self.argtypes: list[Any] = []
        self.restype: Any = ctypes.c_int

    def __call__(self, *arguments: Any) -> int:
        self.library.rig.note(self.name)
        for argument, kind in zip(arguments, self.argtypes, strict=bool(self.argtypes)):
            kind.from_param(argument)
        camera = self.library.rig.camera
        if camera.gone and self.name not in ALWAYS:
            return DISCONNECTED
        if self.name in camera.faults:
            left = camera.after.get(self.name, 0)
            camera.after[self.name] = left - 1
            if left <= 0:
                return camera.faults[self.name]
        return self.body(*arguments) or 0


# What needs no camera: the FIFO is in the computer's memory.
ALWAYS = {
    "PCO_GetErrorTextSDK", "PCO_InitializeLib", "PCO_CleanupLib", "PCO_ResetLib", "PCO_ScanCameras",
    "PCO_RecorderGetStatus", "PCO_RecorderGetSettings", "PCO_RecorderCopyImage",
}  # fmt: skip

# Frames under way from the driver to the FIFO are not told as waiting while the recorder runs.
UNDER_WAY = 3

# How many frames would fit into this computer, which is what the recorder tells as its maximum.
FITTING = 3_696_836


class Library:
    """A loaded library: what it does not know succeeds and does nothing."""

    _handle = 0

    def __init__(self, rig: "Rig") -> None:
        self.rig = rig

    @property
    def camera(self) -> VirtualCamera:
        return self.rig.camera

    def __getattr__(self, name: str) -> Function:
        if not name.startswith("PCO_"):
            raise AttributeError(name)
        body = getattr(type(self), name.removeprefix("PCO_").lower(), None)
        function = Function(name, self, body.__get__(self) if body else lambda *_: 0)
        setattr(self, name, function)
        return function


class Rig:
    """The cameras of this computer, and who calls them."""

    def __init__(self, *cameras: VirtualCamera) -> None:
        self.cameras = list(cameras)
        self.camera = cameras[0]
        self.calls: dict[str, int] = {}
        self.thread: int | None = None
        self.strays: set[str] = set()

    def note(self, name: str) -> None:
        """Count a call; all between opening and closing have to come from one thread."""
        self.calls[name] = self.calls.get(name, 0) + 1
        if name in {"PCO_InitializeLib", "PCO_OpenCameraDevice", "PCO_OpenCameraEx"}:
            self.thread = threading.get_ident()
        if self.thread is not None and self.thread != threading.get_ident():
            self.strays.add(name)


class Sc2(RamFunctions, OptionFunctions, Library):
    """sc2_cam: the camera's own functions."""

    def geterrortextsdk(self, code: Any, text: Any, size: int) -> int:
        message = (
            f"Driver error {value(code):08x} at device 'virtual': {TEXTS.get(value(code) & 0xFFFF, 'Error')}."
        )
        for i, byte in enumerate(message.encode()[: size - 1] + b"\0"):
            text[i] = bytes([byte])
        return 0

    # Finding and opening.

    def scancameras(self, interface: Any, count: Any, devices: Any, size: int) -> int:
        wanted = value(interface)
        found = [c for c in self.rig.cameras if wanted in {0, c.model.interface} and not c.gone]
        if not found:
            return 0x800A300D
        if size:
            for device, camera in zip(devices[: size // ctypes.sizeof(PCO_Device)], found, strict=True):
                device.status = 5 if camera.in_use else 1
                device.id = self.rig.cameras.index(camera)
                device.processid = camera.used_by if camera.in_use else 0
                device.SerialNumber = camera.model.serial
                device.PCO_InterfaceType = camera.model.interface
                device.CameraName = camera.model.name.encode()
        count.value = len(found)
        return 0

    def opencameradevice(self, handle: Any, number: Any) -> int:
        self.rig.camera = camera = self.rig.cameras[value(number)]
        if camera.in_use or camera.is_open:
            return 0x8016200B
        handle.value = 1
        camera.is_open = True
        return 0

    def closecamera(self, handle: Any) -> int:
        del handle
        self.camera.is_open = False
        self.camera.stop()
        # Whoever opens it next may be another thread.
        self.rig.thread = None
        return 0

    def rebootcamera(self, handle: Any) -> int:
        del handle
        self.camera.shutter = self.camera.wanted_shutter
        self.camera.reset()
        return 0

    # What it is.

    def getcameratype(self, handle: Any, kind: Any) -> int:
        del handle
        kind.wCamType, kind.dwSerialNumber = self.camera.model.camera_type, self.camera.model.serial
        kind.wCamSubType = self.camera.model.has.subtype
        kind.wInterfaceType = 7
        kind.strFirmwareVersion.DeviceNum = 1
        device = kind.strFirmwareVersion.Device[0]
        device.szName, device.bMajorRev, device.bMinorRev = b"main uP", 1, 22
        return 0

    def getcameraname(self, handle: Any, text: Any, size: int) -> int:
        del handle
        for i, byte in enumerate(self.camera.model.name.encode()[: size - 1] + b"\0"):
            text[i] = bytes([byte])
        return 0

    def getcameradescription(self, handle: Any, d: Any) -> int:
        del handle
        m = self.camera.model
        d.wSensorTypeDESC = 0x10 | m.colour
        d.wMaxHorzResStdDESC, d.wMaxVertResStdDESC, d.wDynResDESC = m.width, m.height, m.bits
        describe(self.camera, d)
        d.wMaxBinHorzDESC = d.wMaxBinVertDESC = m.binning
        d.wRoiHorStepsDESC, d.wRoiVertStepsDESC = m.roi_steps
        d.wMinSizeHorzDESC, d.wMinSizeVertDESC = m.least
        for i, rate in enumerate(m.pixel_rates):
            d.dwPixelRateDESC[i] = rate
        for i, factor in enumerate(m.conversion_factors):
            d.wConvFactDESC[i] = factor
        least, most, step = self.camera.exposure_limits
        d.dwMinExposDESC, d.dwMinExposStepDESC, d.dwMaxExposDESC = least, step, most // 1_000_000
        self.camera.description_changed = False
        d.dwMaxDelayDESC, d.dwMinDelayStepDESC = m.delay_ms, 1_000
        d.sMinCoolSetDESC, d.sMaxCoolSetDESC, d.sDefaultCoolSetDESC = m.cooling
        d.wColorPatternDESC = 0x4321 if m.colour else 0
        d.dwGeneralCapsDESC1, d.dwGeneralCapsDESC3 = m.caps, m.caps3
        return 0

    def getcamerahealthstatus(self, handle: Any, warning: Any, error: Any, status: Any) -> int:
        del handle
        warning.value, error.value = self.camera.health
        status.value = 0x40000002 if self.camera.description_changed else 2
        return 0

    def getsensorsignalstatus(self, handle: Any, status: Any, count: Any, *rest: Any) -> int:
        del handle, rest
        if self.camera.model.camera_type & 0xFF00 != EDGE_FAMILY:
            return NOT_SUPPORTED
        status.value, count.value = 0, self.camera.finished()
        return 0

    def setdatetime(
        self, handle: Any, day: Any, month: Any, year: Any, hour: Any, minute: Any, second: Any
    ) -> int:
        del handle
        date = tuple(map(value, (year, month, day, hour, minute, second)))
        self.camera.clock_set = (self.camera.clock(), calendar.timegm(date))
        return 0

    def gettemperature(self, handle: Any, sensor: Any, camera: Any, power: Any) -> int:
        del handle
        sensor.value, camera.value, power.value = 70, 32, 38
        return 0

    def getsensordarkoffset(self, handle: Any, offset: Any) -> int:
        del handle
        offset.value = 100
        return 0

    def getbitalignment(self, handle: Any, alignment: Any) -> int:
        del handle
        alignment.value = 1
        return 0

    # Settings.

    def resetsettingstodefault(self, handle: Any) -> int:
        del handle
        if self.camera.recording:
            return NOT_POSSIBLE
        self.camera.reset()
        return 0

    def armcamera(self, handle: Any) -> int:
        del handle
        return self.camera.arm()

    def getroi(self, handle: Any, *corners: Any) -> int:
        del handle
        for corner, number in zip(corners, self.camera.settings.roi, strict=True):
            corner.value = number
        return 0

    def getsizes(self, handle: Any, x: Any, y: Any, *most: Any) -> int:
        del handle
        (y.value, x.value), (width, height) = (
            self.camera.shape,
            (self.camera.model.width, self.camera.model.height),
        )
        for given, number in zip(most, (width, height), strict=True):
            given.value = number
        return 0

    def setroi(self, handle: Any, *corners: Any) -> int:
        del handle
        return self.camera.change(roi=tuple(map(value, corners)))

    def getbinning(self, handle: Any, x: Any, y: Any) -> int:
        del handle
        x.value, y.value = (factor | self.camera.binning_mode for factor in self.camera.settings.binning)
        return 0

    def setbinning(self, handle: Any, x: Any, y: Any) -> int:
        del handle
        self.camera.binning_mode = value(x) & 0xF000
        return self.camera.change(binning=(value(x) & 0xFFF, value(y) & 0xFFF))

    def getcocruntime(self, handle: Any, s: Any, ns: Any) -> int:
        del handle
        s.value, ns.value = divmod(self.camera.period_ns, 10**9)
        return 0

    def getdelayexposuretime(self, handle: Any, delay: Any, exposure: Any, base: Any, base2: Any) -> int:
        del handle
        delay.value, base.value = self.camera.settings.delay
        # Rounded to the camera's step, and told as finely as it goes.
        exposure.value, base2.value = self.camera.settings.exposure
        if self.camera.exposure_ns < 2**32:
            exposure.value, base2.value = self.camera.exposure_ns, 0
        return 0

    def setdelayexposuretime(self, handle: Any, delay: Any, exposure: Any, base: Any, base2: Any) -> int:
        del handle
        return self.camera.expose((value(delay), value(base)), (value(exposure), value(base2)))

    def getframerate(self, handle: Any, status: Any, rate: Any, exposure: Any) -> int:
        del handle, status
        rate.value, exposure.value = 10**12 // self.camera.period_ns, self.camera.exposure_ns
        return 0

    def setframerate(self, handle: Any, status: Any, mode: Any, rate: Any, exposure: Any) -> int:
        del handle, status, mode
        return self.camera.set_rate(value(rate), value(exposure))

    def forcetrigger(self, handle: Any, done: Any) -> int:
        del handle
        done.value = self.camera.trigger()
        return 0

    def getcamerasetup(self, handle: Any, kind: Any, setup: Any, length: Any) -> int:
        del handle, length
        if value(kind) == 0:
            if self.camera.model.camera_type != 0x1340:
                return NOT_AVAILABLE
            setup[0], setup[1] = self.camera.shutter, ROLLING | GLOBAL | GLOBAL_RESET
        elif not self.camera.model.caps3 & PIXEL_FORMATS:
            return NOT_AVAILABLE
        else:
            setup[0], setup[1] = self.camera.settings.format, 0x11
        return 0

    def setcamerasetup(self, handle: Any, kind: Any, setup: Any, length: Any) -> int:
        del handle, length
        if value(kind) == 0:
            self.camera.wanted_shutter = setup[0]
            return 0
        return self.camera.change(format=setup[0])

    def gethwiosignalcount(self, handle: Any, count: Any) -> int:
        del handle
        count.value = len(SIGNALS)
        return 0

    def gethwiosignaldescriptor(self, handle: Any, number: Any, description: Any) -> int:
        del handle
        for i, name in enumerate(SIGNALS[value(number)]):
            description.strSignalName[i].value = name.encode()
        description.wSignalTypes = self.camera.model.has.line_types
        description.wSignalFilter = self.camera.model.has.line_filters
        return 0

    def gethwiosignal(self, handle: Any, number: Any, signal: Any) -> int:
        del handle
        line: list[Any] = self.camera.lines[value(number)]
        signal.wEnabled, signal.wType, signal.wPolarity, signal.wFilter, signal.wSelected = line[:5]
        for i, parameter in enumerate(line[5]):
            signal.dwParameter[i] = parameter
        return 0

    def sethwiosignal(self, handle: Any, number: Any, signal: Any) -> int:
        del handle
        parameters = list(signal.dwParameter)
        self.camera.lines[value(number)] = [
            *(signal.wEnabled, signal.wType, signal.wPolarity, signal.wFilter, signal.wSelected),
            parameters,
        ]
        return self.camera.change()

    def getcoolingsetpointtemperature(self, handle: Any, celsius: Any) -> int:
        del handle
        celsius.value = self.camera.cooling
        return 0

    def setcoolingsetpointtemperature(self, handle: Any, celsius: Any) -> int:
        del handle
        self.camera.cooling = value(celsius)
        return 0

    def gettransferparameter(self, handle: Any, parameters: Any, size: Any) -> int:
        del handle, size
        x0, _, x1, _ = self.camera.settings.roi
        is_fast = x1 - x0 >= 1920 and self.camera.settings.pixel_rate >= 286_000_000
        address = ctypes.cast(parameters, ctypes.c_void_p).value or 0
        ctypes.memmove(
            address, struct.pack("<5I", 115_200, 85_000_000, 0, 0x109 if is_fast else 0x105, 1), 20
        )
        return 0

    # Recording state and memory.

    def getrecordingstate(self, handle: Any, state: Any) -> int:
        del handle
        state.value = self.camera.ram.settle()
        return 0

    def setrecordingstate(self, handle: Any, state: Any) -> int:
        del handle
        if value(state):
            return self.camera.start(64, into_memory=False)
        self.camera.stop()
        return 0


def _plain(setting: str) -> tuple[Callable[..., int], Callable[..., int]]:
    """A setting that is one number: how it is got, and how it is set."""

    def get(self: Sc2, handle: Any, number: Any, *rest: Any) -> int:
        del handle, rest
        number.value = getattr(self.camera.settings, setting)
        return 0

    def put(self: Sc2, handle: Any, number: Any, *rest: Any) -> int:
        del handle, rest
        return self.camera.change(**{setting: value(number)})

    return get, put


for _function, _setting in {
    "pixelrate": "pixel_rate",
    "conversionfactor": "conversion",
    "triggermode": "trigger",
    "acquiremode": "acquire",
    "timestampmode": "timestamp",
    "metadatamode": "metadata",
    "storagemode": "storage_mode",
    "recordersubmode": "submode",
}.items():
    _get, _put = _plain(_setting)
    setattr(Sc2, f"get{_function}", _get)
    setattr(Sc2, f"set{_function}", _put)


class SdkRecorder(Library):
    """pco_recorder: the FIFO in the computer's memory, and the way out of the camera's.

    Its flags behave as those of the real one, see tests/vendor_recorder.
    """

    mode = kind = depth = copied = error = segment = 0

    def recordercreate(
        self, handle: Any, camera: Any, share: Any, n: Any, mode: Any, path: Any, most: Any
    ) -> int:
        del camera, share, n, path
        handle.value = 2
        self.mode = value(mode)
        most.value = self.camera.model.memory_frames if self.mode == 3 else 100_000
        return 0

    def recorderinit(self, handle: Any, count: Any, n: Any, kind: Any, *rest: Any) -> int:
        del handle, n
        self.depth, self.kind = value(count), value(kind)
        # A segment that is given becomes the active one.
        self.segment = self.camera.ram.active = getattr(rest[2], "value", 0) or self.camera.ram.active
        return 0

    def recordergetsettings(
        self, handle: Any, camera: Any, mode: Any, most: Any, asked: Any, *size: Any
    ) -> int:
        del handle, camera
        mode.value = self.mode << 16 | self.kind
        most.value, asked.value = FITTING, self.depth
        height, width = self.camera.delivered_shape or self.camera.shape
        for given, number in zip(size, (width, height, 1), strict=True):
            given.value = number
        return 0

    def recorderstartrecord(self, handle: Any, camera: Any) -> int:
        del handle, camera
        self.copied = self.error = 0
        return self.camera.start(self.depth, into_memory=self.mode == 3)

    def recorderstoprecord(self, handle: Any, camera: Any) -> int:
        del handle, camera
        self.camera.stop()
        return 0

    def recordergetstatus(
        self, handle: Any, camera: Any, running: Any, auto: Any, error: Any, count: Any, asked: Any,
        full: Any, overflow: Any, began: Any, ended: Any,
    ) -> int:  # fmt: skip
        del handle, camera, auto, asked, began, ended
        if self.camera.gone:
            # It stops without an error.
            self.camera.stop()
        running.value, error.value = self.camera.recording, self.error
        waiting = self.camera.waiting()
        count.value = min(waiting, self.depth - UNDER_WAY) if running.value else waiting
        # Set once all buffers have been used, and never cleared.
        full.value = self.copied + waiting >= self.depth
        overflow.value = self.camera.overflowed
        return 0

    def recordercopyimage(
        self, handle: Any, camera: Any, index: Any, x0: Any, y0: Any, x1: Any, y1: Any, buffer: Any,
        number: Any, metadata: Any, timestamp: Any,
    ) -> int:  # fmt: skip
        del handle, camera, timestamp
        c = self.camera
        if self.mode == 3:
            return self._copy_stored(value(index), (value(x1), value(y1)), buffer, number, metadata)
        height, width = c.shape
        if (value(x0), value(y0), value(x1)) != (1, 1, width) or value(y1) not in {1, height}:
            return NOT_AVAILABLE
        # The place of a frame is filled anew before it is copied: the pixels are those of a later one.
        is_full = c.recording and c.waiting() >= self.depth - UNDER_WAY
        exposed = c.pop()
        if exposed is None or c.sensor is None:
            return NOT_AVAILABLE
        us, later = c.us(exposed, c.clock_now), self.depth + 1 if is_full else 0
        rows = value(y1)
        self._copy(exposed, c.sensor, c.settings, us, buffer, number, metadata, rows=rows, later=later)
        return 0

    def _copy_stored(self, index: int, size: tuple[int, int], buffer: Any, number: Any, metadata: Any) -> int:
        """An image of a segment, as large as it was recorded, whatever is set now."""
        c, of = self.camera, self.camera.ram.segments[self.segment - 1]
        if of.settings is None or of.sensor is None or index >= len(of.images):
            return NOT_AVAILABLE
        x0, y0, x1, y1 = of.settings.roi
        if size != (x1 - x0 + 1, y1 - y0 + 1) or c.recording:
            return NOT_AVAILABLE
        exposed = of.images[index]
        self._copy(exposed, of.sensor, of.settings, c.us(exposed, of.clock_set), buffer, number, metadata)
        return 0

    def _copy(
        self, exposed: Exposed, sensor: Sensor, settings: Settings, us: int, buffer: Any, number: Any,
        metadata: Any, *, rows: int | None = None, later: int = 0,
    ) -> None:  # fmt: skip
        c = self.camera
        address = buffer if isinstance(buffer, int) else ctypes.cast(buffer, ctypes.c_void_p).value
        self.copied += 1
        if (code := c.spoiled.get(exposed.number)) is not None:
            self.error = code
            ctypes.memset(address or 0, 0, sensor.pictures[0][:rows].nbytes)
            ctypes.memset(ctypes.addressof(metadata) + 4, 0, ctypes.sizeof(metadata) - 4)
            return
        counter = c.number(exposed)
        sensor.copy_to(address or 0, counter + later, us, stamped=settings.timestamp > 0, rows=rows)
        number.value = exposed.number
        if settings.metadata:
            _fill_metadata(metadata, sensor, counter, us, exposed.exposure_s)
            metadata.bIMAGE_TIME_STATUS, metadata.bSYNC_STATUS = c.options.sync_of(counter)


_COUNTER = PCO_METADATA_STRUCT.bIMAGE_COUNTER_BCD.offset
_DIGITS = struct.Struct("<13B")


def _fill_metadata(metadata: Any, sensor: Sensor, counter: int, us: int, exposure_s: float) -> None:
    metadata.wVersion = 1
    micro, (_, year, month, day, hour, minute, second) = sensor.clock.digits(us)
    times = (second, minute, hour, day, month, year)
    _DIGITS.pack_into(metadata, _COUNTER, *counter_digits(counter), *micro, *times)
    ns = round(exposure_s * 1e9)
    base = 2 if ns < 2**32 else 1
    metadata.wEXPOSURE_TIME_BASE, metadata.dwEXPOSURE_TIME = base, ns if base == 2 else ns // 1000
    metadata.sSENSOR_TEMPERATURE = 7


class Convert(Library):
    """pco_conv: asked by the package when it opens a colour camera."""

    def getmaxlimit(self, red: Any, green: Any, blue: Any, *rest: Any) -> int:
        del rest
        red.value = green.value = blue.value = 1.0
        return 0


@contextlib.contextmanager
def installed(*cameras: VirtualCamera) -> Iterator[Rig]:
    """Have the package find `cameras` instead of the vendor's libraries."""
    rig = Rig(*cameras)
    loader = shared_library_loader
    kept = {name: loader.__dict__.get(name) for name in ("_load_all", "_free_all")}

    def load() -> None:
        loader.libraries.update(
            sdk=Sc2(rig), recorder=SdkRecorder(rig), convert=Convert(rig), xcite=Library(rig)
        )

    loader._load_all, loader._free_all = load, loader.libraries.clear
    try:
        yield rig
    finally:
        for name, before in kept.items():
            if before is None:
                delattr(loader, name)
        loader.libraries.clear()
        loader.open_count = 0
