"""Rows of frames whose pixels are written, until these frames are committed."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.checksum import checksums
from recorder.frames.metadata import channel_of, stored_columns
from recorder.frames.pool import FrameSpan
from recorder.frames.region_means import Box, means_of

log = logging.getLogger(__name__)

# From this fill of the pool on no means are taken: frames come first.
BUSY_FILL = 0.75


class _BesideWriting:
    """What is computed of each span on a thread of its own while its pixels are written."""

    def __init__(self, name: str, compute: Callable[[FrameSpan, NDArray[Any]], NDArray[Any]]) -> None:
        self.thread = ThreadPoolExecutor(1, name)
        self.compute = compute
        self.values: list[NDArray[Any]] = []


class UncommittedRows:
    """Metadata of frames, and what of checksums, means of `regions` and counts from a `trigger` is wanted.

    Used from one thread, but for `compute`.
    """

    def __init__(
        self,
        *,
        checksums: bool,
        regions: Collection[Box] = (),
        trigger: int | None = None,
        channels: int = 0,
    ) -> None:
        self._trigger = trigger
        self.first: NDArray[Any] | None = None  # the file's first row, from which its clocks count
        self.without_means = 0  # frames whose means were not taken, for want of time
        self._counting = threading.Lock()
        self._metadata: list[NDArray[Any]] = []
        self._regions, self._channels = tuple(regions), channels
        self._beside = [_BesideWriting("checksum", _checksums)] if checksums else []
        if regions:
            self._beside.append(_BesideWriting("regions", self._means))

    def __bool__(self) -> bool:
        return bool(self._metadata)

    def begin(self, span: FrameSpan) -> list[Future[NDArray[Any]]]:
        """Have computed what is stored of the frames of a span besides their metadata, and return that."""
        return [kind.thread.submit(kind.compute, span, span.pixels) for kind in self._beside]

    def compute(self, span: FrameSpan, pixels: NDArray[Any]) -> list[NDArray[Any]]:
        """Return what is stored of the frames of a span besides their metadata; on any thread.

        `pixels` (n, H, W) are those that are stored.
        """
        return [kind.compute(span, pixels) for kind in self._beside]

    def add(self, metadata: NDArray[Any], computed: Sequence[NDArray[Any]]) -> None:
        """Add the rows (n,) of frames whose pixels are written, and what was computed of them."""
        self._metadata.append(metadata)
        for kind, values in zip(self._beside, computed, strict=True):
            kind.values.append(values)

    def _means(self, span: FrameSpan, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return the means (n, R), NaN where frames may soon be lost for want of room."""
        if span.pool_fill() < BUSY_FILL:
            return means_of(pixels, self._regions)
        with self._counting:
            if not self.without_means:
                log.warning(
                    "region means: the disk is behind, they are left out (NaN) until it has caught up"
                )
            self.without_means += len(span)
        return np.full((len(span), len(self._regions)), np.nan)

    def metadata(self) -> NDArray[Any]:
        """Return all rows (n,)."""
        return np.concatenate(self._metadata)

    def columns(self, metadata: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the values (n,) of each of the file's columns, for its rows `metadata` (n,).

        Those of the metadata come first, then the count from the trigger, channel and checksum, then the mean
        of each region.
        """
        first = metadata[0] if self.first is None else self.first
        count = self._channels
        channel = [channel_of(metadata["frame_number"], count)] if count else []
        computed = (np.concatenate(kind.values) for kind in self._beside)
        return [
            *stored_columns(metadata, first),
            *([] if self._trigger is None else [metadata["frame_number"].astype(np.int64) - self._trigger]),
            *channel,
            *(row for values in computed for row in np.atleast_2d(values.T)),
        ]

    def clear(self) -> None:
        """Forget the rows, which are committed or given up."""
        self._metadata.clear()
        for kind in self._beside:
            kind.values.clear()

    def close(self) -> None:
        """Let go of the threads that compute; a second time does nothing."""
        for kind in self._beside:
            kind.thread.shutdown()


def _checksums(_: FrameSpan, pixels: NDArray[Any]) -> NDArray[np.uint32]:
    return checksums(memoryview(frame).cast("B") for frame in pixels)
