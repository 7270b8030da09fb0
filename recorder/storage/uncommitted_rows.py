"""Rows of frames whose pixels are written, until these frames are committed."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.checksum import checksums
from recorder.frames.metadata import stored_columns
from recorder.frames.pool import FrameSpan


class UncommittedRows:
    """Metadata of frames, and their checksums where these are wanted; used from one thread."""

    def __init__(self, *, checksums: bool) -> None:
        self.first: NDArray[Any] | None = None  # the file's first row, from which its clocks count
        self._metadata: list[NDArray[Any]] = []
        self._sums: list[NDArray[np.uint32]] = []
        self._summing = ThreadPoolExecutor(1, "checksum") if checksums else None

    def __bool__(self) -> bool:
        return bool(self._metadata)

    @contextlib.contextmanager
    def adding(self, span: FrameSpan) -> Iterator[None]:
        """Add the rows of a span if its pixels are written during `with`, which is summed up beside."""
        sums = self._summing.submit(_checksums, span) if self._summing else None
        try:
            yield
        finally:
            summed = sums.result() if sums else None
        # A copy: the block is filled anew long before its rows are committed.
        self._metadata.append(span.metadata.copy())
        if summed is not None:
            self._sums.append(summed)

    def metadata(self) -> NDArray[Any]:
        """Return all rows (n,)."""
        return np.concatenate(self._metadata)

    def columns(self, metadata: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the values (n,) of each of the file's columns, for its rows `metadata` (n,)."""
        first = metadata[0] if self.first is None else self.first
        return [*stored_columns(metadata, first), *([np.concatenate(self._sums)] if self._sums else [])]

    def clear(self) -> None:
        """Forget the rows, which are committed or given up."""
        self._metadata.clear()
        self._sums.clear()

    def close(self) -> None:
        """Let go of the thread that sums up; a second time does nothing."""
        if self._summing is not None:
            self._summing.shutdown()


def _checksums(span: FrameSpan) -> NDArray[np.uint32]:
    return checksums(memoryview(frame).cast("B") for frame in span.pixels)
