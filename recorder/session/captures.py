"""The captures of one run: when each begins, its file, the rows about its frames, and how many there were."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from recorder.camera.base import CameraDescription
from recorder.errors import CameraError, RecorderError, StorageError, UsageError
from recorder.frames.ledger import Loss
from recorder.frames.metadata import TRIGGER_NUMBER
from recorder.frames.timeline import FrameRef
from recorder.session.capture import Capture
from recorder.session.capture_figures import CaptureFigures
from recorder.session.pretrigger_ring import ENDED, PretriggerRing
from recorder.settings.model import Settings
from recorder.storage.records import AnalysisRow, MarkRow

log = logging.getLogger(__name__)

# How often it is looked whether the frame of a row has been written.
LOOK_S = 0.02

# Rows that are kept for captures to come: as many as marks and an analysis make in minutes.
MAX_ROWS = 20_000

# Captures whose frames are known; of earlier ones the files are closed.
REMEMBERED = 64

# Returns the settings of now, and the path of a capture with this label (None: a dry run).
NextCapture = Callable[[str], Awaitable[tuple[Settings, Path | None]]]


async def no_captures(label: str) -> tuple[Settings, Path | None]:
    """Name no file: for runs that write every frame."""
    raise AssertionError(f"a capture {label} where every frame is written")


class Captures:
    """Begin captures of what `ring` holds, each in a file of its own; on the event loop's thread.

    `next_capture` names each file, whose index `indices` is given. `on_problem` is given what goes wrong with
    one, `on_loss` what is lost by it; `on_limit` is called after the last one of `limit` (0: never).
    """

    def __init__(
        self,
        ring: PretriggerRing,
        limit: int,
        camera: CameraDescription,
        next_capture: NextCapture,
        indices: list[int],
        on_problem: Callable[[StorageError], object],
        on_loss: Callable[[Loss], object],
        on_limit: Callable[[], object],
    ) -> None:
        self.ring = ring
        self._on_problem, self._on_loss, self._on_limit = on_problem, on_loss, on_limit
        self.done = 0
        self._limit = limit
        self._wanted = _words(ring.plan.before)
        self._camera, self._next_capture = camera, next_capture
        self._indices = indices
        self._begun = 0
        self._last: deque[Capture] = deque(maxlen=REMEMBERED)
        self._rows: deque[tuple[int, MarkRow | AnalysisRow]] = deque(maxlen=MAX_ROWS)
        self._tasks: set[asyncio.Task[None]] = set()
        ring.on_begin, ring.on_over = self._on_begin, self._on_over

    @property
    def unsaved(self) -> int:
        """How many frames came and are in no file."""
        return self.ring.delivered - self.ring.saved

    @property
    def figures(self) -> CaptureFigures:
        """The figures of this moment."""
        frames, seconds = self.ring.held
        capture = self.ring.capture
        return CaptureFigures(
            frames, seconds, self._wanted, self.done, self._limit, capture.frames if capture else None
        )

    # Beginning one.

    async def begin(self, host_ns: int, number: int | None, label: str) -> tuple[Capture, int]:
        """Capture around the frame being exposed at `host_ns`, or the one whose counter is `number`.

        A capture under way goes on for longer. Returns it, and the counter of the frame, once its file is
        there. Raises UsageError after the last one asked for, CameraError where the run ends before,
        StorageError where there is no file for it.
        """
        if self._limit and self._begun >= self._limit and self.ring.capture is None:
            raise UsageError(f"recording.captures = {self._limit}: all of them are done")
        with self.ring.files.pending.held():
            if number is None:
                with self.ring.keeping():
                    found = await self.ring.timeline.frame_at(host_ns)
                    if found is None:
                        raise CameraError(ENDED)
                    beginning = self.ring.begin_at(found.number, label)
            else:
                beginning = self.ring.begin_at(number, label)
            capture, number = await beginning
            await capture.made.wait()
        if capture.failure is not None:
            raise StorageError(f"not captured: {capture.failure}")
        return capture, number

    def _on_begin(self, capture: Capture) -> None:
        self._begun += 1
        self._last.append(capture)
        self._indices.append(capture.file_index)
        task = asyncio.ensure_future(self._make_file(capture))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_file(self, capture: Capture) -> None:
        """Make the file of a capture, and write the rows there are about its frames."""
        files = self.ring.files
        with files.pending.held():
            try:
                settings, path = await self._next_capture(capture.label)
                camera = replace(
                    self._camera, details={**self._camera.details, TRIGGER_NUMBER: capture.trigger}
                )
                await files.prepare(settings, path, camera, self.ring.frames_per_block, capture.file_index)
                capture.path = path
            except Exception as error:  # whatever it is, the frames must not wait for ever
                known = error if isinstance(error, RecorderError) else StorageError(repr(error))
                self._on_problem(StorageError(f"a capture is lost: {known}"))
                self.ring.lose(capture, known)
                self._book_if_over(capture)
                return
            self.ring.made(capture)
            self._book_if_over(capture)
            try:
                for number, row in list(self._rows):
                    await self._write(capture, number, row)
            except StorageError as error:
                self._on_problem(error)

    def _on_over(self, capture: Capture) -> None:
        self.done += 1
        self._indices.append(self.ring.waits_in)
        self._book_if_over(capture)
        if self._limit and self.done >= self._limit:
            self._on_limit()

    def _book_if_over(self, capture: Capture) -> None:
        """Tell of a capture that has come to its end, and whose file is there, or cannot be."""
        is_under_way = capture is self.ring.capture and not self.ring.is_closed
        if is_under_way or capture.is_booked or not capture.made.is_set():
            return
        capture.is_booked = True
        if capture.failure is None:
            after = capture.frames - capture.before
            log.info("captured %s, and %d from it on", self.beginning(capture), after)
            return
        first, now_ns = capture.trigger - capture.before, time.perf_counter_ns()
        for loss in self.ring.ledger.abandon(capture.frames, 0, first, now_ns):
            self._on_loss(loss)

    def beginning(self, capture: Capture) -> str:
        """Return where a capture goes, and what it has from before its trigger, for people."""
        asked, entry = capture.window.asked_before, self.ring.files[capture.file_index]
        is_short = entry.asked is not None and capture.trigger - entry.asked.first < asked
        missing = f" of the {asked} asked for: no more were held" if is_short else ""
        where = f"{capture.path}" if capture.path else "no file"
        return f"{where}, {capture.before} frames before counter {capture.trigger}{missing}"

    # Rows about frames.

    def place_of(self, frame: FrameRef) -> FrameRef:
        """Return where a frame is now: in a capture that holds it, the newest of those, or where it was."""
        for capture in reversed(self._last):
            if (index := capture.index_of(frame.number)) is not None:
                return FrameRef(frame.number, capture.file_index, index)
        return frame

    async def add_row(self, row: MarkRow | AnalysisRow) -> bool:
        """Write a row about a frame into each capture that holds it; False: into none, but later ones may.

        Raises StorageError where it cannot be written.
        """
        number = row.frame_number if isinstance(row, AnalysisRow) else row.number
        self._rows.append((number, row))
        return any([await self._write(capture, number, row) for capture in self._recent()])

    def _recent(self) -> list[Capture]:
        """Return the captures whose files still take rows."""
        files = self.ring.files
        return [capture for capture in self._last if not files[capture.file_index].is_over]

    async def _write(self, capture: Capture, number: int, row: MarkRow | AnalysisRow) -> bool:
        index, files = capture.index_of(number), self.ring.files
        if index is None or capture.failure is not None:
            return False
        entry = files[capture.file_index]
        with files.pending.held():
            await capture.made.wait()
            while entry.received <= index and not entry.is_over:  # noqa: ASYNC110 - the writer tells nobody
                await asyncio.sleep(LOOK_S)
            return await files.add_row(capture.file_index, replace(row, frame=index), index)

    # The end.

    async def settle(self) -> str:
        """Wait for the files and rows under way, once the ring is closed.

        Returns what the end of the run has left out of a capture, "" where there is none.
        """
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        capture = self.ring.capture
        if capture is not None:
            self._book_if_over(capture)
        if capture is None or not capture.lacks:
            return ""
        lacks = f"the capture lacks {capture.lacks} of the {_words(self.ring.plan.after)} after its trigger"
        log.warning("%s: the run ended before", lacks)
        return lacks


def _words(extent: tuple[float, str]) -> str:
    amount, unit = extent
    return f"{amount:g} {unit}"
