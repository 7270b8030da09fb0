"""A PCO camera: the verbs of every camera, in the SDK's terms."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import CameraDescription, FrameInfo
from recorder.camera.pco import limits
from recorder.camera.pco.describe import details
from recorder.camera.pco.errors import translated
from recorder.camera.pco.fifo import FifoReader
from recorder.camera.pco.frame import FrameCopier
from recorder.camera.pco.health import INTERVAL_S, Health
from recorder.camera.pco.library import open_camera
from recorder.camera.pco.memory import MemoryReader
from recorder.camera.pco.setup import Readout, change_exposure, change_shutter, set_up
from recorder.camera_settings import PcoCamera
from recorder.errors import CameraError, ConfigurationError

log = logging.getLogger(__name__)

# The driver's FIFO, where nobody says how deep: a second of frames, in at most so much memory.
FIFO_S = 1.0
FIFO_BYTES = 512_000_000
SHALLOWEST = 16

# A camera that restarts is away for some seconds, and is knocked at again and again for so long.
RESTART_S = 8.0
RESTART_PATIENCE_S = 40.0


class PcoDevice:
    """The camera of `settings`; `tell` is called with what it says of its health.

    Into its own memory it records `frames`, or for `duration_s`; through the FIFO the reader decides.
    `wait` (s) stands for time passing, and a test brings its own.
    """

    def __init__(
        self,
        settings: PcoCamera,
        tell: Callable[[str], None] = log.warning,
        frames: int | None = None,
        duration_s: float | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings, self._tell, self._wait = settings, tell, wait
        self._frames, self._duration_s = frames, duration_s
        self._camera: Any = None
        self._readout: Readout | None = None
        self._health: Health | None = None
        self._asked_s = 0.0
        self._reader: FifoReader | MemoryReader | None = None

    def open(self) -> CameraDescription:
        """Connect, check the settings against what the camera can do, and apply them."""
        s = self._settings
        self._camera = open_camera(s.serial, s.interface)
        if s.shutter is not None and change_shutter(self._camera, s.shutter):
            self._reopen()
        camera = self._camera
        with translated("setting up the camera"):
            self._readout = readout = set_up(camera, s)
            self._health = Health(camera.sdk)
            told = details(camera, readout)
            name, serial = camera.camera_name.strip("\0 "), str(camera.camera_serial)
        self._ask_for_health()
        rate = 1 / readout.period_s if readout.period_s else math.inf
        return CameraDescription(name, serial, readout.format, rate, told)

    def _reopen(self) -> None:
        """Wait for a camera that restarts."""
        self.close()
        deadline = time.monotonic() + RESTART_PATIENCE_S
        while True:
            self._wait(RESTART_S)
            try:
                self._camera = open_camera(self._settings.serial, self._settings.interface)
                return
            except CameraError:
                if time.monotonic() > deadline:
                    raise

    def arm(self) -> None:
        """Start exposing."""
        camera, readout = self._opened()
        memory = self._settings.memory
        with translated("starting the camera"):
            if memory == "fifo":
                depth = self._settings.fifo or self._depth(readout)
                camera.record(number_of_images=depth, mode="fifo")
            else:
                ring = memory == "camram ring"
                camera.record(camera.camram_max_images, "camram ring" if ring else "camram segment")
            form = readout.format
            copier = FrameCopier(camera, form.width, form.height, metadata=readout.metadata)
            if memory == "fifo":
                self._reader = FifoReader(camera, copier, depth, readout.period_s, wait=self._wait)
            else:
                self._reader = MemoryReader(
                    camera,
                    copier,
                    camera.camram_segment,
                    ring=ring,
                    frames=self._frames,
                    duration_s=self._duration_s,
                    wait=self._wait,
                )

    @staticmethod
    def _depth(readout: Readout) -> int:
        rate = FIFO_S / readout.period_s if readout.period_s else math.inf
        return max(SHALLOWEST, int(min(rate, FIFO_BYTES / readout.format.nbytes)))

    def _opened(self) -> tuple[Any, Readout]:
        if self._camera is None or self._readout is None:
            raise CameraError("the camera is not open")
        return self._camera, self._readout

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot`."""
        if self._reader is None:
            raise CameraError("the camera is not armed")
        if time.monotonic() - self._asked_s > INTERVAL_S:
            self._ask_for_health()
        return self._reader.read_into(slot, timeout_s)

    def _ask_for_health(self) -> None:
        self._asked_s = time.monotonic()
        if self._health is not None:
            for line in self._health.news():
                self._tell(line)

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Expose for `seconds` from the next exposure on; return what the camera made of it."""
        del first  # no camera takes a setting ahead of time
        camera, _ = self._opened()
        s = self._settings
        with translated(f"changing the exposure to {seconds:g} s"):
            try:
                limits.check_exposure(seconds, camera.description)
            except ConfigurationError as error:
                raise CameraError(str(error)) from None
            if not math.isinf(s.rate) and seconds > 1 / s.rate:
                raise CameraError(
                    f"an exposure of {seconds:g} s does not fit into the {1 / s.rate:g} s of a frame: "
                    f"camera.rate is {s.rate:g}"
                )
            return change_exposure(camera, seconds, s.rate)

    def trigger(self) -> None:
        """Expose one frame now, in the trigger modes that listen to software."""
        camera, _ = self._opened()
        if "software trigger" not in self._settings.trigger:
            raise CameraError(f"no software trigger in trigger mode {self._settings.trigger}")
        with translated("triggering the camera"):
            if camera.sdk.force_trigger()["triggered"] != "successful":
                raise CameraError("the camera is busy with the frame before: trigger again")

    def halt(self) -> int | None:
        """Stop exposing; what the FIFO or the camera's memory holds can still be read."""
        if isinstance(self._reader, MemoryReader):
            return self._reader.halt()
        if isinstance(self._reader, FifoReader) and not self._reader.halted:
            with translated("stopping the camera"):
                self._reader.look()
                full = self._reader.is_full
                self._camera.stop()
            self._reader.halted = True
            if full:
                log.warning(
                    "the camera's FIFO was full when it was stopped: frames after the last may be missing"
                )
        return None

    def disarm(self) -> None:
        """Leave the recording state; also after an error, and twice."""
        reader, self._reader = self._reader, None
        if reader is None or self._camera is None:
            return
        with translated("stopping the camera"):
            recorder = self._camera.rec
            if recorder.recorder_handle.value is not None:
                with contextlib.suppress(ValueError):
                    recorder.stop_record()
                recorder.delete()

    def close(self) -> None:
        """Let go of the camera; also after an error, and twice."""
        camera, self._camera = self._camera, None
        self._reader = self._health = None
        if camera is not None:
            with translated("closing the camera"):
                camera.close()
