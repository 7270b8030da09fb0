"""Marks: which frame was being exposed, and its row in the file that holds it."""

import asyncio
import logging
import math
import weakref
from collections import deque
from dataclasses import dataclass, replace

from recorder.errors import CameraError
from recorder.frames.timeline import FrameRef
from recorder.session.run import Run
from recorder.storage.records import TAKEN_BACK, MarkRow

log = logging.getLogger(__name__)

# How many marks are remembered, to be listed and taken back.
REMEMBERED = 200
# How many labels are remembered, for the buttons of displays.
LABELS = 8


@dataclass(frozen=True)
class Mark:
    """What somebody said, at `host_ns` of the host's monotonic clock."""

    label: str
    text: str
    source: str
    host_ns: int


@dataclass(frozen=True)
class PlacedMark:
    """Where a mark is: on `frame` (None: on none known), in a file or (not `saved`) in the journal only.

    `elapsed_s` is since the first frame of its file, or (not `saved`) of its run. `unsure` is how many frames
    it may be beside, as camera and computer have clocks of their own.
    """

    mark: Mark
    frame: FrameRef | None
    saved: bool
    elapsed_s: float
    run: "weakref.ref[Run]"
    unsure: int = 0
    is_taken_back: bool = False

    @property
    def where(self) -> str:
        """The frame, and how sure that is."""
        frame = self.frame
        if frame is None:
            return "no frame"
        return f"frame {frame.index} (counter {frame.number})" + (f" ± {self.unsure}" if self.unsure else "")

    def describe(self) -> str:
        """Return where the mark is, when and by whom, for people; what they wrote themselves comes last."""
        parts = [
            *(["taken back"] if self.is_taken_back else []),
            self.where,
            *([] if self.saved else ["in no file"]),
            f"{self.elapsed_s:.1f} s",
            self.mark.source,
        ]
        return ", ".join(parts) + (f": {self.mark.text}" if self.mark.text else "")


class Marks:
    """Place marks on the frames of runs, also on frames that come only later; on the loop's thread.

    `placed` are the last ones, in the order in which their frames were found; `count` is how many were made,
    `labels` are the last different ones, the newest first.
    """

    def __init__(self) -> None:
        self.placed: deque[PlacedMark] = deque(maxlen=REMEMBERED)
        self.count = 0
        self.labels: list[str] = []
        self._waiting: set[asyncio.Task[PlacedMark]] = set()

    async def place(self, run: Run, mark: Mark, number: int | None) -> PlacedMark | None:
        """Place a mark on the frame of its moment, or on the one whose counter is `number`.

        Returns None where the frame is still in the camera's own memory: then the mark follows it. Raises
        CameraError where there is no frame.
        """
        moment = run.timeline.frame_at(mark.host_ns) if number is None else run.timeline.delivered(number)
        acquisition = run.statistics().acquisition
        goes_round = acquisition is not None and acquisition.is_ring
        unsure = _unsure(run, mark.host_ns) if number is None else 0
        placing = asyncio.ensure_future(self._place(run, mark, moment, goes_round, unsure))
        if not run.records_inside:
            return await placing
        self._report_later(placing)
        return None

    def place_soon(self, run: Run, mark: Mark, number: int) -> None:
        """Place a mark on the frame whose counter is `number`, once it has come; log where."""
        moment = run.timeline.delivered(number)
        self._report_later(asyncio.ensure_future(self._place(run, mark, moment, goes_round=False)))

    def _report_later(self, placing: "asyncio.Task[PlacedMark]") -> None:
        self._waiting.add(placing)
        placing.add_done_callback(self._report)

    async def _place(
        self,
        run: Run,
        mark: Mark,
        moment: "asyncio.Future[FrameRef | None]",
        goes_round: bool,
        unsure: int = 0,
    ) -> PlacedMark:
        with run.files.pending.held():
            found = await moment
            if found is None:
                raise CameraError("no frame to mark: the run ended before one came")
            found = found if run.captures is None else run.captures.place_of(found)
            elapsed_s = run.ledger.elapsed_s(mark.host_ns)
            # In a memory that goes round, the frames of a moment before the first one are overwritten.
            is_gone = goes_round and found.index == 0 and elapsed_s < 0
            index = -1 if is_gone else found.index
            number = -1 if is_gone else found.number
            row = MarkRow(index, elapsed_s, mark.label, mark.text, mark.source, number)
            saved = await run.add_row(found.file_index, row, index)
            run.marks += saved
            elapsed_s -= (run.files[found.file_index].began_s or 0.0) if saved else 0.0
        placed = PlacedMark(mark, None if is_gone else found, saved, elapsed_s, weakref.ref(run), unsure)
        self.placed.append(placed)
        self.count += 1
        self.labels = [mark.label, *(label for label in self.labels if label != mark.label)][:LABELS]
        return placed

    def last_of(self, source: str, number: int | None) -> PlacedMark | None:
        """Return the last mark by `source` that stands; where `number` is given, on the frame so counted."""
        for placed in reversed(self.placed):
            is_there = number is None or (placed.frame is not None and placed.frame.number == number)
            if placed.mark.source == source and is_there and not placed.is_taken_back:
                return placed
        return None

    def take_back(self, placed: PlacedMark, source: str, elapsed_s: float) -> MarkRow:
        """Note that a mark on a frame was taken back, and return the row that says so."""
        assert placed.frame is not None
        self.placed[self.placed.index(placed)] = replace(placed, is_taken_back=True)
        if (run := placed.run()) is not None:
            run.marks -= placed.saved
        return MarkRow(
            placed.frame.index, elapsed_s, TAKEN_BACK, placed.mark.label, source, placed.frame.number
        )

    def _report(self, placing: "asyncio.Task[PlacedMark]") -> None:
        """Log where a mark landed that was made before its frame came."""
        self._waiting.discard(placing)
        if placing.cancelled():
            return
        if (error := placing.exception()) is not None:
            log.warning("mark: %s", error)
        else:
            frame = placing.result().frame
            where = (
                f"on frame {frame.index}" if frame else "on no frame: the camera's memory went round since"
            )
            log.info("the mark is %s", where)


def _unsure(run: Run, host_ns: int) -> int:
    """Return how many frames a mark of this moment may be beside its frame."""
    fit = run.timeline.clocks.now()
    if fit is None or math.isnan(fit.uncertainty_s):
        return 0
    return round(fit.uncertainty_s * run.timeline.rate(host_ns))
