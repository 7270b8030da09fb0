"""Make cameras, files and sessions from settings: the one place that chooses their classes."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

from recorder.camera.base import Camera, CameraDescription, CameraEvent
from recorder.camera.pco.camera import PcoCamera
from recorder.camera.playback import FrameSource, PlaybackCamera, TiffSource
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.files.opening import is_recording
from recorder.files.recorded_source import RecordedSource
from recorder.frames.region_means import Box, box_in_frame, corner_of
from recorder.session.camera_noise import noise_ladder
from recorder.session.session import Session
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.capture_rules import check_pretrigger_given
from recorder.settings.model import Settings
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.storage.dry_run import DryRun
from recorder.storage.frame_file import FrameFile
from recorder.storage.layout import FileDescription
from recorder.storage.recording import Recording

log = logging.getLogger(__name__)


def build_session(settings: Settings, *, dry_run: bool) -> Session:
    """Return a session that is ready to start; call it on the thread of a running event loop.

    Raises UsageError for settings that cannot work; no camera is opened and no file made.
    """
    return Session(settings, make_camera, make_file, dry_run=dry_run)


def make_camera(
    settings: Settings,
    notify: Callable[[str], None] = log.warning,
    mark: Callable[[CameraEvent], None] | None = None,
) -> Camera:
    """Return the camera of the settings, not opened; for playback, the source is opened, which blocks.

    `notify` is called with what a real camera reports of its health, `mark` with the events that it saw, on
    any thread. Raises UsageError.
    """
    check_pretrigger_given(settings)
    camera, recording = settings.camera, settings.recording
    if isinstance(camera, SimulatedCameraSettings):
        return SimulatedCamera(camera)
    if isinstance(camera, PcoCameraSettings):
        return PcoCamera(camera, notify, recording.frames, recording.duration, mark=mark)
    path = Path(camera.source)
    source: FrameSource = RecordedSource(path) if is_recording(path) else TiffSource(path)
    return PlaybackCamera(source, camera.rate, camera.loop, recording.frames, recording.duration)


def make_file(
    settings: Settings, path: Path | None, camera: CameraDescription, frames_per_chunk: int
) -> FrameFile:
    """Make the file at `path`, or (None) one that only counts frames; blocks, called on the storage thread.

    Raises UsageError where the file exists, or settings and camera do not go together; StorageError where it
    cannot be made.
    """
    what = describe(settings, camera, frames_per_chunk)
    if path is None:
        return DryRun()
    if settings.analysis.regions and not what.regions:
        log.warning("analysis.regions = true, and there are none: region NAME X0 Y0 X1 Y1, then save new")
    storage = settings.storage
    return Recording(path, what, storage.mode, storage.reserve, limit=storage.limit)


def describe(settings: Settings, camera: CameraDescription, frames_per_chunk: int) -> FileDescription:
    """Return what the file says of camera and settings; raises UsageError where they do not go together."""
    details = {name: value for name, value in camera.details.items() if value not in ("", math.inf)}
    across, down = settings.pixel_on_sample(camera.pixel_m)
    return FileDescription(
        title=settings.recording.title,
        format=camera.format,
        frames_per_chunk=frames_per_chunk,
        detector={"description": camera.model, "serial_number": camera.serial, **details},
        configuration=settings.to_toml(),
        checksums=settings.storage.checksum,
        channels=tuple(settings.recording.channels),
        regions=_regions(settings, camera) if settings.analysis.regions else {},
        metadata=settings.metadata.values,
        pixel_um=(round(across * 1e6, 9), round(down * 1e6, 9)),
        magnification=settings.optics.magnification or 0.0,
        clock_unknown=camera.clock_unknown,
        is_packed=settings.storage.compression != "none",
        ladder=noise_ladder(settings.storage, camera),
    )


def _regions(settings: Settings, camera: CameraDescription) -> dict[str, Box]:
    """Return the regions in pixels of the camera's frames; in the settings they are those of the sensor."""
    form = camera.format
    size, corner = (form.width, form.height), corner_of(camera.details)
    return {name: box_in_frame(box, corner, size) for name, box in settings.preview.regions.items()}
