"""Threads that pack blocks between the channel and the storage thread, as many as they can in time.

    offer ──► queue ──► a compressor: packs it, gives the block back ──► receive, in the order of offer
                └── while frames are in danger: as it is ────────────────┘

While the pool is filling up, the disk never waits for a block that nobody has begun to pack: it gets it as it
is. Then compressors leave to it those that it would be at before they are done: compression costs no frame,
however little of the processors there is for it. Blosc lets other threads run; memory is that of the pool,
and some buffers made at the start. Where a file wants its values moved to a ladder first, that is done into
a buffer: others look at the block.
"""

import asyncio
import contextlib
import itertools
import logging
import math
import mmap
import threading
import time
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

# How often a thread for which there is no block or no buffer looks again.
LOOK_S = 0.02

# Of how long a block takes to be written, so much is the last one's time; of the longest that one took to be
# packed, so much is left with each after it.
NEWEST = 0.25
FORGETS = 0.9

# The file that frames of such a `file_index` go to; called on any thread.
FileOf = Callable[[int], FrameFile]


class Work:
    """A whole block to be packed: `result` is what the writer gets, None until it is known.

    `place` is the block's in the order of all.
    """

    __slots__ = ("is_unwanted", "place", "result", "span")

    def __init__(self, span: FrameSpan, place: int) -> None:
        self.span, self.place = span, place
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
        self._places = itertools.count()
        self._next_place = 0  # of the block that the disk gets next
        self._pack_s = self._write_s = 0.0  # that a block takes, of late
        self._fill: Callable[[], float] = lambda: 0.0
        self._threads = [
            threading.Thread(target=self._run, args=(room,), name=f"compressor-{i}")
            for i, room in enumerate(pieces[:moved] or [None] * count)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, span: FrameSpan) -> Work:
        """Have a whole block packed, or left as it is; the lease goes with it."""
        with self._changed:
            self._fill = span.pool_fill
            work = Work(span, next(self._places))
            self._queue.append(work)
            self._look()
            self._changed.notify()
        return work

    def as_it_is(self, work: Work) -> bool:
        """Take back the first block that is not done, for a disk with nothing to do; False: it is to wait.

        That is where somebody packs it, or will before frames are in danger.
        """
        with self._changed:
            self._look()
            is_wanted = self._is_behind or self._has_failed or not self._free
            if not is_wanted or not self._queue or self._queue[0] is not work:
                return False
            self._queue.popleft()
            work.result = work.span
            return True

    def drop(self, work: Work) -> None:
        """Give up a block that was added: what of leases and buffers it holds is given back."""
        with self._changed:
            work.is_unwanted, result = True, work.result
            if work in self._queue:
                self._queue.remove(work)
                result = work.span
        if result is not None:
            result.release()

    def written(self, blocks: int, seconds: float) -> None:
        """Note that the next blocks in their order are written, and how long that took."""
        with self._changed:
            self._next_place += blocks
            if blocks:
                self._write_s += (seconds / blocks - self._write_s) * (NEWEST if self._write_s else 1)
            self._look()
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
            began_s = time.perf_counter()
            result = self._pack(work.span, buffer, room)
            # The longest of late: one that is late itself holds up all behind it.
            self._pack_s = max(time.perf_counter() - began_s, self._pack_s * FORGETS)
            with self._changed:
                work.result = result
                is_unwanted = work.is_unwanted
            if is_unwanted:
                result.release()
            self._wake()

    def _next(self) -> tuple[Work, memoryview] | None:
        """Wait for a block to pack; return it with a buffer. None: no more come."""
        with self._changed:
            while self._queue or not self._is_closing:
                if self._free and not self._has_failed and (work := self._choose()) is not None:
                    return work, self._free.popleft()
                self._changed.wait(LOOK_S if self._queue else None)
            return None

    def _choose(self) -> Work | None:
        """Take the first block from the queue that is packed before the disk is at it."""
        first = 0
        if self._is_behind and self._write_s > 0:
            first = self._next_place + math.ceil(self._pack_s / self._write_s)
        for i, work in enumerate(self._queue):
            if work.place >= first:
                del self._queue[i]
                return work
        return None

    def _look(self) -> None:
        """Find out whether frames are in danger."""
        fill = self._fill()
        if fill >= BEHIND_FILL:
            self._is_behind = True
        elif fill <= CAUGHT_UP_FILL:
            self._is_behind = False

    def _pack(self, span: FrameSpan, buffer: memoryview, room: memoryview | None) -> FrameSpan | PackedSpan:
        try:
            file, pixels = self._file_of(span.file_index), span.pixels
            if file.ladder is not None and room is not None:
                pixels = np.frombuffer(room, pixels.dtype, pixels.size).reshape(pixels.shape)
                file.ladder.apply(span.pixels, pixels, exact=timestamp.PIXELS)
            size = pack(pixels, buffer)
            computed = file.compute(span, pixels) if size else ()
        except Exception as error:  # whatever the library says, the frames are there
            with self._changed:
                is_first, self._has_failed, size = not self._has_failed, True, 0
            if is_first:
                log.warning("compression: %r; frames are stored as they are from now on", error)
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
        self._in_hand, self._given_s = 0, 0.0

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
        self._compressors.written(self._in_hand, time.perf_counter() - self._given_s)
        self._in_hand = 0
        while True:
            await self._ready.wait()
            if found := self._take_ready():
                self._given_s = time.perf_counter()
                return found
            if self._closed and not self._spans:
                raise ChannelClosedError
            self._ready.clear()

    def _take_ready(self) -> list[FrameSpan | PackedSpan]:
        found: list[FrameSpan | PackedSpan] = []
        while self._spans:
            work = self._works[0]
            is_done = work is None or work.result is not None
            if not is_done and (found or work is None or not self._compressors.as_it_is(work)):
                break
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
