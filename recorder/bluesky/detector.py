"""The detector: ophyd-async's StandardDetector on a running recorder, whose file the documents name."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

from bluesky.protocols import StreamAsset
from event_model import DataKey
from ophyd_async.core import (
    AsyncStatus,
    DetectorAcquireLogic,
    DetectorDataLogic,
    DetectorTriggerLogic,
    StandardDetector,
    StreamableDataProvider,
    StreamResourceDataProvider,
    StreamResourceInfo,
    TriggerInfo,
    WatchableAsyncStatus,
    WatcherUpdate,
)

import recorder
from recorder.bluesky.acquisition import Acquisition
from recorder.bluesky.door import Door
from recorder.storage.layout import DETECTOR

MIMETYPE = "application/x-hdf5"
DATASET = f"/{DETECTOR}/data"


class RecorderDetector(StandardDetector):
    """The camera of the recorder that listens at `where` (HOST:PORT) for those with its `token`.

    With camera.trigger = "software trigger" each event is a frame that is triggered for it, or several; else
    the camera runs by itself, or by pulses, and a fly scan has the frames from `kickoff` on. Where a frame
    of a scan is lost, `trigger` and `complete` fail, and no document tells of frames after it. The file is
    called `file_name`, "": as the recorder names it; it is seen from here in `folder`, None: where it is for
    the recorder. A frame that was triggered may take `patience_s`, its exposure included.
    """

    def __init__(
        self,
        where: str,
        token: str,
        *,
        name: str = "",
        file_name: str = "",
        folder: Path | None = None,
        patience_s: float = 5.0,
    ) -> None:
        self._acquisition = Acquisition(Door(where, token), folder, patience_s)
        self._frames = _Frames(self._acquisition)
        self._starting = _Starting(self._acquisition, file_name)
        self.add_detector_logics(_Triggering(self._starting), self._starting, self._frames)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def prepare(self, value: TriggerInfo) -> None:
        """Prepare for `value`, see StandardDetector."""
        self._frames.total = value.number_of_collections
        await super().prepare(value)

    @WatchableAsyncStatus.wrap
    async def trigger(self) -> AsyncIterator[WatcherUpdate[int]]:
        """Expose the frames of an event; fails where one of them is lost."""
        async for update in self._unless_lost(super().trigger()):
            yield update

    @WatchableAsyncStatus.wrap
    async def complete(self) -> AsyncIterator[WatcherUpdate[int]]:
        """Wait for the frames of a fly scan; fails where one of them is lost."""
        async for update in self._unless_lost(super().complete()):
            yield update

    async def _unless_lost(self, status: WatchableAsyncStatus[int]) -> AsyncIterator[WatcherUpdate[int]]:
        """Yield the progress of `status` to its end; raises at once what the acquisition fails of."""
        updates: asyncio.Queue[WatcherUpdate[int] | None] = asyncio.Queue()
        status.watch(cast(Any, lambda **update: updates.put_nowait(WatcherUpdate(**update))))
        status.task.add_done_callback(lambda _: updates.put_nowait(None))
        self._acquisition.on_failure = lambda: updates.put_nowait(None)
        try:
            while (update := await updates.get()) is not None:
                yield update
            self._acquisition.check()
            await status
        finally:
            status.task.cancel()


class _Triggering(DetectorTriggerLogic):
    """How many frames are exposed at a time; the recorder's own settings say how."""

    def __init__(self, starting: "_Starting") -> None:
        self._starting = starting

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        """Take `num` frames at a time."""
        if not num:
            raise ValueError("number_of_events = 0, a scan without an end, is not possible with a recorder")
        if livetime or deadtime:
            raise ValueError("the recorder's own camera.exposure and camera.rate hold; leave them out here")
        await self._starting.arm(num)

    async def default_trigger_info(self) -> TriggerInfo:
        """A frame for each event."""
        return TriggerInfo()


class _Starting(DetectorAcquireLogic):
    """When the recorder runs."""

    def __init__(self, acquisition: Acquisition, file_name: str) -> None:
        self._acquisition, self._file_name = acquisition, file_name
        self._frames = 1

    async def arm(self, frames: int) -> None:
        """Have the camera run; `frames` are to be taken at a time."""
        self._frames = frames
        await self._acquisition.arm()

    async def ensure_ready(self) -> None:
        """Refuse to take a recorder over that records."""
        await self._acquisition.require_idle()

    async def start_acquiring(self) -> None:
        """Have the frames from now on in the file."""
        await self._acquisition.begin(self._file_name, self._frames)

    async def wait_for_idle(self) -> None:
        """Wait for the frames."""
        await self._acquisition.wait()

    async def ensure_stopped(self) -> None:
        """Stop, and have the file closed."""
        await self._acquisition.stop()


class _Frames(DetectorDataLogic):
    """Where the frames are; `total` are taken of a camera that runs by itself."""

    def __init__(self, acquisition: Acquisition) -> None:
        self._acquisition = acquisition
        self.total = 0

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        """Return what tells of the frames of the file that will come."""
        return _Provider(self._acquisition, datakey_name, self.total)

    def get_hinted_fields(self, datakey_name: str) -> Sequence[str]:
        """The frames."""
        return [datakey_name]


class _Provider(StreamableDataProvider):
    """The documents about one file."""

    def __init__(self, acquisition: Acquisition, data_key: str, total: int) -> None:
        self.collections_written_signal = acquisition.written
        self._acquisition, self._data_key, self._total = acquisition, data_key, total
        self._told: StreamResourceDataProvider | None = None

    async def make_datakeys(self, collections_per_event: int) -> dict[str, DataKey]:
        """Describe the frames of an event."""
        figures = self._acquisition.figures
        assert figures.shape is not None
        key = DataKey(
            source=f"recorder://{self._acquisition.door.where}",
            shape=[collections_per_event, *figures.shape],
            dtype="array",
            dtype_numpy=figures.dtype,
            external="STREAM:",
        )
        return {self._data_key: key}

    async def make_stream_docs(
        self, collections_written: int, collections_per_event: int
    ) -> AsyncIterator[StreamAsset]:
        """Yield the documents about frames that no one before was about; raises what the scan failed of."""
        self._acquisition.check()
        if self._told is None:
            self._told = await self._telling()
        async for document in self._told.make_stream_docs(collections_written, collections_per_event):
            yield document

    async def _telling(self) -> StreamResourceDataProvider:
        path, shape = self._acquisition.path, self._acquisition.figures.shape
        assert path is not None
        assert shape is not None
        per_chunk = await asyncio.to_thread(_frames_per_chunk, path)
        # Frames that came until the recorder heard that these are enough are none of the scan's.
        only = {} if self._acquisition.triggers else {"slice": f":{self._total}"}
        info = StreamResourceInfo(
            data_key=self._data_key,
            shape=shape,
            chunk_shape=(per_chunk, *shape),
            dtype_numpy=self._acquisition.figures.dtype,
            parameters={"dataset": DATASET, "swmr": True, **only},
        )
        return StreamResourceDataProvider(
            uri=path.as_uri().replace("file:///", "file://localhost/", 1),
            resources=[info],
            mimetype=MIMETYPE,
            collections_written_signal=self.collections_written_signal,
        )


def _frames_per_chunk(path: Path) -> int:
    with recorder.open(path) as recording:
        return recording.contents[0].pixels.frames_per_chunk
