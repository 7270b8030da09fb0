"""Threads that pack blocks between the channel and the storage thread, as many as they can in time.

    offer ──► queue ──► a compressor: packs it, gives the block back ──► receive, in the order of offer
                └── while frames are in danger: as it is ────────────────┘

Where the pool fills up and the disk has nothing else to do, a block goes to the disk as it is: compression
costs no frame. Blosc lets other threads run; memory is that of the pool, and some buffers made at the start.
Where a file wants its values moved to a ladder first, that is done into a buffer: others look at the block.
"""

import asyncio
import contextlib
import logging
import mmap
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from recorder.camera import timestamp
from recorder.frames.channel import ChannelClosedError, SpanQueue
from recorder.frames.pool import PAGE, FrameSpan
from recorder.frames.threads import let_others_first
from recorder.storage.frame_file import FrameFile
from recorder.storage.packed_chunk import pack
from recorder.storage.packed_span import PackedSpan

log = logging.getLogger(__name__)

# Buffers for packed blocks, besides one for each thread: those that wait for the disk, or are being written.
BUFFERS = 6

# From this fill of the pool on blocks may go as they are, until it is down to the other.
BEHIND_FILL, CAUGHT_UP_FILL = 0.5, 0.25

# With so many blocks before it, ready or being written, the disk has enough to do to wait for a packed one.
ENOUGH_READY = 2

# How often a thread that waits for a buffer looks at the pool again.
LOOK_S = 0.02

# The file that frames of such a `file_index` go to; called on any thread.
FileOf = Callable[[int], FrameFile]


class Work:
    """A whole block to be packed: `result` is what the writer gets, None while it is worked on."""

    __slots__ = ("is_unwanted", "result", "span")

    def __init__(self, span: FrameSpan) -> None:
        self.span = span
        self.result: FrameSpan | PackedSpan | None = None
        self.is_unwanted = False


