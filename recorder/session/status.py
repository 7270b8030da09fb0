"""What a session tells of itself: its state, its figures while it runs, its summary at the end."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Self

from recorder.camera.acquisition_result import AcquisitionStatistics
from recorder.errors import RecorderError
from recorder.frames.pool import PoolStatistics
from recorder.session.capture_figures import CaptureFigures
from recorder.session.signal_figures import SignalFigures
from recorder.session.writer import WriterStatistics
from recorder.settings.model import Settings
from recorder.storage.packed_span import PackingFigures
from recorder.storage.records import Verdict

log = logging.getLogger(__name__)


class State(Enum):
    """Where a session stands."""

    IDLE = "idle"
    OPENING = "opening"
    RUNNING = "running"
    DRAINING = "draining"
    CLOSED = "closed"

    @property
    def plain(self) -> str:
        """The state in a word for people."""
        return {State.DRAINING: "ending", State.CLOSED: "stopped"}.get(self, self.value)


TRANSITIONS = {
    State.IDLE: {State.OPENING},
    State.OPENING: {State.RUNNING, State.CLOSED},
    State.RUNNING: {State.DRAINING, State.CLOSED},
    State.DRAINING: {State.CLOSED},
    State.CLOSED: set[State](),
}


class FinishReason(Enum):
    """Why a run ended."""

    LIMIT = "all that was asked for"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted by the operator"
    ABORTED = "aborted by the operator"
    ABANDONED = "interrupted: the program that gave the commands has ended"
    DISK_FULL = "stopped in time before the disk was full"
    CAMERA = "camera error"
    STORAGE = "storage error"
    FAULT = "internal error"


FAILURES = {FinishReason.DISK_FULL, FinishReason.CAMERA, FinishReason.STORAGE, FinishReason.FAULT}
INTERRUPTIONS = {FinishReason.INTERRUPTED, FinishReason.ABORTED, FinishReason.ABANDONED}

# By verdict.
EXIT_CODES = {Verdict.COMPLETE: 0, Verdict.FAILED: 1, Verdict.FRAMES_LOST: 3, Verdict.INTERRUPTED: 130}


class RunOutcome:
    """Why a run ends: the first reason counts, but what cuts it short outranks an orderly stop.

    `error` ended the run; `trouble` is what went wrong in a file while the recording went on in it or in the
    next one: that file says so itself, and of the run it is known. `differ` says that triggers gave no frame,
    or more than one; `lacks` what the last capture was cut short of.
    """

    def __init__(self) -> None:
        self.reason: FinishReason | None = None
        self.error: RecorderError | None = None
        self.trouble: RecorderError | None = None
        self.differ, self.has_missed, self.lacks = "", False, ""

    def compare_triggers(self, settings: Settings, exposed: int) -> None:
        """Note where other frames were exposed than the triggers expected call for, and log it.

        A camera ignores a trigger while it is busy, and nothing else shows that. Fewer frames count as lost,
        unless the run ended when it had as many as were asked for.
        """
        triggers, limit = settings.recording.triggers, settings.recording.frames
        if triggers is None or exposed == (wanted := triggers * settings.frames_per_trigger):
            return
        has_limit = limit is not None and limit <= exposed < wanted
        if has_limit or not settings.counts_triggers:
            log.info("recording.triggers is not compared: not all frames that were triggered are recorded")
            return
        made = f"which make {wanted} frames, and {exposed} were exposed"
        self.differ = f"{triggers} triggers were expected, {made}"
        if exposed < wanted:
            self.has_missed = True
            self.differ += (
                ": the camera missed the others, as it does while it is busy, or they never came; which "
                "ones, it cannot tell"
            )
        log.warning("%s", self.differ)

    def set_reason(self, reason: FinishReason) -> None:
        """Give a reason, which counts if it is the first."""
        self.reason = self.reason or reason

    def override_reason(self, reason: FinishReason) -> None:
        """Give a reason that outranks a stop."""
        if self.reason in {None, FinishReason.INTERRUPTED, FinishReason.STOPPED}:
            self.reason = reason

    @property
    def failed(self) -> bool:
        """Whether something went wrong besides lost frames."""
        return self.error is not None or self.reason in FAILURES

    def of_run(self, lost: int) -> tuple[Verdict, str]:
        """Return the verdict of the run with all its files, and the cause in a sentence."""
        if self.trouble is not None and not self.failed:
            return Verdict.FAILED, str(self.trouble)
        return self.verdict(lost)

    def verdict(self, lost: int, fault: BaseException | None = None) -> tuple[Verdict, str]:
        """Return the verdict of the current file, and the cause in a sentence."""
        verdict = Verdict.FRAMES_LOST if lost or self.has_missed else Verdict.COMPLETE
        if self.failed:
            verdict = Verdict.FAILED
        elif self.reason in INTERRUPTIONS:
            verdict = Verdict.INTERRUPTED
        if self.error is not None:
            return verdict, str(self.error)
        if fault is not None:
            return verdict, f"internal error: {fault!r}"
        if self.differ and verdict in {Verdict.FRAMES_LOST, Verdict.COMPLETE}:
            return verdict, self.differ
        cause = self.reason.value if self.reason else ""
        return verdict, f"{cause}; {self.lacks}" if self.lacks else cause


@dataclass(frozen=True)
class Statistics:
    """All moving parts at one moment: what the progress bar, `status` and the tests read."""

    state: State
    elapsed_s: float
    frames: int  # committed, in files
    unsaved: int  # while nothing was saved, in no file
    lost: int
    frame_bytes: int
    acquisition: AcquisitionStatistics | None
    pool: PoolStatistics | None
    writer: WriterStatistics | None
    mode: str
    free_bytes: int
    path: Path | None
    durable: int  # committed, and certain to survive a power cut
    unanswered: str  # what the disk or the camera has not answered for too long, "" where both do
    packing: PackingFigures | None  # what compression has done, None where there is none
    captures: CaptureFigures | None = None  # what waits for a trigger, None where every frame is written

    @property
    def rate(self) -> float:
        """Frames/s delivered by the camera on average."""
        return self.acquisition.frames / self.elapsed_s if self.acquisition and self.elapsed_s else 0.0

    def disk_time_left_s(self, rate: float) -> float:
        """Return the time until the disk is full at `rate` frames/s, inf where nothing is written."""
        flow = rate * self.frame_bytes / (self.packing.ratio if self.packing else 1)
        return self.free_bytes / flow if flow and self.free_bytes else math.inf


@dataclass(frozen=True)
class Summary:
    """How a run ended, or several; `files` with the frames in each.

    `frames` and `bytes` are those in files, `unsaved` the frames that came while nothing was saved.
    `seconds` is from arming to a durable file, `cpu_s` what all threads used in it.
    """

    files: tuple[tuple[Path, int], ...]
    verdict: Verdict
    cause: str
    frames: int
    unsaved: int
    durable: int
    lost: int
    losses: dict[str, int]
    marks: int
    seconds: float
    cpu_s: float
    bytes: int
    mode: str
    longest_pause_s: float
    blocks: int
    lowest_free: int
    exit_code: int
    reason: FinishReason | None = None
    journal: Path | None = None
    packing: PackingFigures | None = None
    captures: int | None = None  # that were complete, None where every frame was written
    signals: SignalFigures = field(default_factory=SignalFigures)

    @property
    def file(self) -> Path | None:
        """The last file, None where none was written."""
        return self.files[-1][0] if self.files else None

    @classmethod
    def of_nothing(cls, cause: str) -> Self:
        """Return the summary of a run that failed before it recorded anything."""
        return cls((), Verdict.FAILED, cause, 0, 0, 0, 0, {}, 0, 0.0, 0.0, 0, "", 0.0, 0, 0, 1)

    @classmethod
    def of_runs(cls, runs: Sequence[Self]) -> Self:
        """Return several as one: sums, all files, the worst verdict, buffer and pause at their worst."""
        if not runs:
            return replace(cls.of_nothing("no run"), verdict=Verdict.COMPLETE, exit_code=0)
        losses: Counter[str] = Counter()
        for run in runs:
            losses.update(run.losses)
        captures = [run.captures for run in runs if run.captures is not None]
        fullest = min(runs, key=lambda run: run.lowest_free / run.blocks if run.blocks else 1.0)
        return replace(
            max(runs, key=lambda run: run.verdict.severity),
            files=tuple(file for run in runs for file in run.files),
            losses=dict(losses),
            packing=PackingFigures.of_all(run.packing for run in runs),
            captures=sum(captures) if captures else None,
            signals=SignalFigures.of_all(run.signals for run in runs),
            longest_pause_s=max(run.longest_pause_s for run in runs),
            blocks=fullest.blocks,
            lowest_free=fullest.lowest_free,
            **{
                name: sum(getattr(run, name) for run in runs)
                for name in ("frames", "unsaved", "durable", "lost", "marks", "seconds", "cpu_s", "bytes")
            },
        )

    def for_json(self) -> dict[str, Any]:
        """Return the line that `--json` prints."""
        return {
            "file": None if self.file is None else str(self.file),
            "files": [{"file": str(path), "frames": frames} for path, frames in self.files],
            "journal": None if self.journal is None else str(self.journal),
            "verdict": self.verdict,
            "frames": self.frames,
            "unsaved": self.unsaved,
            "durable": self.durable,
            "lost": self.lost,
            "marks": self.marks,
            **self.signals.for_json(),
            "seconds": round(self.seconds, 6),
            "bytes": self.bytes,
            **({} if self.packing is None else self.packing.for_json()),
            **({} if self.captures is None else {"captures": self.captures}),
            "fps": round((self.frames + self.unsaved) / self.seconds, 3) if self.seconds else 0.0,
            "MBps": round(self.bytes / self.seconds / 1e6, 3) if self.seconds else 0.0,
        }
