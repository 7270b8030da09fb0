"""The parts of a run, made together once its camera is open, and how they come to an end."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Self

from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.acquisition_result import AcquisitionResult, StopCondition
from recorder.camera.base import Camera, CameraDescription
from recorder.errors import CameraError
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import Channel, SpanQueue
from recorder.frames.ledger import Cause
from recorder.frames.pool import WRITER, Pool
from recorder.frames.threads import processors
from recorder.session.compressors import PackingChannel
from recorder.session.file_sequence import FileSequence
from recorder.session.writer import Writer
from recorder.settings.model import StorageSettings
from recorder.storage.noise_ladder import SHOT_NOISE

log = logging.getLogger(__name__)

# How long an aborted run waits for a camera library or a disk that does not return; the SDK of a PCO camera
# takes 4 s to stop where no frame comes.
ABORT_GRACE_S = 8.0


async def close_camera(camera_thread: Executor, camera: Camera) -> None:
    """Close a camera, whatever its library then says; one that does not return is left behind."""
    try:
        async with asyncio.timeout(ABORT_GRACE_S):
            await asyncio.wrap_future(camera_thread.submit(camera.close))
    except Exception as error:  # whatever a library raises, the recording is over and told
        log.warning("the camera could not be closed: %s", error or "its library does not return")


@dataclass
class RunParts:
    """What a run works with from its opened camera on; `description` follows live exposures."""

    description: CameraDescription
    frames_per_block: int
    pool: Pool
    broadcaster: Broadcaster
    acquisition: AcquisitionThread
    writer: Writer
    intake: SpanQueue  # what frames come to first: the writer's channel, or a ring before it

    @staticmethod
    def channel(settings: StorageSettings, files: FileSequence, block_bytes: int) -> Channel | PackingChannel:
        """Return the writer's channel, which packs blocks where the settings say so; on the loop's thread."""
        if settings.compression == "none":
            return Channel(WRITER)
        return PackingChannel(
            WRITER,
            lambda index: files[index].file,
            settings.compressors or len(processors()),
            block_bytes,
            moves_values=settings.compression == SHOT_NOISE,
        )

    @classmethod
    def of(
        cls,
        camera: Camera,
        description: CameraDescription,
        pool: Pool,
        frames_per_block: int,
        writer: Writer,
        intake: SpanQueue,
        timeout_s: float,
    ) -> Self:
        """Connect an opened camera, silent for `timeout_s` at most, to the writer; on the loop's thread."""
        broadcaster = Broadcaster(asyncio.get_running_loop())
        broadcaster.connect(intake)
        # A slow camera's frames are a period apart without being late.
        silent_s = timeout_s + 1 / description.rate
        acquisition = AcquisitionThread(camera, pool, broadcaster, silent_s, writer.files.current_index)
        return cls(description, frames_per_block, pool, broadcaster, acquisition, writer, intake)

    async def acquire(
        self, camera_thread: Executor, until: StopCondition, aborted: asyncio.Event
    ) -> AcquisitionResult:
        """Have the camera thread read until it is done; return how that ended.

        A library that does not return after `aborted` is left behind on its thread.
        """
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(camera_thread, self.acquisition.run, until)
        aborting = asyncio.ensure_future(aborted.wait())
        either: list[asyncio.Future[Any]] = [reading, aborting]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            aborting.cancel()
            if not reading.done():
                self.acquisition.abort()
                await asyncio.wait([reading], timeout=ABORT_GRACE_S)
        if reading.done():
            return reading.result()
        hung = CameraError("the camera's library does not return: switch the camera off and on again")
        return AcquisitionResult(None, Cause.COUNTER_GAP, hung)

    def end_of_frames(self) -> None:
        """Deliver what was published; nothing more will come."""
        self.broadcaster.deliver()
        self.intake.close()
