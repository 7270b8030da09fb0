"""Start recording, into the driver's FIFO or into the camera's own memory, and make the reader of its frames.

Called on the camera thread; blocks for up to seconds. Raises CameraError.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from recorder.camera.base import CameraEvent
from recorder.camera.pco import memory
from recorder.camera.pco.clock_sync import ClockSync
from recorder.camera.pco.description import lossy_transfer
from recorder.camera.pco.errors import translated
from recorder.camera.pco.fifo_reader import FifoReader
from recorder.camera.pco.frame_copier import FrameCopier
from recorder.camera.pco.memory_reader import MemoryPlan, MemoryReader
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.setup import Readout
from recorder.camera.pco.timing import exposure_of
from recorder.errors import CameraError
from recorder.settings.pco_camera import PcoCameraSettings

log = logging.getLogger(__name__)

# Depth of the driver's FIFO where the settings have none: the frames of so many s, in at most so much memory.
FIFO_S = 1.0
FIFO_BYTES = 512_000_000
MIN_FIFO_FRAMES = 16


@dataclass(frozen=True)
class RunLimits:
    """What ends a recording into the camera's memory besides its size: frames, and a time in s."""

    frames: int | None
    duration_s: float | None


def record_into_fifo(
    camera: OpenCamera,
    readout: Readout,
    settings: PcoCameraSettings,
    notify: Callable[[str], None],
    wait: Callable[[float], object],
) -> FifoReader:
    """Start a recording that lasts until it is halted; `notify` and `wait` are those of `FifoReader`."""
    vendor = camera.vendor
    wanted = settings.fifo or _fifo_depth(readout)
    with translated("starting the camera"):
        vendor.record(number_of_images=wanted, mode="fifo")
        recording = vendor.rec.get_settings()
        size, form = (recording["width"], recording["height"]), readout.format
        if size != (form.width, form.height):
            raise CameraError(
                f"the camera delivers frames of {size[0]}x{size[1]}, where {form.width}x{form.height} was "
                "expected: omit camera.roi, or switch the camera off and on again"
            )
        depth = int(recording["required number of images"])
        if depth < MIN_FIFO_FRAMES:
            raise CameraError(
                f"there is memory for {depth} frames only, {MIN_FIFO_FRAMES} are needed: "
                "close other programs, or make camera.roi smaller"
            )
        if depth < wanted:
            log.warning("camera.fifo: there is memory for %d frames only, not for %d", depth, wanted)
        if warning := lossy_transfer(camera):
            notify(warning)
        return FifoReader(
            vendor,
            _copier(camera, readout, settings, notify),
            depth,
            # Where a trigger decides when frames are exposed, their number does not follow from the time.
            readout.period_s if settings.runs_free else 0.0,
            notify,
            wait=wait,
            sequence=settings.frames_per_trigger or 0,
            shortest_s=readout.shortest_s,
            # Frames that one pulse starts are as near to each other as they can be.
            watches_triggers=bool(readout.trigger_rate) and not settings.frames_per_trigger,
        )


def record_into_memory(
    camera: OpenCamera,
    readout: Readout,
    settings: PcoCameraSettings,
    until: RunLimits,
    notify: Callable[[str], None],
    mark: Callable[[CameraEvent], None] | None,
    wait: Callable[[float], object],
) -> MemoryReader:
    """Start recording into the camera's own memory; `mark` and `wait` are those of `MemoryReader`.

    `notify` is called with what frames tell of the camera's clock.
    """
    vendor = camera.vendor
    with translated("starting the camera"):
        camera.arm()
        segment = vendor.camram_segment
        room = camera.sdk.get_number_of_images_in_segment(segment)["max image count"]
        frames, after_event = until.frames or 0, settings.frames_after_event or 0
        # Where an event or triggers are waited for, a duration limits the waiting.
        if until.duration_s is not None and readout.period_s and settings.runs_free and not after_event:
            lasting = math.ceil(until.duration_s / readout.period_s)
            frames = min(frames, lasting) if frames else lasting
        if frames > room or after_event >= room > 0:
            wanted = f"{frames}" if frames > room else f"one and {after_event} after the stop event"
            raise CameraError(
                f"the camera's memory holds {room} frames of this size, not {wanted}: "
                "ask for fewer, or choose a smaller camera.roi"
            )
        memory.connect(vendor, segment)
        # Before the start, whose moment the reader takes for that of the first frame.
        copier = _copier(camera, readout, settings, notify)
        plan = MemoryPlan(
            segment,
            ring=settings.memory == "camram ring",
            frames=until.frames,
            duration_s=until.duration_s,
            after_event=after_event,
            triggered=not settings.runs_free,
        )
        vendor.rec.start_record()
        return MemoryReader(vendor, copier, plan, mark, wait=wait)


def _copier(
    camera: OpenCamera, readout: Readout, settings: PcoCameraSettings, notify: Callable[[str], None]
) -> FrameCopier:
    form = readout.format
    # Where the length of a pulse is the exposure, the exposure set is not the one of the frames.
    exposure_s = None if "control" in settings.trigger else exposure_of(camera)
    sync = ClockSync(notify, synchronized=settings.trigger == "external synchronized")
    return FrameCopier(
        camera.vendor,
        form.width,
        form.height,
        metadata=readout.metadata,
        exposure_s=exposure_s,
        sync=sync,
    )


def _fifo_depth(readout: Readout) -> int:
    rate = FIFO_S / readout.period_s if readout.period_s else math.inf
    return max(MIN_FIFO_FRAMES, int(min(rate, FIFO_BYTES / readout.format.nbytes)))
