"""Pixels on their way to the disk: while some are written the next are prepared."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from recorder.frames.pool import WRITER, FrameSpan

# The rows of the frames of a span, and what else is stored of them.
Written = tuple[NDArray[Any], Sequence[NDArray[Any]]]

# So many spans may be under way while the next is prepared: one that is written, and one after it.
AHEAD = 2


class PixelWrites:
    """Writes the pixels of spans one after the other on a thread of its own; used from one thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "pixels")
        self._under_way: deque[tuple[int, Future[Written]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def begin(self, span: FrameSpan, write: Callable[[], None], computing: Sequence[Future[Any]]) -> None:
        """Have `write` write the pixels of a span; `computing` is what is computed of them meanwhile.

        The span is leased until all of that is done. Does not block.
        """
        done = self._thread.submit(_carry_out, span.share(WRITER), write, computing)
        self._under_way.append((len(span), done))

    def written(self, *, leaving: int = 0) -> Iterator[Written]:
        """Wait until no more than `leaving` spans are under way; yield those that are written, in order.

        Raises what writing one raised, an OSError: then it and all behind it count as not written.
        """
        while len(self._under_way) > leaving:
            yield self._under_way[0][1].result()
            self._under_way.popleft()

    def give_up(self) -> int:
        """Wait for what is under way, whatever becomes of it; return how many frames that are."""
        frames = sum(count for count, _ in self._under_way)
        while self._under_way:
            with contextlib.suppress(Exception):
                self._under_way.popleft()[1].result()
        return frames

    def close(self) -> None:
        """End the thread once nothing is under way any more; a second time does nothing."""
        self._thread.shutdown()


def _carry_out(span: FrameSpan, write: Callable[[], None], computing: Sequence[Future[Any]]) -> Written:
    with span:
        try:
            write()
        finally:
            computed = [future.result() for future in computing]
        # A copy: the block is filled anew long before its rows are committed.
        return span.metadata.copy(), computed
