"""A recording in files for the displays of a session: pictures of the frame that they are at."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recorder.errors import RecorderError
from recorder.files.opened.following import Growth, with_frames
from recorder.files.opened.recording import OpenedRecording
from recorder.files.probe import Probe
from recorder.frames.region_means import Box
from recorder.frames.threads import on_thread
from recorder.frontends.display_connection import DisplayAccess
from recorder.frontends.event_log import EventLog
from recorder.frontends.view.file_commands import FileCommands
from recorder.frontends.view.frame_pictures import FramePictures, Rows, Wish
from recorder.frontends.view.overview import facts_of, marks_here, overview
from recorder.frontends.view.pace import Pace
from recorder.frontends.view.position import Position, other
from recorder.frontends.view.region_traces import RegionTraces
from recorder.frontends.view.shown_as import checked_regions, preview_of, whole_baseline
from recorder.storage.records import Verdict

log = logging.getLogger(__name__)

# How often a file that grows is looked at, and which share of the time that may take; but where the computer
# is busy and it takes long, not less often than the last.
LOOK_S = 0.4
LOOK_SHARE = 0.05
MAX_LOOK_S = 2.0

# Frames of a trace are looked at in this share of the time, and its new points sent so often.
SAMPLE_SHARE = 0.1
TRACES_S = 1.0

# Waiting for the disk for longer is told.
SLOW_S = 0.5


class Viewer:
    """Shows a recording in files: where in it the displays are, its pictures, its traces, what it grows by.

    Used on the event loop's thread; files are read on others. `run` does the work.
    """

    def __init__(self, recording: OpenedRecording, growing: OpenedRecording | None, probe: Probe) -> None:
        """`growing` is the same recording once more where it grows: another thread has it show what came."""
        self.recording, self._growing, self._probe = recording, growing, probe
        self.preview, renderer = preview_of(recording)
        self._pictures = FramePictures(recording.frames, renderer)
        self._whole = self.preview.baseline = whole_baseline(recording)
        self.position = Position()
        self.events = EventLog()
        self._traces = RegionTraces()
        self._pace = Pace()
        self._threads = ThreadPoolExecutor(3, "view")
        # Set by whatever makes another picture.
        self._changed = asyncio.Event()
        self._regions_changed = asyncio.Event()
        self._wishes = 0
        self._shown = -1
        self._reading_since_s: float | None = None
        self._problem = ""
        self._parts: dict[str, Any] = {}
        self._have(recording)
        if growing is not None:
            self.position.go_to_edge()

    @property
    def grows(self) -> bool:
        """Whether the recording is still being made."""
        return self._growing is not None

    def access(self) -> DisplayAccess:
        """Return what displays may use."""
        commands = FileCommands(
            self.recording, self.preview, self._set_regions, lambda: self._shown, self.change
        )
        return DisplayAccess(
            preview=self.preview,
            command=commands.execute,
            complete=lambda _: [],
            status=self.status,
            news=self.events,
            viewed=self,
        )

    # What displays ask for.

    def receive(self, message: Mapping[str, Any]) -> None:
        """Go where a display asks: `play`, `speed`, or `go`, which has one of the keys that `_go` knows.

        Raises ValueError for what makes no sense.
        """
        if set(message) <= {"ready", "id", "complete"}:
            return
        if "speed" in message:
            self.position.set_speed(_number(message["speed"]))
        if "play" in message:
            (self.position.play if message["play"] is True else self.position.stand)()
        if "go" in message:
            self._go(message["go"])
        self.change()

    def _go(self, asked: object) -> None:
        if not isinstance(asked, dict) or len(asked) != 1:
            raise ValueError("go is an object with one of its keys")
        ((how, given),) = asked.items()
        number, position = _number(given), self.position
        if how == "frame":
            position.go(int(number))
        elif how == "time":
            position.go_to_time(number)
        elif how == "step":
            position.step(int(number))
        elif how == "seconds":
            position.skip(number)
        elif how == "mark":
            frames = marks_here(self.recording)["frame"]
            found = other(frames, position.now(), 1 if number > 0 else -1)
            if found is not None:
                position.go(found)
        elif how == "edge":
            position.go_to_edge()
        else:
            raise ValueError("go knows frame, time, step, seconds, mark and edge")
        self._wishes += 1
        # Of another frame it is not known.
        self._problem = ""

    def change(self) -> None:
        """Have the picture made anew: it is shown in another way, or another one is wanted."""
        self._changed.set()

    async def _set_regions(self, regions: Mapping[str, Box]) -> str:
        """Have these regions from now on, here only; raises UsageError."""
        self.preview.regions = checked_regions(regions)
        self._traces.forget_others(self.preview.boxes)
        self._regions_changed.set()
        return ""

    # What displays are told.

    def status(self) -> dict[str, Any]:
        """Return the figures of this moment."""
        times, position = self.position.times, self.position
        reading_s = time.monotonic() - self._reading_since_s if self._reading_since_s else 0.0
        standing = {"kind": "live", "text": "", "since": 0.0}
        if self._problem:
            standing = {"kind": "failed", "text": self._problem, "since": 0.0}
        elif not len(times):
            standing["kind"], standing["text"] = "note", "no frame has come yet; the first one is shown here"
        return {
            "preview": True,
            "standing": standing,
            "view": self.preview.view(),
            "frames": len(times),
            "seconds": float(times[-1]) if len(times) else 0.0,
            "grows": self.grows,
            "verdict": self.recording.verdict,
            "lost": int(self.recording.losses["count"].sum()),
            "plays": position.plays,
            "speed": position.speed,
            "at_edge": position.at_edge,
            "reading_s": reading_s if reading_s > SLOW_S else None,
        }

    def parts(self) -> Mapping[str, Any]:
        """Return `overview` and `traces` of the recording, each the same object as long as it is the same."""
        return self._parts

    # Its work.

    async def run(self) -> None:
        """Show pictures as displays want them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._show())
            tasks.create_task(self._sample())
            if self._growing is not None:
                tasks.create_task(self._grow(self._growing))

    def close(self) -> None:
        """Let go of the threads; one that waits for a disk is left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._reading_since_s is None:
            self._pictures.close()

    def _have(self, recording: OpenedRecording) -> None:
        """Show what there is of the recording now."""
        self.position.have(recording.time, grows=self.grows)
        times = self.position.times
        self._rows = Rows(times, recording.frame_number, recording.exposure)
        self._tell("overview", overview(recording, times))
        self._pace.grows = self.grows
        self._pictures.read_aside(aside=self.grows)
        self._tell_traces()

    def _tell_traces(self) -> None:
        self._tell("traces", self._traces.shown(self.recording, self.position.times, self.preview.boxes))

    def _tell(self, name: str, part: dict[str, Any]) -> None:
        """Have the displays told of a part, where it is another."""
        if part != self._parts.get(name):
            self._parts[name] = part

    async def _show(self) -> None:
        while True:
            await self.preview.until_wanted()
            await self._until_another()
            rest_s = 0.0
            try:
                rest_s = await self._show_one()
                self._problem = ""
            except RecorderError as error:
                if str(error) != self._problem:
                    log.warning("%s", error)
                self._problem = str(error)
                # Tried once; another frame, or another look at it, is tried again.
                self._shown = self.position.now()
            await asyncio.sleep(rest_s)

    async def _until_another(self) -> None:
        """Wait until there is another picture to be shown."""
        while not self._changed.is_set():
            if self.position.now() != self._shown and len(self.position.times):
                return
            wait_s = self.position.wait_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s if math.isfinite(wait_s) else None):
                    await self._changed.wait()

    async def _show_one(self) -> float:
        """Show the picture of the frame that displays are at, and return how long to rest."""
        self._changed.clear()
        if not len(self.position.times):
            return 0.0
        wish = self._wish()
        self._reading_since_s = time.monotonic()
        try:
            shown = await on_thread(self._threads, self._pictures.make, wish)
        finally:
            self._reading_since_s = None
        if shown is None:
            self.change()
            return 0.0
        is_playing = self.position.plays or self.position.at_edge
        before = self._shown if is_playing and 0 <= self._shown < wish.index else wish.index
        facts = facts_of(self.recording, wish.rows.times, wish.index, before)
        self._shown = wish.index
        self.preview.show(shown.picture, shown.means, facts["time_s"], facts)
        self._traces.note(wish.index, shown.counts)
        if shown.wants_more:
            self.change()
        return self._pace.rest_s(shown.cpu_s, shown.read_bytes)

    def _wish(self) -> Wish:
        preview, index, wishes = self.preview, self.position.now(), self._wishes
        baseline = preview.baseline
        is_of_all = baseline is self._whole
        # One that was asked for is taken here and now, also while frames are shown as they are.
        is_needed = preview.mode != "raw" or not (is_of_all or baseline.is_running)
        follows = self._shown <= index and (self.position.plays or self.position.at_edge)
        return Wish(
            index=index,
            rows=self._rows,
            make=preview.maker(self._pictures.renderer, sees=baseline.is_running),
            region=preview.region,
            boxes=preview.boxes,
            baseline=baseline if is_needed else None,
            is_of_all=is_of_all,
            is_jump=index != self._shown and not follows,
            is_outdated=lambda: self._wishes != wishes,
        )

    async def _sample(self) -> None:
        """Look at frames all over the recording for traces that are not stored, a little at a time.

        Not while it grows: its writer needs the disk, and traces have the frames that were shown.
        """
        told_s = time.monotonic()
        while True:
            boxes = {} if self.grows else self._traces.missing(self.recording, self.preview.boxes)
            wanted = self._traces.next_frame(boxes, len(self.position.times))
            began_s = time.monotonic()
            if wanted is not None:
                try:
                    index, missing = wanted
                    means, _ = await on_thread(self._threads, self._pictures.means_of, index, missing)
                    self._traces.note(index, means)
                except RecorderError as error:
                    log.warning("traces: %s", error)
                    boxes, wanted = {}, None
            if wanted is None or time.monotonic() - told_s > TRACES_S:
                self._tell_traces()
                told_s = time.monotonic()
            if wanted is not None:
                await asyncio.sleep((time.monotonic() - began_s) * (1 / SAMPLE_SHARE - 1))
                continue
            self._regions_changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRACES_S if self.grows else None):
                    await self._regions_changed.wait()

    async def _grow(self, growing: OpenedRecording) -> None:
        """Have what comes to the recording shown, until nothing comes any more."""
        growth = Growth(growing, growing.given, self._probe)
        while not growth.has_ended:
            began_s = time.monotonic()
            try:
                is_news = await on_thread(self._threads, growth.look)
            except RecorderError as error:
                log.warning("what comes to the recording is not seen any more: %s", error)
                break
            took_s = time.monotonic() - began_s
            if is_news:
                self.recording.show(with_frames(growing.contents))
                self._have(self.recording)
                self.change()
            rest_s = max(LOOK_S - took_s, took_s * (1 / LOOK_SHARE - 1))
            await asyncio.sleep(min(rest_s, MAX_LOOK_S))
        self._growing = None
        self._have(self.recording)
        self._regions_changed.set()
        verdict = self.recording.verdict
        path = self.recording.files[-1].path
        killed = f"it was killed; recorder recover {path} closes it"
        ended = killed if verdict == Verdict.RECORDING else f"it ended: {verdict}"
        self.events.add(time.time(), "ok", f"the recording does not grow any more: {ended}")


def _number(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError("a number is wanted")
    return float(given)
