"""Marks: which frame was being exposed, and its row in the file."""

import asyncio
import logging
from dataclasses import dataclass

from recorder.errors import CameraError
from recorder.frames.timeline import FrameRef
from recorder.session.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """What somebody said, at `host_ns` of the host's monotonic clock."""

    label: str
    text: str
    source: str
    host_ns: int


class Marks:
    """Place marks on the frames of runs, also on frames that come only later."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[FrameRef | None]] = set()

    async def place(self, run: Run, mark: Mark, number: int | None) -> FrameRef | None:
        """Place a mark on the frame of its moment, or on the one whose counter is `number`.

        Returns the frame; None where it is still in the camera's own memory: then the mark follows it.
        Raises CameraError where there is none.
        """
        moment = run.timeline.frame_at(mark.host_ns) if number is None else run.timeline.delivered(number)
        link = run.statistics().link
        goes_round = link is not None and link.goes_round
        placing = asyncio.ensure_future(self._place(run, mark, moment, goes_round))
        if not run.records_inside:
            return await placing
        self._waiting.add(placing)
        placing.add_done_callback(self._tell)
        return None

    @staticmethod
    async def _place(
        run: Run, mark: Mark, moment: "asyncio.Future[FrameRef | None]", goes_round: bool
    ) -> FrameRef | None:
        with run.gate.held():
            found = await moment
            if found is None:
                raise CameraError("no frame to mark: the run ended before one came")
            index = found.index if found.segment == run.segment else -1
            elapsed_s = run.ledger.elapsed_s(mark.host_ns)
            # In a memory that goes round, the frames of a moment before the first one are overwritten.
            is_gone = goes_round and found.index == 0 and elapsed_s < 0
            index = -1 if is_gone else index
            await run.add_row("marks", (index, elapsed_s, mark.label, mark.text, mark.source))
            run.marks += 1
        return None if is_gone else found

    def _tell(self, placing: "asyncio.Task[FrameRef | None]") -> None:
        """Say where a mark landed that was made before its frame came."""
        self._waiting.discard(placing)
        if placing.cancelled():
            return
        if (error := placing.exception()) is not None:
            log.warning("mark: %s", error)
        else:
            frame = placing.result()
            where = (
                f"on frame {frame.index}" if frame else "on no frame: the camera's memory went round since"
            )
            log.info("the mark is %s", where)
