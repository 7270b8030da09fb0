"""The camera's own memory (CamRAM): its segments, the record stop event, and images that it holds already.

Called on the camera thread; each call to the camera blocks for a telegram or more. Where nothing else is
said, errors of the vendor's package are raised unchanged, for `errors.translated`.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recorder.camera.pco.memory_limits import EXTENDED_ACQUIRE, RECORD_STOP
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.refusal import refuse
from recorder.frames.metadata import NUMBERS_BEGIN
from recorder.settings.pco_camera import PcoCameraSettings

log = logging.getLogger(__name__)

# Sizes that differ by less than this, in percent of the memory, are the camera's rounding to whole pages.
SAME_SHARE = 0.5

# PCO_SetAcquireControl (sc2_SDKStructures.h): a pulse in place of the one at the input, which starts a
# sequence; and back to the input.
_ACQUIRE_TRIGGER = 0x8
_ACQUIRE_EXTERNAL = 0x1

# What this program has taken out of a camera's memory: the number of images, by serial number and segment.
_read_out: dict[tuple[int, int], int] = {}


def check_room(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Raise ConfigurationError where the segment to record into has no room; asks only if one is set."""
    if settings.segment is None and settings.segments is None:
        return
    sizes: Sequence[float] = settings.segments or camera.sdk.get_storage_struct()["segment sizes"]
    segment = settings.segment or camera.vendor.camram_segment
    if not sizes[segment - 1]:
        room = ", ".join(str(number) for number, size in enumerate(sizes, 1) if size)
        refuse("segment", segment, f"this segment has no room; those with room: {room or 'none'}")


