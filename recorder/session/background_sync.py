"""Bring files to the disk beside the recording, so that a power cut takes no more than the last moments."""

import asyncio
import logging
import math
from collections.abc import Callable

from recorder.errors import StorageError
from recorder.session.disk_thread import DiskThread
from recorder.storage.frame_file import FrameFile

log = logging.getLogger(__name__)

# How often a file is looked for in its place where it is never synced.
LOOK_S = 1.0


class BackgroundSync:
    """Sync the file that grows every `every_s` seconds (inf: never) while anything in it is not on the disk.

    Used on the event loop's thread; the disk is waited for on a thread of its own. `on_problem` is called
    with a file's failed sync, and with what became of a file that is no longer in its place.
    """

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        if math.isinf(every_s):
            log.warning('storage.durable_every = "never": a power cut may take half a minute, or the file')
        self.longest_s = 0.0
        self.on_problem: Callable[[FrameFile, StorageError], object] = lambda _file, _error: None
        self.thread = DiskThread("sync")  # where the disk is waited for
        self._task: asyncio.Future[None] | None = None
        self._unsynced: FrameFile | None = None
        self._synced_s = -math.inf

    def soon(self, file: FrameFile) -> None:
        """Have `file` synced when it is time to; of two files in that time, the last one."""
        self._unsynced = file if file.path is not None else None
        if self._unsynced is not None and self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def now(self, file: FrameFile) -> None:
        """Return once all that was written to `file` is on the disk; raises StorageError."""
        await self.thread.call("bringing frames to the disk", file.sync)

    async def pause(self) -> None:
        """Leave the file to whoever closes it; a sync under way is waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        period_s = LOOK_S if math.isinf(self.every_s) else self.every_s
        try:
            while self._unsynced is not None:
                await asyncio.sleep(max(0.0, self._synced_s + period_s - loop.time()))
                file, self._unsynced = self._unsynced, None
                if file is None:
                    # Meanwhile frames went on without a file.
                    break
                self._synced_s = loop.time()
                try:
                    await self.thread.call("looking for the file", file.look_where_it_is)
                    if not math.isinf(self.every_s):
                        await self.thread.call("bringing frames to the disk", file.sync)
                except StorageError as error:
                    self.on_problem(file, error)
                self.longest_s = max(self.longest_s, loop.time() - self._synced_s)
        finally:
            self._task = None
