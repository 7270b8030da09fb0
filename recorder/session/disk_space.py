"""What a run keeps an eye on: room on the disk, and losses to be told."""

import logging
import math
import time

from recorder.camera.acquisition import CameraLink
from recorder.camera.acquisition_result import Limits
from recorder.camera.base import CameraDescription
from recorder.frames.ledger import Loss
from recorder.frames.pool import Pool
from recorder.session.writer import FrameFile, Writer

log = logging.getLogger(__name__)

# How often a run looks, and how often at most it tells of losses.
WATCH_S = 0.1
TELL_LOSSES_S = 1.0


def warn_of_little_room(
    limits: Limits, description: CameraDescription, file: FrameFile, reserve: int
) -> None:
    """Say before the first frame where the disk has less room than the run will want."""
    frames = limits.frames
    if frames is None and limits.duration_s is not None and not math.isinf(description.rate):
        frames = round(limits.duration_s * description.rate)
    wanted = (frames or 0) * description.format.nbytes
    room = file.free_bytes - reserve
    if file.path is not None and wanted > room:
        log.warning(
            "this run wants %.1f GB, the disk has %.1f GB: it will stop after about %d frames",
            wanted / 1e9,
            room / 1e9,
            room // description.format.nbytes,
        )


def is_almost_full(writer: Writer, pool: Pool, link: CameraLink, reserve: int, began_s: float) -> bool:
    """Tell whether the room left is about what is on its way to the disk."""
    figures = pool.statistics()
    flow = link.statistics().frames * pool.format.nbytes / max(time.perf_counter() - began_s, WATCH_S)
    # What is in the pool and in the camera's FIFO, and what will come until the camera has stopped.
    coming = (figures.blocks - figures.free) * pool.block_bytes + 2 * WATCH_S * flow
    coming += link.statistics().backlog * pool.format.nbytes
    return 0 < writer.file.free_bytes < reserve + coming


class LossTeller:
    """Collect losses and tell of them in a line, at most once a second."""

    def __init__(self) -> None:
        self._untold: list[Loss] = []
        self._told_s = -math.inf

    def add(self, loss: Loss) -> None:
        """Have the loss told, at once or with the next line."""
        self._untold.append(loss)

    def tell_if_due(self) -> None:
        """Tell what there is, unless the last line is too young."""
        if time.perf_counter() - self._told_s >= TELL_LOSSES_S:
            self.tell()

    def tell(self) -> None:
        """Say in a line what was lost since the last one."""
        if not self._untold:
            return
        self._told_s = time.perf_counter()
        first, last = self._untold[0], self._untold[-1]
        count = sum(loss.count for loss in self._untold)
        log.warning(
            "lost %d frame%s in %d place%s, camera counter %d to %d: %s",
            count,
            "s" * (count > 1),
            len(self._untold),
            "s" * (len(self._untold) > 1),
            first.first_missing,
            last.first_missing + last.count - 1,
            ", ".join(sorted({loss.cause.name.lower() for loss in self._untold})),
        )
        self._untold.clear()
