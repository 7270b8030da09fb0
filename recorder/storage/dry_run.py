"""What takes the frames of a dry run: everything happens but the file."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Loss
from recorder.frames.pool import FrameSpan
from recorder.storage.packed_span import PackedSpan
from recorder.storage.records import Row, RowBlock, Verdict


class DryRun:
    """Count frames and forget them; the face of a `Recording`."""

    path = None
    mode = "dry run"
    commit_due_s = None
    free_bytes = 0
    durable_frames = 0
    packs = False
    packing = None
    ladder = None

    def __init__(self) -> None:
        self.frames = self.last_number = 0

    def compute(self, span: FrameSpan, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Nothing is stored."""
        del span, pixels
        return ()

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        """Count the frames."""
        del losses
        self.frames += sum(len(span) for span in spans)
        if spans:
            self.last_number = int(spans[-1].metadata["frame_number"][-1])

    def commit(self, clocks: ClockFit | None = None) -> None:
        """Nothing waits."""

    def drop_uncommitted(self) -> None:
        """Nothing waits."""

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Nothing is kept."""

    def add_blocks(self, blocks: Sequence[RowBlock]) -> None:
        """Nothing is kept."""

    def finish(self, losses: Sequence[Loss] = ()) -> None:
        """Nothing is open."""

    def sync(self) -> None:
        """Nothing was written."""

    def look_where_it_is(self) -> None:
        """Nothing is anywhere."""

    def close(self, verdict: Verdict, cause: str) -> None:
        """Nothing is open."""

    def discard(self) -> None:
        """Nothing is there."""
