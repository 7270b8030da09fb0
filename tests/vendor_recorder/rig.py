"""Load the vendor's recorder on our sc2_cam, and read its FIFO with our reader. Run as a process of its own:

python -m tests.vendor_recorder.rig LIBRARY CASE      prints what was seen, as JSON

LIBRARY is sc2cam.c, compiled.
"""

import contextlib
import ctypes
import itertools
import json
import struct
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pco
from pco import recorder as vendor
from pco import sdk as vendor_sdk
from pco.loader import shared_library_loader

from recorder.camera.base import CameraEvent, EndOfSourceError
from recorder.camera.pco.fifo_reader import FifoReader
from recorder.camera.pco.frame_copier import FrameCopier
from recorder.camera.pco.memory import connect
from recorder.camera.pco.memory_reader import MemoryPlan, MemoryReader
from recorder.errors import CameraDisconnectedError, CameraError, CameraTimeoutError
from tests.virtual_sc2.camera import DISCONNECTED

METADATA, NO_RECORDER = 0x4000, 0x1000


class Sdk:
    """What the reader asks the camera itself."""

    gone = False

    def get_error_text(self, code: int) -> str:
        return f"{code & 0xFFFFFFFF:08x}"

    def get_sensor_signal_status(self) -> dict[str, int]:
        raise ValueError("this model does not tell")

    def get_camera_health_status(self) -> dict[str, int]:
        if self.gone:
            error = ValueError("gone")
            error.error_code = DISCONNECTED  # type: ignore[attr-defined]
            raise error
        return {}


class MemorySdk(Sdk):
    """What the reader asks a camera with a memory."""

    def __init__(self, camera: ctypes.CDLL) -> None:
        self._camera = camera

    def get_number_of_images_in_segment(self, segment: int) -> dict[str, int]:
        images, most = ctypes.c_uint32(), ctypes.c_uint32()
        self._camera.PCO_GetNumberOfImagesInSegment(None, segment, ctypes.byref(images), ctypes.byref(most))
        return {"images in segment": images.value, "max image count": most.value}

    def get_recording_state(self) -> dict[str, str]:
        state = ctypes.c_uint16()
        self._camera.PCO_GetRecordingState(None, ctypes.byref(state))
        return {"recording state": "on" if state.value else "off"}

    def get_coc_runtime(self) -> dict[str, float]:
        return {"coc runtime": 0.003}


