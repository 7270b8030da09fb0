"""What takes frames, whatever becomes of them: a `Recording`, or a `DryRun`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from recorder.frames.clock_fit import ClockFit
from recorder.frames.ledger import Loss
from recorder.frames.pool import FrameSpan
from recorder.storage.noise_ladder import NoiseLadder
from recorder.storage.packed_span import PackedSpan, PackingFigures
from recorder.storage.records import Row, RowBlock, Verdict


class FrameFile(Protocol):
    """One file; a method blocks and raises StorageError, on the storage thread if nothing else is said."""

    @property
    def path(self) -> Path | None:
        """The file, None where there is none."""

    @property
    def mode(self) -> str:
        """How pixels are written."""

    @property
    def frames(self) -> int:
        """Frames committed; from any thread."""

    @property
    def last_number(self) -> int:
        """The camera's counter of the last frame committed, 0 before the first; from any thread."""

    @property
    def durable_frames(self) -> int:
        """Frames that survive a power cut, -1 where the file itself would not; from any thread."""

    @property
    def commit_due_s(self) -> float | None:
        """Seconds until what is written wants its commit, None where nothing waits; from any thread."""

    @property
    def free_bytes(self) -> int:
        """Room on the disk, as the last look found; from any thread."""

    @property
    def packs(self) -> bool:
        """Whether whole blocks may come packed; from any thread."""

    @property
    def packing(self) -> PackingFigures | None:
        """What packing has done so far, None where nothing is packed; from any thread."""

    @property
    def ladder(self) -> NoiseLadder | None:
        """Whose levels pixels are moved to before they are packed, None: they are not; from any thread."""

    def compute(self, span: FrameSpan, pixels: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Return what is stored of frames besides their metadata, for a span to be packed; on any thread.

        `pixels` (n, H, W) are those that are stored.
        """

    def append(self, spans: Sequence[FrameSpan | PackedSpan], losses: Sequence[Loss] = ()) -> None:
        """Write frames and losses."""

    def commit(self, clocks: ClockFit | None = None) -> None:
        """Give what is written its rows; write down how the clocks go, where that is told anew."""

    def drop_uncommitted(self) -> None:
        """Give up frames that have no rows: they do not exist."""

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Append rows to their tables, after the rows of the frames written so far."""

    def add_blocks(self, blocks: Sequence[RowBlock]) -> None:
        """Append rows as `add_rows` does, many at once."""

    def finish(self, losses: Sequence[Loss] = ()) -> None:
        """Commit all frames and losses; rows may still be added."""

    def sync(self) -> None:
        """Return once all that was written is on the disk; on any thread."""

    def look_where_it_is(self) -> None:
        """Find a file that was moved, on the thread of `sync`; raises StorageError where it was removed."""

    def close(self, verdict: Verdict, cause: str) -> None:
        """Say how it ended, and close the file."""

    def discard(self) -> None:
        """Close and remove a file without frames."""