class Compressors:
    """`count` threads that pack; every method may be called on any thread, and only `close` waits.

    They also compute what else the file stores of a block: it is free afterwards. With `moves_values` files
    may have a ladder. `wake` is called whenever a block is done. Making them blocks while memory is touched.
    """

    def __init__(
        self,
        count: int,
        block_bytes: int,
        file_of: FileOf,
        wake: Callable[[], object],
        *,
        moves_values: bool = False,
    ) -> None:
        self._file_of, self._wake = file_of, wake
        size = -(-block_bytes // PAGE) * PAGE
        moved = count if moves_values else 0
        buffers = count + BUFFERS + moved
        arena = memoryview(mmap.mmap(-1, size * buffers))
        np.frombuffer(arena, np.uint8)[::PAGE] = 0
        pieces = [arena[i * size : (i + 1) * size] for i in range(buffers)]
        self._free = deque(pieces[moved:])
        self._queue: deque[Work] = deque()
        self._changed = threading.Condition()
        self._is_behind = self._is_closing = self._has_failed = False
        self._ready = 0  # blocks that are done and not written yet
        self._threads = [
            threading.Thread(target=self._run, args=(room,), name=f"compressor-{i}")
            for i, room in enumerate(pieces[:moved] or [None] * count)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, span: FrameSpan) -> Work:
        """Have a whole block packed, or left as it is; the lease goes with it."""
        work = Work(span)
        with self._changed:
            self._queue.append(work)
            self._changed.notify()
        return work

    def drop(self, work: Work) -> None:
        """Give up a block that was added: what of leases and buffers it holds is given back."""
        with self._changed:
            work.is_unwanted, result = True, work.result
            if work in self._queue:
                self._queue.remove(work)
                result = work.span
        if result is not None:
            result.release()

    def written(self, blocks: int) -> None:
        """Note that so many of the blocks that were done are written."""
        with self._changed:
            self._ready -= blocks
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads, once what is queued is done."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, room: memoryview | None) -> None:
        """Pack what comes; `room` is for the values of a block that are moved."""
        # Nothing in the camera's path waits for this thread, also not for a processor.
        let_others_first()
        while (task := self._next()) is not None:
            work, buffer = task
            result = work.span if buffer is None else self._pack(work.span, buffer, room)
            with self._changed:
                work.result = result
                self._ready += 1
                is_unwanted = work.is_unwanted
            if is_unwanted:
                result.release()
            self._wake()

    def _next(self) -> tuple[Work, memoryview | None] | None:
        """Wait for a block; return it with a buffer, None where it goes as it is. None: no more come."""
        with self._changed:
            while self._queue or not self._is_closing:
                if self._queue and self._goes_as_it_is(self._queue[0].span):
                    return self._queue.popleft(), None
                if self._queue and self._free:
                    return self._queue.popleft(), self._free.popleft()
                self._changed.wait(LOOK_S if self._queue else None)
            return None

    def _goes_as_it_is(self, span: FrameSpan) -> bool:
        fill = span.pool_fill()
        if fill >= BEHIND_FILL:
            self._is_behind = True
        elif fill <= CAUGHT_UP_FILL:
            self._is_behind = False
        return self._has_failed or (self._is_behind and self._ready < ENOUGH_READY)

    def _pack(self, span: FrameSpan, buffer: memoryview, room: memoryview | None) -> FrameSpan | PackedSpan:
        try:
            file, pixels = self._file_of(span.file_index), span.pixels
            if file.ladder is not None and room is not None:
                pixels = np.frombuffer(room, pixels.dtype, pixels.size).reshape(pixels.shape)
                file.ladder.apply(span.pixels, pixels, exact=timestamp.PIXELS)
            size = pack(pixels, buffer)
            computed = file.compute(span, pixels) if size else ()
        except Exception as error:  # whatever the library says, the frames are there
            log.warning("compression: %r; frames are stored as they are from now on", error)
            self._has_failed, size = True, 0
        if not size:
            self._give_back(buffer)
            return span
        give_back = partial(self._give_back, buffer)
        packed = PackedSpan(span, buffer[:size], computed, give_back)
        span.release()
        return packed

    def _give_back(self, buffer: memoryview) -> None:
        with self._changed:
            self._free.append(buffer)
            self._changed.notify()


class PackingChannel(SpanQueue):
    """A channel in which whole blocks are packed; what it brings is in the order in which it came.

    Blocks are packed of the files that want it; `file_of` knows them by their index. A part of a block passes
    as it is: it is written at once, and its chunk stored so.
    """

    def __init__(
        self, owner: str, file_of: FileOf, count: int, block_bytes: int, *, moves_values: bool = False
    ) -> None:
        super().__init__(owner)
        self._file_of = file_of
        self._loop = asyncio.get_running_loop()
        self._compressors = Compressors(count, block_bytes, file_of, self._wake, moves_values=moves_values)
        self._works: deque[Work | None] = deque()  # beside the spans
        self._in_hand = 0

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._ready.set)

    def _admit(self, span: FrameSpan) -> None:
        is_whole = len(span) == len(span.block.slots)
        self._works.append(
            self._compressors.add(span) if is_whole and self._file_of(span.file_index).packs else None
        )
        super()._admit(span)

    async def receive(self) -> list[FrameSpan | PackedSpan]:
        """Wait for spans to be written, and return them; those received before are written by now.

        The caller has to release them. Raises ChannelClosedError once the channel is closed and empty. A
        cancelled wait loses no span. One task at a time may wait.
        """
        self._compressors.written(self._in_hand)
        self._in_hand = 0
        while True:
            await self._ready.wait()
            if found := self._take_ready():
                return found
            if self._closed and not self._spans:
                raise ChannelClosedError
            self._ready.clear()

    def _take_ready(self) -> list[FrameSpan | PackedSpan]:
        found: list[FrameSpan | PackedSpan] = []
        while self._spans and ((work := self._works[0]) is None or work.result is not None):
            self._works.popleft()
            span = self._spans.popleft()
            found.append(span if work is None or work.result is None else work.result)
            self._in_hand += work is not None
        return found

    def discard(self) -> None:
        """Close the channel, and release the leases of all spans in it."""
        self.close()
        while self._spans:
            span, work = self._spans.popleft(), self._works.popleft()
            if work is None:
                span.release()
            else:
                self._compressors.drop(work)

    def end(self) -> None:
        """Let go of the threads and the memory; blocks for the length of a block."""
        self._compressors.close()
