"""Room on the disk: for what a run wants, and for what is on its way."""

import logging
import math
import time

from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.acquisition_result import StopCondition
from recorder.camera.base import CameraDescription
from recorder.frames.pool import Pool
from recorder.storage.frame_file import FrameFile

log = logging.getLogger(__name__)

# How often a run looks.
WATCH_S = 0.1


def warn_of_little_room(
    until: StopCondition, description: CameraDescription, file: FrameFile, reserve: int
) -> None:
    """Say before the first frame where the disk has less room than the run will want."""
    frames = until.frames
    if frames is None and until.duration_s is not None and not math.isinf(description.rate):
        frames = round(until.duration_s * description.rate)
    wanted = (frames or 0) * description.format.nbytes
    room = file.free_bytes - reserve
    if file.path is not None and wanted > room:
        log.warning(
            "this run wants %.1f GB, the disk has %.1f GB: it will stop after about %d frames",
            wanted / 1e9,
            room / 1e9,
            room // description.format.nbytes,
        )


def is_almost_full(
    file: FrameFile, pool: Pool, acquisition: AcquisitionThread, reserve: int, began_s: float
) -> bool:
    """Tell whether the room left is about what is on its way to the disk."""
    figures = pool.statistics()
    flow = acquisition.statistics().frames * pool.format.nbytes / max(time.perf_counter() - began_s, WATCH_S)
    # What is in the pool and in the camera's FIFO, and what will come until the camera has stopped.
    coming = (figures.blocks - figures.free) * pool.block_bytes + 2 * WATCH_S * flow
    coming += acquisition.statistics().backlog * pool.format.nbytes
    return 0 < file.free_bytes < reserve + coming
