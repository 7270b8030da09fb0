"""A PCO camera: the `Camera` protocol, implemented with the vendor's SDK."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recorder.camera.base import CameraDescription, CameraEvent, CameraRestartedError, FrameInfo
from recorder.camera.pco import light_sheet, memory, rescue
from recorder.camera.pco import validation as limits
from recorder.camera.pco.clock import set_clock
from recorder.camera.pco.description import details
from recorder.camera.pco.errors import translated
from recorder.camera.pco.fifo_reader import FifoReader
from recorder.camera.pco.health import INTERVAL_S, Health
from recorder.camera.pco.library import open_camera
from recorder.camera.pco.memory_reader import READ_LATER, MemoryReader
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.recording_start import RunLimits, record_into_fifo, record_into_memory
from recorder.camera.pco.setup import Readout, set_up
from recorder.camera.pco.shutter import Restart, change_shutter
from recorder.camera.pco.timing import change_exposure, frame_time_of
from recorder.errors import CameraError, CameraTimeoutError, ConfigurationError
from recorder.settings.pco_camera import Interface, PcoCameraSettings

log = logging.getLogger(__name__)


class PcoCamera:
    """The camera of `settings`.

    On the camera thread `notify` is called with each message about its state, and `mark` with an event that
    the camera saw.

    `frames` and `duration_s` limit a recording into the camera's own memory only; one through the FIFO ends
    when it is halted. `wait` sleeps for so many s; a test passes its own.
    """

    def __init__(
        self,
        settings: PcoCameraSettings,
        notify: Callable[[str], None] = log.warning,
        frames: int | None = None,
        duration_s: float | None = None,
        wait: Callable[[float], object] = time.sleep,
        mark: Callable[[CameraEvent], None] | None = None,
    ) -> None:
        self._settings, self._notify, self._wait, self._mark = settings, notify, wait, mark
        self._until = RunLimits(frames, duration_s)
        self._camera: OpenCamera | None = None
        self._readout: Readout | None = None
        self._health: Health | None = None
        self._restart = Restart()
        self._rearmed = False
        self._asked_s = 0.0
        self._reader: FifoReader | MemoryReader | None = None

    def open(self) -> CameraDescription:
        """Connect, check the settings against the camera's capabilities, and apply them.

        Blocks for seconds, and for 8 s or more where the shutter mode changes, as the camera restarts.
        Raises CameraError, and ConfigurationError for a setting that this camera cannot have.
        `interrupt` ends the wait for one that restarts.
        """
        s = self._settings
        camera = self._connect(s.serial, s.interface)
        if s.memory == "camram read":
            return self._find_stored(camera)
        # The capabilities depend on the shutter mode, so that settings are checked in the new one.
        if s.shutter is not None and change_shutter(camera, s.shutter):
            serial, interface = camera.vendor.camera_serial, camera.vendor.interface
            with contextlib.suppress(CameraError):
                self.close()
            camera = self._restart.wait_for(lambda: self._connect(serial, interface), s.shutter)
        # Before the timestamp mode, which shows it.
        set_clock(camera, self._wait)
        with translated("setting up the camera"):
            self._readout = readout = set_up(camera, s)
            self._health = Health(camera.sdk)
            known = details(camera, readout)
        self._ask_for_health()
        rate = 1 / readout.period_s if readout.period_s else math.inf
        unknown = "" if s.memory == "fifo" else READ_LATER
        return CameraDescription(*camera.name_and_serial, readout.format, rate, known, unknown)

    def _find_stored(self, camera: OpenCamera) -> CameraDescription:
        """Describe the frames that the camera's memory holds; nothing is set."""
        with translated("asking the camera what its memory holds"):
            images = rescue.stored(camera, self._settings)
            self._readout = readout = rescue.stored_readout(camera, images)
            known = rescue.details_of_stored(details(camera, readout), images)
        log.info("segment %d of the camera's memory holds %d images", images.segment, images.images)
        return CameraDescription(*camera.name_and_serial, readout.format, math.inf, known, READ_LATER)

    def _connect(self, serial: int | None, interface: Interface | None) -> OpenCamera:
        vendor = open_camera(serial, interface)
        try:
            with translated("asking the camera what it is"):
                self._camera = OpenCamera.of(vendor, self._settings)
        except CameraError:
            with contextlib.suppress(ValueError):
                vendor.close()
            raise
        return self._camera

    def interrupt(self) -> None:
        """End a wait in `open` for a camera that restarts; may be called on any thread."""
        self._restart.interrupt()

    def arm(self) -> None:
        """Start exposing, into the FIFO or into the camera's own memory; blocks for up to seconds."""
        camera, readout = self.opened()
        if self._settings.memory == "camram read":
            self._reader = rescue.read_stored(
                camera, readout, self._settings, self._until.frames, self._notify, self._wait
            )
            return
        if camera.has_memory:
            with translated("asking the camera what its memory holds"):
                memory.tell_of_images(camera, self._notify)
        if self._settings.memory != "fifo":
            self._reader = record_into_memory(
                camera, readout, self._settings, self._until, self._notify, self._mark, self._wait
            )
            return
        self._rearmed = False
        self._reader = record_into_fifo(camera, readout, self._settings, self._notify, self._wait)
        if readout.trigger_rate:
            log.info(
                "triggers may come %.6g times a second at most: the camera ignores those while it is busy",
                readout.trigger_rate,
            )

    def _arm_again(self, reader: FifoReader) -> None:
        """Stop and start a camera that is stuck; its counter begins anew, and goes on from `reader`'s."""
        camera, readout = self.opened()
        self._rearmed = True
        self._notify(
            f"the camera is silent since its FIFO overflowed, after frame {reader.last_number}: it is armed "
            "anew, and the frames that it missed meanwhile are counted as lost"
        )
        # From here on it is asked nothing: what it reads from is deleted.
        reader.halt()
        with translated("stopping a camera that is stuck"):
            memory.delete_recorder(camera.vendor)
        self._reader = record_into_fifo(camera, readout, self._settings, self._notify, self._wait)
        self._reader.resume(reader)

    def opened(self) -> tuple[OpenCamera, Readout]:
        """Return the open camera and the frames it delivers; raises CameraError where it is not open."""
        if self._camera is None or self._readout is None:
            raise CameraError("the camera is not open")
        return self._camera, self._readout

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the oldest frame into `slot` (H, W), C-contiguous; wait up to `timeout_s` for one.

        Asks for the camera's health every `INTERVAL_S` and reports changes to `notify`. A camera that falls
        silent after an overflow is armed anew, once. Raises
        CameraTimeoutError where no frame came, StillRecordingError while the camera's memory fills,
        EndOfSourceError after the last frame in it, CameraDisconnectedError, CameraError.
        """
        if self._reader is None:
            raise CameraError("the camera is not armed")
        if time.monotonic() - self._asked_s > INTERVAL_S:
            self._ask_for_health()
        try:
            return self._reader.read_into(slot, timeout_s)
        except CameraTimeoutError:
            if isinstance(self._reader, FifoReader) and self._reader.is_stuck and not self._rearmed:
                self._arm_again(self._reader)
                raise CameraRestartedError("the camera was armed anew") from None
            raise

    def _ask_for_health(self) -> None:
        self._asked_s = time.monotonic()
        if self._health is not None:
            for line in self._health.poll():
                self._notify(line)

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Expose for `seconds` from the next exposure on; return the exposure that the camera set.

        `first` has no effect. Raises CameraError, also where camera.rate leaves no room for the exposure.
        """
        del first  # no PCO camera accepts a setting for a later frame
        camera, _ = self.opened()
        s = self._settings
        if s.line_time is not None:
            raise CameraError("camera.exposure_lines decides: stop, set camera.exposure_lines N, start")
        if s.memory == "camram read":
            raise CameraError("these frames were recorded before: their exposure is what it was")
        with translated(f"changing the exposure to {seconds:g} s"):
            try:
                limits.check_exposure(seconds, camera.description)
            except ConfigurationError as error:
                raise CameraError(str(error)) from None
            if not math.isinf(s.rate) and camera.keeps_rate and seconds >= limits.MAX_EXPOSURE_WITH_RATE_S:
                raise CameraError(
                    f"with camera.rate an exposure is shorter than {limits.MAX_EXPOSURE_WITH_RATE_S:g} s"
                )
            if not math.isinf(s.rate) and seconds > 1 / s.rate:
                raise CameraError(
                    f"an exposure of {seconds:g} s does not fit into the {1 / s.rate:g} s of a frame: "
                    f"camera.rate is {s.rate:g}"
                )
            actual_s = change_exposure(camera, seconds, s)
            if isinstance(self._reader, FifoReader):
                # The exposure is changed already, also on a model that does not answer this question.
                with contextlib.suppress(ValueError, LookupError):
                    # No frame is shorter than its exposure, whatever a camera says that reckons once armed.
                    frame_s = max(actual_s, frame_time_of(camera))
                    self._reader.update_timing(actual_s, frame_s)
            return actual_s

    def trigger(self) -> None:
        """Expose a frame, start a sequence, or give the record stop event, as the settings say.

        Raises CameraError while busy, and in modes without software trigger.
        """
        camera, _ = self.opened()
        s = self._settings
        if s.memory == "camram read":
            raise CameraError("these frames were recorded before: there is nothing to trigger")
        if s.record_stop != "off" and isinstance(self._reader, MemoryReader):
            self._reader.stop_by_event()
        elif s.acquire == "sequence trigger":
            with translated("starting a sequence"):
                memory.start_sequence(camera.sdk)
        elif "software trigger" not in s.trigger:
            raise CameraError(f"no software trigger in trigger mode {s.trigger}")
        else:
            with translated("triggering the camera"):
                if camera.sdk.force_trigger()["triggered"] != "successful":
                    raise CameraError("the camera is busy with the frame before: trigger again")

    def input_is_high(self) -> bool:
        """Return whether the acquire input is high, as the camera says it some milliseconds later.

        Raises CameraError where the camera has none.
        """
        camera, _ = self.opened()
        if camera.has(limits.NO_ACQUIRE_MODE):
            raise CameraError("this camera has no acquire input")
        with translated("asking for the acquire input"):
            return str(camera.sdk.get_acq_enbl_signal_status()["acquire enable signal status"]) == "true"

    def halt(self) -> int | None:
        """Stop exposing; frames in the FIFO or in the camera's memory can still be read.

        Blocks for up to 4 s, where no frame comes. Returns the counter of the last frame known to be exposed,
        None where it is not known before all frames are read.
        """
        return self._reader.halt() if self._reader is not None else None

    def disarm(self) -> None:
        """Leave the recording state and free the FIFO; may be called after an error, and twice."""
        reader, self._reader = self._reader, None
        if reader is None or self._camera is None:
            return
        with translated("stopping the camera"):
            memory.delete_recorder(self._camera.vendor)
        if self._camera.has_memory and (isinstance(reader, FifoReader) or reader.is_read_out):
            # The next run need not tell of these images. The recording is over, whatever the camera answers.
            with contextlib.suppress(ValueError, LookupError):
                memory.note_read_out(self._camera)

    def close(self) -> None:
        """Close the camera; may be called after an error, and twice."""
        camera, self._camera = self._camera, None
        self._reader = self._health = None
        if camera is not None:
            light_sheet.restore(camera)
            with translated("closing the camera"):
                camera.vendor.close()