class Rig:
    """The vendor's recorder, in FIFO mode or on a camera with a memory."""

    def __init__(self, library: Path, width: int = 64, height: int = 32) -> None:
        self.width, self.height = width, height
        # By its own name, so that the recorder's library finds this one.
        self.camera = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        self.camera.fake_set.argtypes = [ctypes.c_char_p, ctypes.c_long]
        self.camera.fake_get.argtypes = [ctypes.c_char_p]
        self.camera.fake_get.restype = ctypes.c_long
        folder = Path(pco.__file__).parent / "lnx_amd64"
        recorder = ctypes.CDLL(str(folder / "libpco_recorder.so.3"))
        shared_library_loader.libraries.update(sdk=self.camera, recorder=recorder)
        shared_library_loader.open_count = 1
        self.set(width=width, height=height)
        self.describe(METADATA | NO_RECORDER)
        # The recorder looks into the camera's object behind its handle: magic, region, metadata line.
        self._handle = ctypes.create_string_buffer(0x20000)
        struct.pack_into("<HHHH", self._handle, 0xC9A, 1, 1, self.width, self.height)
        struct.pack_into("<H", self._handle, 0x2E30, 320)
        struct.pack_into("<H", self._handle, 0xA, 0x1000)
        self.sdk = Sdk()
        self.slot = np.zeros((self.height, self.width), np.uint16)
        self.told: list[str] = []
        self.events: list[CameraEvent] = []

    def describe(self, capabilities: int, *, pairs: bool = False) -> None:
        sensor = vendor_sdk.PCO_Description()
        sensor.wSize = ctypes.sizeof(sensor)
        sensor.wSensorTypeDESC = 0x10
        sensor.wMaxHorzResStdDESC, sensor.wMaxVertResStdDESC = self.width, self.height
        sensor.wDynResDESC = 16
        sensor.dwPixelRateDESC[0] = 286_000_000
        sensor.dwGeneralCapsDESC1 = capabilities
        sensor.wDoubleImageDESC = pairs
        self.camera.fake_describe(bytes(sensor), ctypes.sizeof(sensor))
        kind = vendor_sdk.PCO_CameraType()
        kind.wSize = ctypes.sizeof(kind)
        kind.wCamType, kind.wInterfaceType = 0x1340, 7
        self.camera.fake_type(bytes(kind), ctypes.sizeof(kind))

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self.camera.fake_set(name.encode(), value)

    @property
    def exposed(self) -> int:
        return int(self.camera.fake_get(b"frame"))

    def start(self, depth: int, period_us: int, images: int = 1) -> FifoReader:
        self.set(period_us=period_us)
        self.recorder = vendor.Recorder(self.sdk, ctypes.c_void_p(ctypes.addressof(self._handle)))
        self.recorder.create("memory")
        self.recorder.init(depth, "fifo")
        self.recorder.start_record()
        camera = types.SimpleNamespace(rec=self.recorder, sdk=self.sdk, stop=self.recorder.stop_record)
        copier = FrameCopier(camera, self.width, images * self.height, metadata=True, exposure_s=0.005)
        depth = int(self.recorder.get_settings()["required number of images"])
        return FifoReader(camera, copier, depth, period_us * 1e-6, self.told.append)

    def memory_of_camera(self, plan: MemoryPlan, *, record: bool) -> MemoryReader:
        self.describe(METADATA)
        self.set(period_us=3000)
        self.recorder = vendor.Recorder(self.sdk, ctypes.c_void_p(ctypes.addressof(self._handle)))
        sdk, stop = MemorySdk(self.camera), self.recorder.stop_record
        camera = types.SimpleNamespace(rec=self.recorder, sdk=sdk, stop=stop)
        connect(camera, plan.segment)
        if record:
            self.recorder.start_record()
        copier = FrameCopier(camera, self.width, self.height, metadata=True)
        return MemoryReader(camera, copier, plan, self.events.append)

    def read_memory(self, reader: MemoryReader) -> list[int]:
        """Counters of all frames in the memory, once recording has ended."""
        found: list[int] = []
        while True:
            try:
                info = reader.read_into(self.slot, 0.02)
            except CameraTimeoutError:
                continue
            except EndOfSourceError:
                return found
            assert (self.slot == info.number).all(), f"frame {info.number} holds {np.unique(self.slot)}"
            found.append(info.number)

    def read(self, reader: FifoReader, count: int = 10**9, seconds: float = 10) -> list[tuple[int, bool]]:
        """Counters of the frames read, and whether the FIFO is blamed for a gap before each."""
        found: list[tuple[int, bool]] = []
        end = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < end:
            try:
                info = reader.read_into(self.slot, 0.02)
            except CameraTimeoutError:
                continue
            assert (self.slot == info.number).all(), f"frame {info.number} holds {np.unique(self.slot)}"
            assert info.exposure_s == 0.005, info
            found.append((info.number, info.overflowed))
        return found

    def stop(self, reader: FifoReader, found: list[tuple[int, bool]]) -> dict[str, Any]:
        """Stop, read what is left, and tell the last counters; `in_stop`: what is exposed meanwhile."""
        began = time.perf_counter()
        known = reader.halt()
        took_s = time.perf_counter() - began
        found += self.read(reader, seconds=0.3)
        last = found[-1][0]
        return {"last": last, "known": known, "exposed": self.exposed, "in_stop": took_s / reader.period_s}


def gaps(found: list[tuple[int, bool]]) -> list[tuple[int, int, bool]]:
    """Last number before a gap, first after it, and whether the FIFO is blamed."""
    return [(a, b, blamed) for (a, _), (b, blamed) in itertools.pairwise(found) if b != a + 1]


def keeping_up(rig: Rig) -> dict[str, Any]:
    """A hundred places, hundreds of frames: the FIFO goes round many times, and nothing is missing."""
    rig.set(patient=1)
    reader = rig.start(100, 3000)
    found = rig.read(reader, 400)
    rig.set(frame=rig.exposed + 7)
    found += rig.read(reader, 200)
    # Slower from now on, as with a longer exposure.
    rig.set(period_us=12_000)
    reader.period_s = 0.012
    found += rig.read(reader, seconds=0.5)
    known = reader.halt()
    return {"gaps": gaps(found), "known": known, "exposed": rig.exposed, "told": rig.told}


def overflowing(rig: Rig) -> dict[str, Any]:
    """The reader sleeps, twice; the flag of the overflow rises once only."""
    reader = rig.start(20, 3000)
    found = rig.read(reader, 10)
    for _ in range(2):
        time.sleep(0.3)
        found += rig.read(reader, 60)
    time.sleep(0.3)
    ended = rig.stop(reader, found)
    return {"gaps": gaps(found), "first": found[0][0], **ended}


