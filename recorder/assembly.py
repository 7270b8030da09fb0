"""The one place where names in the configuration become objects."""

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from recorder.camera.acquisition_result import Limits
from recorder.camera.base import Camera, CameraDescription
from recorder.camera.pco.camera import PcoDevice
from recorder.camera.playback import FrameSource, PlaybackCamera, TiffSource
from recorder.camera.simulated.camera import SimulatedSensor
from recorder.errors import UsageError
from recorder.files.reader import RecordedSource, is_recording
from recorder.session.run import MakeFile, Run
from recorder.session.session import Session
from recorder.session.writer import FrameFile
from recorder.settings.cameras import PcoCamera, SimulatedCamera
from recorder.settings.model import Settings
from recorder.storage.dry_run import DryRun
from recorder.storage.layout import JOURNAL_SUFFIX, FileDescription
from recorder.storage.recording import Recording

log = logging.getLogger(__name__)

# Suffixes that are meant as ours.
NEARLY_H5 = {".h5", ".hdf5", ".hdf", ".he5"}

# Names tried where several files of the same name begin in the same second.
MAX_SAME_SECOND = 1000


class Workshop:
    """Makes the parts of a run; raises UsageError for what cannot work, before anything is opened."""

    def camera(self, settings: Settings, tell: Callable[[str], None] = log.warning) -> Camera:
        """Return the camera of the settings, not opened; `tell` hears what it says of its health."""
        camera, limits = settings.camera, settings.recording
        if isinstance(camera, SimulatedCamera):
            return SimulatedSensor(camera)
        if isinstance(camera, PcoCamera):
            return PcoDevice(camera, tell, limits.frames, limits.duration)
        path = Path(camera.source)
        source: FrameSource = RecordedSource(path) if is_recording(path) else TiffSource(path)
        return PlaybackCamera(source, camera.rate, camera.loop, limits.frames, limits.duration)

    def path(self, settings: Settings, name: str | None = None, *, first: bool = False) -> Path:
        """Return a file that does not exist, called `name` where one is given.

        The first one is what `recording.output` asks for: that file, or a new one in that folder. The next
        ones stand beside it. Making the file looks again: something may come between the two.
        """
        try:
            return self._path(Path(settings.recording.output), settings.recording.name, name, first=first)
        except OSError as error:
            raise UsageError(f"{settings.recording.output}: cannot be used: {error.strerror}") from None

    @staticmethod
    def _path(output: Path, recording: str, name: str | None, *, first: bool) -> Path:
        is_file = output.suffix == ".h5"
        if output.suffix.lower() in NEARLY_H5 and not is_file and not output.is_dir():
            raise UsageError(f"{output}: write a file name that ends in .h5, or the name of a folder")
        if first and is_file:
            if output.exists():
                raise UsageError(
                    f"{output}: exists already, and nothing is ever overwritten; choose another name"
                )
            return output
        if not is_file and output.exists() and not output.is_dir():
            raise UsageError(f"{output}: not a folder, and not a file name that ends in .h5")
        if name is not None and (Path(name).name != name or name.startswith(".")):
            raise UsageError(f"{name}: write a name without folders")
        folder = output.parent if is_file else output
        stem = output.stem if is_file else f"{recording}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        if name is not None:
            stem = name.removesuffix(".h5")
            if (folder / f"{stem}.h5").exists():
                raise UsageError(f"{folder / stem}.h5: exists already, and nothing is ever overwritten")
        for number in range(1, MAX_SAME_SECOND):
            path = folder / (f"{stem}.h5" if number == 1 else f"{stem}_{number}.h5")
            if not path.exists() and not path.with_suffix(JOURNAL_SUFFIX).exists():
                break
        return path

    def file(self, settings: Settings, path: Path | None) -> MakeFile:
        """Return what makes the file at `path`, or (None) what counts frames only."""

        def make(camera: CameraDescription, frames_per_chunk: int) -> FrameFile:
            if path is None:
                return DryRun()
            what = describe(settings, camera, frames_per_chunk)
            return Recording(path, what, settings.storage.mode, settings.storage.reserve)

        return make

    def run(self, settings: Settings, camera: Camera, make_file: MakeFile) -> Run:
        """Return a run, not begun."""
        return Run(
            camera=camera,
            make_file=make_file,
            pool_bytes=settings.pool.memory,
            limits=Limits(settings.recording.frames, settings.recording.duration),
            camera_timeout_s=settings.camera.patience_s,
            reserve=settings.storage.reserve,
        )


def build_session(settings: Settings, *, dry_run: bool) -> Session:
    """Return a session ready to start; raises UsageError for what cannot work, before anything is opened."""
    return Session(settings, Workshop(), dry_run=dry_run)


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
