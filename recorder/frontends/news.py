"""What the displays tell of a session besides its figures: how it stands, since when, and what happened."""

import math
import time
from dataclasses import dataclass
from typing import Any

from recorder.frontends.event_log import EventLog
from recorder.session.session import Session
from recorder.session.status import State, Statistics
from recorder.storage.records import Verdict

# Marks are drawn on the charts as long as the longest of these goes back, in s.
MARKED_S = 600.0

# A camera is silent where no frame comes for so long, and for two exposures more.
SILENT_S = 3.0

# How a session stands while no frames are taken, but for a run that is over: kind and text.
NOT_RUNNING = {
    State.IDLE: ("idle", "not started"),
    State.OPENING: ("opening", "the camera is being opened"),
    State.DRAINING: ("ending", "the run is ending; what was exposed is written"),
}


@dataclass(frozen=True)
class Standing:
    """How a session stands: `kind` is "live" only while new frames come and are saved, else `text` says why.

    Kinds: live, idle, opening, not saving, silent, ending, stopped, failed. `since` is Unix time in s.
    """

    kind: str
    text: str
    since: float


class News(EventLog):
    """Events of a session for its displays, with how it stands; on the event loop's thread."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._standing = Standing("idle", "", 0.0)
        self._number, self._number_at = 0, time.time()

    def marks(self) -> list[list[Any]]:
        """Return the last marks that stand: [moment in s of the host's monotonic clock, label]."""
        since_s = time.perf_counter() - MARKED_S
        return [
            [placed.mark.host_ns * 1e-9, placed.mark.label]
            for placed in self._session.marks.placed
            if placed.mark.host_ns * 1e-9 >= since_s and not placed.is_taken_back
        ]

    def standing(self) -> Standing:
        """Return how the session stands now; a change is noted as an event."""
        now = time.time()
        figures = self._session.statistics()
        camera = figures.acquisition if figures else None
        number = camera.last_number if camera else 0
        if number != self._number or figures is None or figures.state is not State.RUNNING:
            self._number, self._number_at = number, now
        since, (kind, text) = now, self._how(figures, now)
        if kind == "silent":
            since = self._number_at
        before = self._standing
        if (kind, text) != (before.kind, before.text):
            self._standing = Standing(kind, text, since)
            if before.since:
                self.add(now, kind, text or "running, frames are saved")
        return self._standing

    def _how(self, figures: Statistics | None, now: float) -> tuple[str, str]:
        """Return kind and text of how the session stands."""
        if figures is None or figures.state in NOT_RUNNING:
            return NOT_RUNNING[figures.state if figures else State.IDLE]
        if figures.state is State.CLOSED:
            return _how_it_ended(self._session)
        camera = figures.acquisition
        exposure_s = camera.exposure_s if camera and math.isfinite(camera.exposure_s) else 0.0
        if now - self._number_at > SILENT_S + 2 * exposure_s:
            waits = f"; the camera waits for {camera.waits_for}" if camera and camera.waits_for else ""
            return "silent", f"no frame has come since{waits}"
        if figures.captures is not None:
            return "live", "frames wait for a trigger" if figures.captures.under_way is None else ""
        if not self._session.saving or figures.path is None:
            return "not saving", "not saving: the frames are shown, and are in no file"
        return "live", ""


def _how_it_ended(session: Session) -> tuple[str, str]:
    ended = session.last_summary
    if ended is None:
        return "ending", "the run is ending"
    unsaved = f", {ended.unsaved} not saved" if ended.unsaved else ""
    told = f"{ended.frames} frames saved{unsaved}, {ended.lost} lost"
    if ended.verdict is Verdict.FAILED:
        return "failed", f"failed: {ended.cause}; {told}"
    if ended.verdict is Verdict.COMPLETE:
        return "stopped", f"stopped; {told}"
    cause = "" if ended.cause == "stopped" else f": {ended.cause}"
    return "stopped", f"stopped, {ended.verdict.value}{cause}; {told}"
