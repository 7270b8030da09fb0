"""Read out images that the camera's memory holds from a recording before, whoever made it.

Opening a camera resets its settings and arms it, which leaves the images alone; a segment keeps their size
and region (PCO_GetSegmentImageSettings). Only recording, and dividing the memory anew, erase them. Called on
the camera thread; errors of the vendor's package are raised unchanged where nothing else is said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from recorder.camera.pco.errors import translated
from recorder.camera.pco.frame_copier import CopiedFrame, FrameCopier, UncountedFrameError
from recorder.camera.pco.memory import connect, images_in
from recorder.camera.pco.memory_reader import MemoryPlan, MemoryReader
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.refusal import refuse
from recorder.camera.pco.setup import Readout
from recorder.errors import CameraError
from recorder.frames.metadata import NUMBERS_BEGIN
from recorder.frames.pool import FrameFormat
from recorder.settings.pco_camera import PcoCameraSettings

# What a camera tells of itself, which is so for stored images too; the other details are of this moment.
_LASTING = (
    "sensor_width", "sensor_height", "bit_resolution", "camera_type", "interface", "firmware", "software",
    "color_pattern", "ram_segment_sizes", NUMBERS_BEGIN,
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """The images in a segment: their size, region and binning need not be those that are set now."""

    segment: int
    images: int
    width: int
    height: int
    roi: tuple[int, int, int, int]
    binning: str


def stored(camera: OpenCamera, settings: PcoCameraSettings) -> Stored:
    """Return what the segment of the settings holds, or the active one; changes nothing in the camera.

    Raises ConfigurationError where the camera has no memory, CameraError where the segment is empty.
    """
    if not camera.has_memory:
        refuse("memory", settings.memory, "this camera has no memory of its own; it must be fifo")
    segment = settings.segment or int(camera.vendor.camram_segment)
    sizes = camera.sdk.get_storage_struct()["segment sizes"]
    held = {n: images_in(camera, n) for n, size in enumerate(sizes, 1) if size}
    if not held.get(segment):
        others = ", ".join(f"segment {n} holds {images}" for n, images in held.items() if images)
        raise CameraError(
            f"segment {segment} of the camera's memory holds no images; {others or 'the others hold none'}"
        )
    of = camera.sdk.get_segment_image_settings(segment)
    return Stored(
        segment,
        held[segment],
        of["width"],
        of["height"],
        (of["roi x0"], of["roi y0"], of["roi x1"], of["roi y1"]),
        f"{of['binning horz']}x{of['binning vert']}",
    )


def details_of_stored(known: Mapping[str, str | int | float], images: Stored) -> dict[str, str | int | float]:
    """Return those of the camera's details that are so for images recorded earlier, and the images' own."""
    lasting = {name: known[name] for name in _LASTING if name in known}
    roi = ",".join(map(str, images.roi))
    return {**lasting, "roi": roi, "binning": images.binning, "ram_segment": images.segment}


def stored_readout(camera: OpenCamera, images: Stored) -> Readout:
    """Return the frames that the images are read out as."""
    dtype = np.uint8 if camera.bits == 8 else np.uint16
    form = FrameFormat(images.height, images.width, np.dtype(dtype))
    return Readout(form, 0.0, metadata=True, roi=images.roi)


def read_stored(
    camera: OpenCamera,
    readout: Readout,
    settings: PcoCameraSettings,
    frames: int | None,
    notify: Callable[[str], None],
    wait: Callable[[float], object],
) -> MemoryReader:
    """Return a reader of the images, of the first `frames` at most; nothing is recorded.

    `notify` is called with when they were recorded, by the camera's clock. Raises CameraError, also where the
    images have neither metadata nor a binary timestamp.
    """
    vendor, form = camera.vendor, readout.format
    with translated("reading the camera's memory"):
        segment = settings.segment or vendor.camram_segment
        camera.sdk.set_storage_mode("recorder")
        connect(vendor, segment)
        slot = np.empty((form.height, form.width), form.dtype)
        for metadata in (True, False):
            try:
                first = FrameCopier(vendor, form.width, form.height, metadata=metadata).copy(0, slot)
            except UncountedFrameError:
                continue
            # The file's own start is that of the readout.
            notify(
                f"these frames were recorded before this run, into segment {segment} of the camera's memory; "
                f"by its clock the first began {_moment(first)}"
            )
            copier = FrameCopier(vendor, form.width, form.height, metadata=metadata)
            plan = MemoryPlan(segment, frames=frames, stored=True)
            return MemoryReader(vendor, copier, plan, wait=wait)
    raise CameraError(
        "the images in the camera's memory have neither metadata nor a binary timestamp, so that nobody "
        "could tell which are missing: read them out with Camware, and leave the camera on until then"
    )


def _moment(frame: CopiedFrame | None) -> str:
    """Return the time of a frame by the camera's clock, as text."""
    if frame is None:
        return "at an unknown time"
    return f"at {datetime.fromtimestamp(frame.camera_time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}"
