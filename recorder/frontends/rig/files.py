"""Where the files of a rig go, and the one that has them all: NAME.rig.h5."""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recorder.errors import RecorderError, UsageError
from recorder.frontends.rig.rig import Rig
from recorder.settings import rig as settings
from recorder.storage import rig_file
from recorder.storage.layout import JOURNAL_SUFFIX
from recorder.storage.records import Verdict
from recorder.storage.rig_file import RIG_SUFFIX, RigContents

log = logging.getLogger(__name__)

# Names tried where several rigs begin in the same second.
MAX_SAME_SECOND = 1000

# Where its file is taken from another program's hands, as on Windows, it is tried again after so long.
AGAIN_S = 2.0


@dataclass(frozen=True)
class RigPaths:
    """New names: of the rig's own file, and of each camera's first one, by its name."""

    rig: Path
    cameras: Mapping[str, Path]

    @property
    def taken(self) -> Path | None:
        """What stands already under one of the names."""
        files = (
            self.rig,
            *self.cameras.values(),
            *(f.with_suffix(JOURNAL_SUFFIX) for f in self.cameras.values()),
        )
        return next((path for path in files if path.exists()), None)


def new_paths(rig: settings.Rig, output: str | None) -> RigPaths:
    """Return names that no file has; `output` is a folder, or the name NAME.h5 or NAME.rig.h5, None: as set.

    Raises UsageError where a name is taken, or is none.
    """
    paths = _new_paths(rig, output)
    for path in (paths.rig, *paths.cameras.values()):
        there = next((folder for folder in path.parents if folder.exists()), None)
        if there is not None and not there.is_dir():
            raise UsageError(f"{there}: not a folder, and {path.name} is to be in it")
    return paths


def _new_paths(rig: settings.Rig, output: str | None) -> RigPaths:
    if output is not None and output.endswith(".h5"):
        path = Path(output)
        paths = _paths(rig, path.parent, path.name.removesuffix(".h5").removesuffix(".rig"))
        if paths.taken is not None:
            raise UsageError(
                f"{paths.taken}: exists already, and nothing is ever overwritten; choose another name"
            )
        return paths
    if (
        output is not None
        and Path(output).suffix
        and not output.endswith(("/", os.sep))
        and not Path(output).is_dir()
    ):
        raise UsageError(
            f"{output}: write a folder's name, with / at its end where it is new, or NAME{RIG_SUFFIX}"
        )
    folder = output if output is not None else rig.common.output
    stem = f"{rig.common.name}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for number in range(1, MAX_SAME_SECOND):
        paths = _paths(
            rig, None if folder is None else Path(folder), stem if number == 1 else f"{stem}-{number}"
        )
        if paths.taken is None:
            break
    return paths


def _paths(rig: settings.Rig, folder: Path | None, stem: str) -> RigPaths:
    """Return the names that begin with `stem`, in `folder` where a camera has none of its own."""
    cameras = {
        camera.name: Path(camera.section.output or folder or camera.folder) / f"{stem}_{camera.name}.h5"
        for camera in rig.cameras
    }
    own = folder or next(iter(cameras.values())).parent
    return RigPaths(own / f"{stem}{RIG_SUFFIX}", cameras)


class RigFileKeeper:
    """Keeps NAME.rig.h5 up to what the cameras have told; on the event loop's thread.

    It is made with the first file of a camera. Where it cannot be written that is logged once, and it is
    tried again: the recordings do not depend on it.
    """

    def __init__(self, path: Path, settings_text: str, rig: Rig) -> None:
        self.path = path
        self._text, self._rig = settings_text, rig
        self._written: RigContents | None = None
        self._changed = asyncio.Event()
        self._is_in_trouble = False
        self._task = asyncio.create_task(self._keep())

    @property
    def is_there(self) -> bool:
        """Whether the file was made."""
        return self._written is not None

    def note_change(self) -> None:
        """Look soon whether there is something new to be said."""
        self._changed.set()

    async def close(self) -> None:
        """Write how all ended."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._write(self._contents(is_over=True))

    async def _keep(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await self._write(self._contents(is_over=False)):
                await asyncio.sleep(AGAIN_S)
                self._changed.set()

    async def _write(self, contents: RigContents) -> bool:
        """Write the contents where they are new and there is a file; False where that failed."""
        if contents == self._written or not any(contents.files.values()):
            return True
        write = rig_file.update if self.is_there else rig_file.create
        # One that is cancelled is written all the same, before the next.
        writing = asyncio.ensure_future(asyncio.to_thread(write, self.path, contents))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            if writing.exception() is None:
                self._written = contents
            raise
        except RecorderError as error:
            if not self._is_in_trouble:
                log.error("%s; the recordings go on", error)  # noqa: TRY400 - one line
            self._is_in_trouble = True
            return False
        self._written = contents
        return True

    def _contents(self, *, is_over: bool) -> RigContents:
        rig = self._rig
        ends = {name: verdict_of(rig, name, is_over=is_over) for name in rig.cameras}
        verdict = max((Verdict(word) for word, _ in ends.values()), key=lambda one: one.severity)
        return RigContents(
            {name: [path.absolute() for path in camera.files] for name, camera in rig.cameras.items()},
            ends,
            verdict if is_over else Verdict.RECORDING,
            rig.master,
            self._text,
        )


def verdict_of(rig: Rig, name: str, *, is_over: bool) -> tuple[str, str]:
    """Return how a camera's recordings ended, with the cause; "recording" while that is not known."""
    camera = rig.cameras[name]
    if camera.died:
        return Verdict.FAILED, camera.died
    if camera.summary is not None:
        return camera.summary.verdict, camera.summary.cause
    return (Verdict.FAILED, "its process was ended") if is_over else (Verdict.RECORDING, "")
