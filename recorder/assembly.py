"""The one place where names in the configuration become objects."""

import math
from datetime import UTC, datetime
from pathlib import Path

from recorder.camera.base import Camera, CameraDescription
from recorder.camera.link import Limits
from recorder.camera.playback import FrameSource, PlaybackCamera, TiffSource
from recorder.camera.simulated import SimulatedSensor
from recorder.config import Settings, SimulatedCamera
from recorder.errors import UsageError
from recorder.session import Session
from recorder.storage.dry_run import DryRun
from recorder.storage.layout import FileDescription
from recorder.storage.reader import RecordedSource, is_recording
from recorder.storage.recording import Recording
from recorder.storage.writer import FrameFile

# Names tried where two runs of the same name begin in the same second.
MAX_SAME_SECOND = 100


def build_session(settings: Settings, *, dry_run: bool) -> Session:
    """Return a session ready to run; raises UsageError for what cannot work, before anything is opened."""
    output = None if dry_run else output_path(settings)

    def make_file(camera: CameraDescription, frames_per_block: int) -> FrameFile:
        if output is None:
            return DryRun()
        what = describe(settings, camera, frames_per_block)
        return Recording(output, what, settings.storage.mode, settings.storage.reserve)

    return Session(
        camera=build_camera(settings),
        make_file=make_file,
        pool_bytes=settings.pool.memory,
        limits=Limits(settings.recording.frames, settings.recording.duration),
        camera_timeout_s=settings.camera.timeout,
        reserve=settings.storage.reserve,
    )


def build_camera(settings: Settings) -> Camera:
    """Return the camera of the settings, not opened yet."""
    camera = settings.camera
    if isinstance(camera, SimulatedCamera):
        return SimulatedSensor(camera)
    path = Path(camera.source)
    source: FrameSource = RecordedSource(path) if is_recording(path) else TiffSource(path)
    return PlaybackCamera(source, camera.rate, camera.loop, settings.recording.frames)


def output_path(settings: Settings) -> Path:
    """Return a file that does not exist: the one asked for, or a new one in the folder asked for.

    Raises UsageError where that cannot be. Making the file looks again: something may come between the two.
    """
    output = Path(settings.recording.output)
    if output.suffix == ".h5":
        if output.exists():
            raise UsageError(
                f"{output}: exists already, and nothing is ever overwritten; choose another name"
            )
        return output
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: not a folder, and not a file name that ends in .h5")
    stem = f"{settings.recording.name}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for number in range(1, MAX_SAME_SECOND):
        path = output / (f"{stem}.h5" if number == 1 else f"{stem}_{number}.h5")
        if not path.exists():
            break
    return path


def describe(settings: Settings, camera: CameraDescription, frames_per_chunk: int) -> FileDescription:
    """Return what the file tells of camera and settings."""
    details = {name: value for name, value in camera.details.items() if value not in ("", math.inf)}
    return FileDescription(
        title=settings.recording.title,
        format=camera.format,
        frames_per_chunk=frames_per_chunk,
        detector={"description": camera.model, "serial_number": camera.serial, **details},
        configuration=settings.to_toml(),
    )
