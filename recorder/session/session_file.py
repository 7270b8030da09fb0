"""One file of a session, where it stands, and how many frames it has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from recorder.frames.ledger import Cause, Loss
from recorder.storage.frame_file import FrameFile
from recorder.storage.packed_span import PackingFigures


class FileState(Enum):
    """Where a file stands."""

    PREPARED = "prepared"
    CURRENT = "current"
    RETIRING = "retiring"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


@dataclass
class Asked:
    """Counters `first` to `last` (None: not known yet); `cause` is that of what is missing at the end."""

    first: int
    last: int | None = None
    cause: Cause = Cause.COUNTER_GAP


@dataclass
class SessionFile:
    """One file of the session: `received` frames were meant for it, `lost` are missing among them.

    `began_s` is the time in s from the run's first frame to the file's first, from which its rows count;
    None: it has not come. `ends` says why no more frames come, "" where that follows from the next file; of
    frames around a trigger `asked` is which counters were asked for, as far as that is known.
    """

    file: FrameFile
    state: FileState = FileState.PREPARED
    received: int = 0
    lost: int = 0
    began_s: float | None = None
    ends: str = ""
    asked: Asked | None = None

    @property
    def takes_rows(self) -> bool:
        """Whether rows of its frames can still be written."""
        return self.file.path is not None and not self.is_over

    def counted(self, losses: Sequence[Loss]) -> list[Loss]:
        """Return losses with their times counted from the file's first frame."""
        return [replace(loss, elapsed_s=loss.elapsed_s - (self.began_s or 0.0)) for loss in losses]

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be written."""
        return self.state in {FileState.CLOSED, FileState.WITHDRAWN}


@dataclass(frozen=True)
class FrameCounts:
    """Frames committed: `saved` in files, `durable` of them survive a power cut, `unsaved` are in no file."""

    saved: int
    durable: int
    unsaved: int
    packing: PackingFigures | None  # what compression has done, None where there is none

    @property
    def all(self) -> int:
        """All that came."""
        return self.saved + self.unsaved
