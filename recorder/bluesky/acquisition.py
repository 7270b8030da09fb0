"""What a detector has a recorder do, from `stage` to `unstage`: one run of the camera, and one file of it."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from ophyd_async.core import soft_signal_r_and_setter

from recorder.bluesky.door import Door, Figures
from recorder.errors import RecorderError

# How often the recorder is asked how many frames are written.
POLL_S = 0.02

_SAVING = re.compile(r"saving (?P<path>.+?)(?: from the next start on)?")


class LostFramesError(RecorderError):
    """Frames are missing among those of a scan: its events would have the pixels of others."""


class Acquisition:
    """Run the camera of the recorder at `door`, and count the frames that are in the file.

    `folder` is where its files are seen from here, None: where they are there. A frame that was triggered may
    take `patience_s`, its exposure included. `triggers` says whether each frame wants a trigger of ours,
    `written` is a signal with the frames that events may have; `on_failure` is called as soon as they will
    not come, `check` then raises why.
    """

    def __init__(self, door: Door, folder: Path | None, patience_s: float) -> None:
        self.door, self._folder, self._patience_s = door, folder, patience_s
        self.written, self._set_written = soft_signal_r_and_setter(int, 0)
        self.on_failure: Callable[[], object] = lambda: None
        self._error: Exception | None = None
        self.figures = Figures("idle")
        self.path: Path | None = None
        self.wanted = 0  # frames that were asked for, in all
        self._lost_before = 0  # what the run had lost before the file began
        self.triggers = False
        self._is_ours = False  # the run
        self._task: asyncio.Task[None] | None = None

    async def require_idle(self) -> None:
        """Raise RecorderError where a run is under way that somebody else began."""
        await self.stop()
        if (await self.door.figures()).is_running:
            raise RecorderError(
                f"{self.door.where}: it is recording already; stop it there first, a scan starts it itself"
            )

    async def arm(self) -> None:
        """Open the camera and start it, nothing of it being saved yet; once for each `stage`."""
        if self._is_ours:
            return
        mode = (await self.door.ask("set camera.trigger")).rpartition(" = ")[2]
        self.triggers = "software" in mode
        self.path, self.wanted, self._error = None, 0, None
        self._set_written(0)
        await self.door.ask("save off")
        self._is_ours = True
        await self.door.ask("start")
        self.figures = await self.door.figures()
        if self.figures.shape is None:
            raise RecorderError(
                f"{self.door.where}: it has started, and does not tell the size of its frames"
            )

    async def begin(self, name: str, frames: int) -> None:
        """Have so many frames more in the file, which is called `name`; `written` counts them, `wait` waits.

        Of a camera that runs by itself only once. Raises RecorderError.
        """
        self.check()
        if self.path is None:
            self._lost_before = (await self.door.figures()).lost
            answer = await self.door.ask(f'save new "{name}"' if name else "save new")
            self.path = await asyncio.to_thread(self._seen_here, answer)
        elif not self.triggers:
            raise RecorderError(
                f'{self.door.where}: events of a step scan want camera.trigger = "software trigger" there; '
                "a camera that runs by itself is for one event, or one fly scan, after each stage"
            )
        self._task = asyncio.create_task(self._acquire(frames))

    def _seen_here(self, answer: str) -> Path:
        """Return the file that `save new` answers with; raises RecorderError where it is not seen here."""
        found = _SAVING.fullmatch(answer)
        if found is None:
            raise RecorderError(f'{self.door.where}: it answers "{answer}" to save new')
        path = Path(found["path"])
        if self._folder is None and not path.is_absolute():
            raise RecorderError(
                f"{self.door.where}: it saves into {path}, a path from where it was started; give it a whole "
                "one as recording.output, or say folder=Path(...), where its files are seen from here"
            )
        path = path if self._folder is None else self._folder.absolute() / path.name
        if not path.is_file():
            raise RecorderError(
                f"{self.door.where}: it saves {found['path']}, and there is no {path} here; "
                "folder=Path(...) says where its files are seen from here"
            )
        return path

    async def _acquire(self, frames: int) -> None:
        try:
            if self.triggers:
                for _ in range(frames):
                    self.wanted += 1
                    await self.door.ask("trigger")
                    async with asyncio.timeout(self._patience_s):
                        await self._written_all()
            else:
                self.wanted += frames
                await self._written_all()
                await self.door.ask("save off")
        except TimeoutError:
            problem = (
                f"the frame of trigger {self.wanted} did not come within {self._patience_s:g} s: it is lost"
            )
            self._fail(LostFramesError(f"{self.door.where}: {problem}"))
        except (RecorderError, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.on_failure()

    async def _written_all(self) -> None:
        """Wait until all frames that are wanted are in the file; raises RecorderError where one is lost."""
        while True:
            now = await self.door.figures()
            # Before frames after the gap are counted.
            if now.lost > self._lost_before:
                raise LostFramesError(await asyncio.to_thread(self._lost_text, now))
            self.figures = now
            self._set_written(min(now.written, self.wanted))
            if now.written >= self.wanted:
                return
            if not now.is_running:
                raise RecorderError(f"{self.door.where}: the run ended after {now.written} frames")
            await asyncio.sleep(POLL_S)

    def _lost_text(self, now: Figures) -> str:
        """Return which frames are missing, as the file says; blocks."""
        import recorder  # noqa: PLC0415 - its `open`, which brings more than a detector needs

        where = ""
        with contextlib.suppress(RecorderError, OSError):
            assert self.path is not None
            with recorder.open(self.path) as recording:
                rows = [(row["first_missing"], row["count"], row["cause"]) for row in recording.losses]
            told = ", ".join(
                f"counter {first} to {first + count - 1} ({cause})" for first, count, cause in rows
            )
            where = f": {told}" if told else ""
        return f"{self.door.where}: {now.lost - self._lost_before} frames of the scan are lost{where}"

    def check(self) -> None:
        """Raise what the acquisition failed of."""
        if self._error is not None:
            raise self._error

    async def wait(self) -> None:
        """Wait until the frames that were begun are in the file; raises what went wrong."""
        if self._task is not None:
            await self._task
        self.check()

    async def stop(self) -> None:
        """End the run, if it is ours, and leave the recorder as one finds it; a second time does nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._is_ours:
            self._is_ours = False
            if (await self.door.figures()).is_running:
                await self.door.ask("stop")
            # Whoever starts it next at its console means to save.
            await self.door.ask("save on")
        await self.door.close()
