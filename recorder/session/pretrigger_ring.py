"""The ring of frames that wait for a trigger, between the broadcaster and the writer's channel.

    offer ──► held, as long as a trigger may ask for it ──► given back: it was not asked for
                └── in the window of a capture ──► writer's channel, once the capture's file is made

Frames are held in the blocks they were read into: nothing is copied, and the pool is the only bound. A
capture has leases of its own, so that the frames of one are there for the next as well.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator

from recorder.errors import CameraError, RecorderError
from recorder.frames.channel import SpanQueue
from recorder.frames.ledger import Cause, Ledger
from recorder.frames.pool import RING, WRITER, FrameSpan, Pool
from recorder.frames.timeline import Timeline
from recorder.session.capture import Capture
from recorder.session.capture_window import CapturePlan, Moment
from recorder.session.file_sequence import FileSequence
from recorder.session.session_file import Asked

ENDED = "no frame to capture: the run ended before one came"


class PretriggerRing(SpanQueue):
    """Hold what `plan` says, in `most_blocks` of `pool` at most; hand on captures to the channel `writer`.

    Used on the event loop's thread, and waits for nothing. Every frame is noted in `timeline` as it comes.
    `on_begin` is called with a capture whose file is to be made, which `made` or `lose` answers; `on_over`
    with one that is complete. `capture` is the one under way, `newest` the last frame that came, `waits_in`
    the file index of frames of no capture. `delivered` frames came, `saved` of them went to captures.
    """

    def __init__(
        self,
        writer: SpanQueue,
        plan: CapturePlan,
        most_blocks: int,
        pool: Pool,
        files: FileSequence,
        timeline: Timeline,
        ledger: Ledger,
    ) -> None:
        super().__init__(RING)
        self.plan = plan
        self.capture: Capture | None = None
        self.newest: Moment | None = None
        self.on_begin: Callable[[Capture], object]
        self.on_over: Callable[[Capture], object]
        self.waits_in = files.current_index
        self.delivered = self.saved = 0
        self._writer, self.files, self.timeline, self.ledger = writer, files, timeline, ledger
        self.frames_per_block, self._most_blocks = pool.frames_per_block, most_blocks
        self._pool = pool
        self._gone: Moment | None = None  # the last frame that is not held any more
        self._last_saved = 0
        self._kept: list[Moment] = []  # frames that a trigger may still name
        self._due: list[tuple[int, str, asyncio.Future[tuple[Capture, int]]]] = []
        self._unmade: set[int] = set()  # files that are being made
        self._outbox: deque[FrameSpan] = deque()

    # What comes from the camera.

    def offer(self, span: FrameSpan) -> None:
        """Hold the frames of a span, hand on what a capture asks for, and let go of the oldest."""
        if self._closed:
            return
        rows = span.metadata
        before = self.newest
        if before is not None and rows["frame_number"][0] <= before.number:
            before = None
            self._begin_anew(span)
        self.ledger.see(rows)
        self._hold(span.share(RING))
        self.newest = Moment.of(rows[-1])
        done = 0
        if self.capture is not None:
            done = self._hand_on(self.capture, span, before)
        if done < len(rows):
            self.timeline.note(rows[done:], self.waits_in, self.delivered + done)
        self.delivered += len(rows)
        self._begin_due()
        self._trim()

    def _hold(self, span: FrameSpan) -> None:
        self._pool.held += not self._spans or self._spans[-1].block is not span.block
        self._admit(span)

    def _let_go(self) -> None:
        with self._spans.popleft() as span:
            self._gone = Moment.of(span.metadata[-1])
            self._pool.held -= not self._spans or self._spans[0].block is not span.block

    def _trim(self) -> None:
        """Let go of what no trigger can ask for any more, and of what the pool has no room for."""
        assert self.newest is not None
        window = self.plan.window(min(self.newest, *self._kept, self.newest))
        while self._spans:
            rows = self._spans[0].metadata
            is_wanted = window.part_of(rows).start < len(rows)
            if is_wanted and self._pool.held <= self._most_blocks:
                return
            self._let_go()

    def _begin_anew(self, span: FrameSpan) -> None:
        """End what was before the camera's counter began anew."""
        if self.capture is not None:
            self._end(span, None, Cause.COUNTER_GAP)
        while self._spans:
            self._let_go()
        self._gone, self._last_saved = None, 0

    @property
    def held(self) -> tuple[int, float]:
        """How many frames before the newest a trigger of now would get, and how many s they go back."""
        if self.newest is None or not self._spans:
            return 0, 0.0
        window = self.plan.window(self.newest)
        parts = [window.part_of(span.metadata) for span in self._spans]
        count = sum(len(span) - part.start for span, part in zip(self._spans, parts, strict=True))
        first = next(s.metadata[p.start] for s, p in zip(self._spans, parts, strict=True) if p.start < len(s))
        return count - 1, (self.newest.time_ns - int(first["camera_time_ns"])) * 1e-9

    @property
    def is_closed(self) -> bool:
        """Whether no more frames come."""
        return self._closed

    # Captures.

    @contextlib.contextmanager
    def keeping(self, moment: Moment | None = None) -> Iterator[None]:
        """Keep what a trigger at `moment`, or (None) from now on, may ask for, as far as there is room."""
        moment = moment or self.newest
        if moment is None:
            yield
            return
        self._kept.append(moment)
        try:
            yield
        finally:
            self._kept.remove(moment)

    def begin_at(self, number: int, label: str) -> "asyncio.Future[tuple[Capture, int]]":
        """Begin a capture with the frame of counter `number` or the next one there is, once it has come.

        One that is under way goes on for longer. The future gives it with the frame's counter, or raises
        CameraError where the run ends before.
        """
        future: asyncio.Future[tuple[Capture, int]] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(CameraError(ENDED))
        else:
            self._due.append((number, label, future))
            self._begin_due()
        return future

    def _begin_due(self) -> None:
        for due in list(self._due):
            number, label, future = due
            if self.newest is not None and number <= self.newest.number:
                self._due.remove(due)
                if not future.cancelled():
                    trigger = self._moment(number)
                    future.set_result((self._begin(trigger, label), trigger.number))

    def _moment(self, number: int) -> Moment:
        """Return the first frame held whose counter is `number` or later."""
        for span in self._spans:
            numbers = span.metadata["frame_number"]
            if numbers[-1] >= number:
                return Moment.of(span.metadata[int((numbers >= number).argmax())])
        raise AssertionError("the newest frame is held")

    def _begin(self, trigger: Moment, label: str) -> Capture:
        if self.capture is not None:
            self.capture.window.extend(trigger)
            return self.capture
        capture = Capture(self.plan.window(trigger), label, self.files.expect())
        self.capture = capture
        self._unmade.add(capture.file_index)
        self.on_begin(capture)
        before = self._gone
        for span in list(self._spans):
            if self.capture is not None:
                self._hand_on(capture, span, before, is_noted=True)
            before = Moment.of(span.metadata[-1])
        return capture

    def _hand_on(
        self, capture: Capture, span: FrameSpan, before: Moment | None, *, is_noted: bool = False
    ) -> int:
        """Hand on what of a span is in the capture, and end that where it is over; return how far it goes.

        `before` is the frame before the span, None where there is none.
        """
        rows = span.metadata
        part = capture.window.part_of(rows)
        if part.start < part.stop:
            if not capture.frames:
                gone = Moment.of(rows[part.start - 1]) if part.start else before
                first = capture.window.first_asked(gone, Moment.of(rows[part.start]))
                self.files[capture.file_index].asked = Asked(first)
            if not is_noted:
                self.timeline.note(rows[part], capture.file_index, capture.frames)
            self.saved += int((rows[part]["frame_number"] > self._last_saved).sum())
            self._last_saved = max(self._last_saved, int(rows["frame_number"][part.stop - 1]))
            self._send(capture, span, part.start, part.stop)
        if part.stop < len(rows):
            beyond = rows[part.stop]
            self._end(span, Moment.of(beyond), Cause.of_code(int(beyond["gap_cause"])))
        elif capture.last is not None and capture.window.is_complete_with(capture.last):
            self._end(span, None, Cause.COUNTER_GAP)
        return int(part.stop)

    def _send(self, capture: Capture, span: FrameSpan, start: int, stop: int) -> None:
        """Put frames into the outbox, no piece of them across a boundary of the file's chunks."""
        while start < stop:
            end = min(stop, start + self.frames_per_block - capture.frames % self.frames_per_block)
            piece = span.part(start, end, WRITER, capture.file_index)
            capture.add(piece)
            if capture.failure is None:
                self._outbox.append(piece)
            else:
                piece.release()
            start = end
        self._flush()

    def _end(self, span: FrameSpan, beyond: Moment | None, cause: Cause) -> None:
        capture, self.capture = self.capture, None
        assert capture is not None
        entry = self.files[capture.file_index]
        entry.ends = "the capture is complete"
        if entry.asked is not None and capture.last is not None:
            entry.asked.last = capture.window.last_asked(capture.last, beyond)
            entry.asked.cause = cause
        self.waits_in = self.files.expect()
        self._outbox.append(span.part(0, 0, WRITER, self.waits_in))
        self._flush()
        self.on_over(capture)

    def made(self, capture: Capture) -> None:
        """Hand on the frames of a capture, whose file is there."""
        self._unmade.discard(capture.file_index)
        capture.made.set()
        self._flush()

    def lose(self, capture: Capture, failure: RecorderError) -> None:
        """Give back the frames of a capture whose file cannot be made."""
        capture.failure = failure
        for piece in [piece for piece in self._outbox if piece.file_index == capture.file_index]:
            self._outbox.remove(piece)
            piece.release()
        self.made(capture)

    def _flush(self) -> None:
        while self._outbox and self._outbox[0].file_index not in self._unmade:
            with self._outbox.popleft() as piece:
                self._writer.offer(piece)
        if self._closed and not self._outbox:
            self._writer.close()

    # The end.

    def asked_by(self, last_exposed: int | None) -> int | None:
        """Return the last counter, of those up to `last_exposed`, that a capture under way asks for."""
        if last_exposed is None or self.capture is None or self.capture.last is None:
            return None
        asked = self.capture.window.last_asked(self.capture.last, None)
        return last_exposed if asked is None else min(last_exposed, asked)

    def close(self) -> None:
        """Accept no more spans; what captures ask for of those that came is still written."""
        if self._closed:
            return
        super().close()
        if self.capture is not None and self.capture.last is not None:
            self.capture.lacks = self.capture.window.missing_after(self.capture.last)
        for _, _, future in self._due:
            if not future.done():
                future.set_exception(CameraError(ENDED))
        self._due.clear()
        while self._spans:
            self._let_go()
        self._flush()

    def discard(self) -> None:
        """Close the ring and the channel behind it, and release the leases of all spans in them."""
        self.close()
        while self._outbox:
            self._outbox.popleft().release()
        self._writer.discard()