def overflowing_again_before_the_end(rig: Rig) -> dict[str, Any]:
    """A gap of the first overflow still waits in the FIFO when it is full again, and recording is stopped."""
    reader = rig.start(20, 3000)
    time.sleep(0.6)
    found = rig.read(reader, 17)
    time.sleep(0.4)
    return rig.stop(reader, found)


def filled_anew(rig: Rig) -> dict[str, Any]:
    """Full again and again, of frames that take long to copy: the recorder gives their places away before.

    The reader asserts that each has its own pixels.
    """
    rig.set(patient=1)
    reader = rig.start(20, 300)
    found: list[tuple[int, bool]] = []
    for _ in range(20):
        # Half as many frames again as it has places for.
        time.sleep(0.1)
        found += rig.read(reader, 25)
    return {"gaps": gaps(found), **rig.stop(reader, found)}


def failing_transfer(rig: Rig) -> dict[str, Any]:
    """A frame is left empty, and those after it come."""
    rig.set(failing_frame=10, failing_code=0x80332005)
    found = rig.read(rig.start(20, 3000), 40)
    return {"gaps": gaps(found), "told": rig.told}


def unplugged(rig: Rig) -> dict[str, Any]:
    """The recorder stops without an error."""
    rig.set(failing_frame=10, failing_code=0x80332014)
    rig.sdk.gone = True
    reader, found = rig.start(20, 3000), []
    try:
        while True:
            found += rig.read(reader, 1)
    except CameraError as error:
        return {"read": len(found), "gone": isinstance(error, CameraDisconnectedError), "told": str(error)}


def other_time_base(rig: Rig) -> dict[str, Any]:
    """5 ms as five million of base 0, which the vendor's package takes for milliseconds."""
    rig.set(exposure=5_000_000, exposure_base=0, patient=1)
    return {"gaps": gaps(rig.read(rig.start(20, 3000), 10))}


def documented_time_base(rig: Rig) -> dict[str, Any]:
    """5 ms as five million of base 2."""
    rig.set(exposure=5_000_000, exposure_base=2, patient=1)
    return {"gaps": gaps(rig.read(rig.start(20, 3000), 10))}


def images_of_before(rig: Rig) -> dict[str, Any]:
    """Images are in the memory, and nobody records."""
    rig.set(stored=200)
    return {"read": rig.read_memory(rig.memory_of_camera(MemoryPlan(2, stored=True), record=False))}


def stopping_by_itself(rig: Rig) -> dict[str, Any]:
    """A record stop event: the camera stops, and nobody has told the recorder to."""
    rig.set(stop_at=60)
    reader = rig.memory_of_camera(MemoryPlan(1, ring=True, after_event=20), record=True)
    return {"read": rig.read_memory(reader), "events": [event.number for event in rig.events]}


def pairs(rig: Rig) -> dict[str, Any]:
    """Two images in one frame: what the recorder tells of its height, and the two in each that it copies."""
    rig.set(pair=1)
    rig.describe(METADATA | NO_RECORDER, pairs=True)
    reader = rig.start(20, 3000, images=2)
    slot = np.zeros((2, rig.height, rig.width), np.uint16)
    found: list[tuple[int, list[list[int]]]] = []
    while len(found) < 50:
        with contextlib.suppress(CameraTimeoutError):
            number = reader.read_into(slot.reshape(2 * rig.height, rig.width), 0.02).number
            found.append((number, [np.unique(image).tolist() for image in slot]))
    return {"height": int(rig.recorder.get_settings()["height"]), "found": found}


# Width and height where frames are larger.
SIZES = {"filled_anew": (1024, 1024)}

CASES: dict[str, Callable[[Rig], dict[str, Any]]] = {
    case.__name__: case
    for case in (
        keeping_up, overflowing, filled_anew, overflowing_again_before_the_end, failing_transfer, unplugged,
        other_time_base, documented_time_base, images_of_before, stopping_by_itself, pairs,
    )
}  # fmt: skip


def main() -> None:
    rig = Rig(Path(sys.argv[1]), *SIZES.get(sys.argv[2], ()))
    seen = CASES[sys.argv[2]](rig)
    sys.stdout.write(json.dumps(seen) + "\n")
    rig.recorder.stop_record()
    rig.recorder.delete()


if __name__ == "__main__":
    main()