def prepare(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Divide the memory, choose the segment, and set how recording into it stops.

    Dividing it anew erases all segments (PCO_SetCameraRamSegmentSize); sizes that are as asked for stay.
    """
    sdk = camera.sdk
    if camera.has_memory:
        if settings.segments is not None:
            _divide(camera, settings.segments)
        if settings.segment is not None and settings.segment != camera.vendor.camram_segment:
            sdk.set_active_ram_segment(settings.segment)
    if settings.memory == "fifo":
        # A camera with a memory then delivers all frames in order, instead of the latest only.
        try:
            sdk.set_storage_mode("fifo")
        except ValueError as error:
            if camera.has_memory:
                log.warning("the camera does not take its FIFO mode, and may skip frames: %s", error)
    else:
        sdk.set_storage_mode("recorder")
        sdk.set_recorder_submode("ring buffer" if settings.memory == "camram ring" else "sequence")
    if camera.has_memory and camera.has(RECORD_STOP):
        event = "extern" if settings.record_stop == "external" else settings.record_stop
        sdk.set_record_stop_event(event, settings.frames_after_event or 0)


def _divide(camera: OpenCamera, shares: tuple[float, ...]) -> None:
    storage = camera.sdk.get_storage_struct()
    pages, sizes = storage["ram size"], storage["segment sizes"]
    if all(
        abs(size * 100 / max(1, pages) - share) < SAME_SHARE
        for size, share in zip(sizes, shares, strict=True)
    ):
        return
    held = [
        f"{images} images in segment {segment}"
        for segment in range(1, 5)
        if sizes[segment - 1] and (images := images_in(camera, segment))
    ]
    if held:
        log.warning(
            "camera.segments: dividing the camera's memory anew erases all its segments: %s are lost",
            " and ".join(held),
        )
    camera.sdk.set_camera_ram_segment_size([int(share * pages / 100) for share in shares])


def set_acquire(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Set the acquire mode, with the frames of a triggered sequence where this camera has that."""
    if camera.has(EXTENDED_ACQUIRE):
        camera.sdk.set_acquire_mode_ex(settings.acquire, settings.frames_per_trigger or 0)
    else:
        camera.sdk.set_acquire_mode(settings.acquire)


def connect(vendor: Any, segment: int) -> None:  # noqa: ANN401 - a pco.Camera
    """Make the SDK's recorder for a segment, in place of the one there is; it arms the camera.

    As pco.Camera.record does it, but for single images: its sequential way fetches the next image into the
    buffer that it is copying from, so that a thread held up while it copies gets a mixture of two.
    """
    delete_recorder(vendor)
    most = vendor.rec.create("camram")["maximum available images"]
    vendor.rec.init(most, "camram single image", None, segment)


def delete_recorder(vendor: Any) -> None:  # noqa: ANN401
    """Delete the SDK's recorder, and with it the memory of the FIFO, where there is one."""
    if vendor.rec.recorder_handle.value is not None:
        with contextlib.suppress(ValueError):
            vendor.rec.stop_record()
        vendor.rec.delete()


def start_sequence(sdk: Any) -> None:  # noqa: ANN401 - a pco.sdk.Sdk
    """Start a sequence by software, as a pulse at the acquire input would; the input goes on to be heard."""
    before = sdk.get_acquire_control()["acquire control flags"]
    sdk.set_acquire_control(_ACQUIRE_TRIGGER)
    now = sdk.get_acquire_control()["acquire control flags"]
    if before & _ACQUIRE_EXTERNAL and not now & _ACQUIRE_EXTERNAL:
        sdk.set_acquire_control(_ACQUIRE_EXTERNAL)


def images_in(camera: OpenCamera, segment: int) -> int:
    """Return how many images a segment holds."""
    return int(camera.sdk.get_number_of_images_in_segment(segment)["images in segment"])


def details(camera: OpenCamera) -> dict[str, str | int | float]:
    """Return how memory and sequences are set, by their names in the file; sizes in percent of the memory.

    What a model does not have or tell is left out. Raises no errors of the SDK.
    """
    known: dict[str, str | int | float] = {}
    if camera.settings.memory in {"camram ring", "camram read"}:
        known[NUMBERS_BEGIN] = "first frame kept"
    else:
        known[NUMBERS_BEGIN] = "counter of the camera, made to begin at 1"
    for has_it, ask in (
        (camera.has_memory, _segment_details),
        (camera.has_memory and camera.has(RECORD_STOP), _stop_details),
        (camera.has(EXTENDED_ACQUIRE), _acquire_details),
    ):
        if has_it:
            with contextlib.suppress(ValueError, LookupError, ArithmeticError):
                known |= ask(camera)
    return known


def _segment_details(camera: OpenCamera) -> Mapping[str, str | int]:
    storage = camera.sdk.get_storage_struct()
    shares = (f"{size * 100 / storage['ram size']:.3g}" for size in storage["segment sizes"])
    return {"ram_segment": int(camera.vendor.camram_segment), "ram_segment_sizes": ",".join(shares)}


def _stop_details(camera: OpenCamera) -> Mapping[str, str | int]:
    event = camera.sdk.get_record_stop_event()
    # With two blanks in the package.
    return {
        "record_stop_event": event["record stop event  mode"],
        "frames_after_event": event["record stop delay images"],
    }


def _acquire_details(camera: OpenCamera) -> Mapping[str, str | int]:
    acquire = camera.sdk.get_acquire_mode_ex()
    mode = {"acquire_mode": acquire["acquire mode ex"]}
    if mode["acquire_mode"] == "sequence trigger":
        return mode | {"frames_per_trigger": acquire["number of images"]}
    return mode


def tell_of_images(camera: OpenCamera, tell: Callable[[str], None]) -> None:
    """Tell of images that a recording which begins now overwrites, unless this program has read them out."""
    segment = camera.vendor.camram_segment
    images = images_in(camera, segment)
    if images and _read_out.get((camera.vendor.camera_serial, segment)) != images:
        tell(
            f"the camera's memory still holds {images} images in segment {segment}, which this recording "
            'overwrites; memory = "camram read" would have read them out'
        )


def note_read_out(camera: OpenCamera) -> None:
    """Remember that the images that the active segment holds now have been read out; asks the camera."""
    segment = camera.vendor.camram_segment
    _read_out[camera.vendor.camera_serial, segment] = images_in(camera, segment)
