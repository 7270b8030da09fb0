"""Pixels on their way to the disk: while some are written the next are prepared."""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from recorder.frames.pool import WRITER, FrameSpan
from recorder.storage.chunk_writer import ChunkWriter
from recorder.storage.packed_span import PackedSpan
from recorder.storage.uncommitted_rows import UncommittedRows

# The rows of the frames of a span, and what else is stored of them.
Written = tuple[NDArray[Any], Sequence[NDArray[Any]]]

# So many spans may be under way while the next is prepared: one that is written, and one after it.
AHEAD = 2


class PixelWrites:
    """Writes the pixels of spans, one after the other; once they are in place `rows` get theirs.

    On a thread of its own, but for what the library itself writes. Used from one thread; raises OSError.
    """

    def __init__(self, chunks: ChunkWriter, rows: UncommittedRows, on_buffered: Callable[[], object]) -> None:
        self.frames = 0  # whose pixels are in place, or under way
        self._chunks, self._rows, self._on_buffered = chunks, rows, on_buffered
        self._thread = ThreadPoolExecutor(1, "pixels")
        self._under_way: deque[tuple[int, Future[Written]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def add(self, span: FrameSpan | PackedSpan) -> None:
        """Write a span behind those there are, or have it written, for which the dataset has room.

        One that is under way is leased until it is written, and what is computed of it is done.
        """
        if self._chunks.is_packed:
            # The library writes: in turn with what is written without it.
            self.note()
        write = self._chunks.prepare(self.frames, span, self._on_buffered)
        if isinstance(span, PackedSpan):
            self._rows.add(span.metadata, span.computed)
        else:
            computing = self._rows.begin(span)
            done = self._thread.submit(_carry_out, span.share(WRITER), write, computing)
            self._under_way.append((len(span), done))
        self.frames += len(span)

    def note(self, *, leaving: int = 0) -> None:
        """Wait until no more than `leaving` spans are under way, and take up the rows of those written.

        Raises what writing one raised: it and all behind it count as not written.
        """
        try:
            while len(self._under_way) > leaving:
                self._rows.add(*self._under_way[0][1].result())
                self._under_way.popleft()
        except BaseException:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Wait for what is under way, whatever becomes of it: it gets no rows."""
        self.frames -= sum(count for count, _ in self._under_way)
        while self._under_way:
            with contextlib.suppress(Exception):
                self._under_way.popleft()[1].result()

    def close(self) -> None:
        """End the thread once nothing is under way any more; a second time does nothing."""
        self._thread.shutdown()


def _carry_out(
    span: FrameSpan, write: Callable[[], None] | None, computing: Sequence[Future[Any]]
) -> Written:
    with span:
        try:
            if write is not None:
                write()
        finally:
            computed = [future.result() for future in computing]
        # A copy: the block is filled anew long before its rows are committed.
        return span.metadata.copy(), computed
