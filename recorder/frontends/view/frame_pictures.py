"""Pictures of the frames of a recording in files, read and made on a thread of their own."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.opened.frame_reader import FrameReader
from recorder.files.opened.frames import Frames
from recorder.frames.region_means import Box
from recorder.preview.baseline import Baseline
from recorder.preview.live import Maker
from recorder.preview.picture import Picture, Region, Renderer
from recorder.preview.regions import RegionMean, region_means

# Where a frame takes the disk longer than this, a newer wish takes its place.
PATIENCE_S = 0.25

# A baseline is the mean of so many frames, evenly over its time; one that follows the frames begins with so
# many of those before the one that is gone to.
BASELINE_FRAMES = 24
SEED_FRAMES = 8


@dataclass(frozen=True)
class Rows:
    """What is known of each frame (N,): time in s, the camera's counter, exposure in s."""

    times: NDArray[np.float64]
    numbers: NDArray[np.uint64]
    exposures: NDArray[np.float64]


@dataclass(frozen=True)
class Wish:
    """A frame that is to be seen, and how the displays show it.

    `baseline` is None where frames are shown as they are; `is_of_all`: it is that of the whole recording,
    else its time begins here. `is_jump`: the frame does not follow the one shown before.
    `is_outdated` is asked on the thread: a newer wish is there.
    """

    index: int
    rows: Rows
    make: Maker
    region: Region | None
    boxes: Mapping[str, Box]
    baseline: Baseline | None
    is_of_all: bool
    is_jump: bool
    is_outdated: Callable[[], bool]


@dataclass(frozen=True)
class Shown:
    """A picture with the means of the regions as it shows them, and in `counts`; what it cost.

    `wants_more`: the baseline is not complete yet, the next picture will have more of it.
    """

    picture: Picture
    means: tuple[RegionMean, ...]
    counts: tuple[RegionMean, ...]
    wants_more: bool
    cpu_s: float
    read_bytes: int


class FramePictures:
    """Reads frames and makes pictures of them, one at a time, each on whatever thread calls."""

    def __init__(self, frames: Frames, renderer: Renderer) -> None:
        self._frames, self.renderer = frames, renderer
        self._readers = (FrameReader(frames), FrameReader(frames))
        # The frame that is read, and which of its rows.
        self._held: tuple[int, range, NDArray[Any]] | None = None
        self._read_bytes = 0
        # The baseline that followed the picture before, of which part of the frames, and up to when in s.
        self._followed: tuple[Baseline | None, Region | None, float] = (None, None, math.nan)
        # The baseline that is being taken, and the frames it still needs.
        self._taken: Baseline | None = None
        self._needed: deque[int] = deque()

    def make(self, wish: Wish) -> Shown | None:
        """Return the picture of a frame, None where a newer wish came while the disk took its time.

        Blocks for the disk. Raises DamagedFileError and StorageError where the frame cannot be read.
        """
        began_s, self._read_bytes = time.thread_time(), 0
        frame = self._read(wish.index, self._rows_for(wish), wish.is_outdated)
        if frame is None:
            return None
        wants_more = self._prepare(wish) if wish.baseline is not None else False
        if wish.is_jump:
            self.renderer.begin_levels()
        picture, means = wish.make(frame, *self._about(wish, wish.index))
        counts = means if picture.mode == "raw" else region_means(frame, wish.boxes, None)
        return Shown(picture, means, counts, wants_more, time.thread_time() - began_s, self._read_bytes)

    def means_of(self, index: int, boxes: Mapping[str, Box]) -> tuple[tuple[RegionMean, ...], int]:
        """Return the means of regions in a frame, in counts, and how much was read; on another thread.

        Blocks for the disk; raises as `make` does.
        """
        _, height, width = self._frames.shape
        rows = _hull([(y0, y1) for _, y0, _, y1 in boxes.values()], height)
        band = np.empty((1, len(rows), width), self._frames.dtype)
        self._frames.read_into(index, band, slice(rows.start, rows.stop))
        moved = {name: (x0, y0 - rows.start, x1, y1 - rows.start) for name, (x0, y0, x1, y1) in boxes.items()}
        found = region_means(band[0], moved, None)
        there = [
            RegionMean(mean.name, box, mean.colour, mean.mean)
            for mean, box in zip(found, boxes.values(), strict=True)
        ]
        return tuple(there), band.nbytes

    def _rows_for(self, wish: Wish) -> range:
        """Return the rows that the picture and the regions need."""
        _, height, _ = self._frames.shape
        if wish.region is None:
            return range(height)
        _, y, _, high = wish.region
        return _hull([(y, y + high), *((y0, y1) for _, y0, _, y1 in wish.boxes.values())], height)

    def _read(self, index: int, rows: range, is_outdated: Callable[[], bool]) -> NDArray[Any] | None:
        """Return a frame of which these rows are read; None where it takes long and a newer wish came."""
        if self._held is not None:
            held, there, frame = self._held
            if held == index and rows.start >= there.start and rows.stop <= there.stop:
                return frame
        self._held = None
        began_s = time.monotonic()

        def goes_on() -> bool:
            return time.monotonic() - began_s <= PATIENCE_S or not is_outdated()

        read = self._readers[0].read(index, rows, goes_on)
        self._read_bytes += len(rows) * self._frames.frame_bytes // self._frames.shape[1]
        if read is not None:
            self._held = (index, rows, read)
        return read

    def _about(self, wish: Wish, index: int) -> tuple[int, float, float]:
        """Return the counter of a frame, its time and its exposure."""
        rows = wish.rows
        return int(rows.numbers[index]), float(rows.times[index]), float(rows.exposures[index])

    def _whole(self, index: int) -> NDArray[Any]:
        """Return all of another frame; valid until the next call."""
        frame = self._readers[1].read(index, range(self._frames.shape[1]))
        self._read_bytes += self._frames.frame_bytes
        if frame is None:
            raise AssertionError("nothing keeps it from being read")
        return frame

    def read_aside(self, *, aside: bool) -> None:
        """Have frames read past the page cache from now on, or no longer."""
        for reader in self._readers:
            reader.aside = aside

    def close(self) -> None:
        """Let go of the files."""
        self._held = None
        for reader in self._readers:
            reader.close()

    # Baselines.

    def _prepare(self, wish: Wish) -> bool:
        """Have the baseline see the frames that it is made of, one a time; return whether it needs more."""
        baseline = wish.baseline
        assert baseline is not None
        if baseline.is_running:
            self._follow(baseline, wish)
            return False
        exposure_s = float(wish.rows.exposures[wish.index])
        is_other = baseline.frames > 0 and not _same(exposure_s, baseline.exposure_s)
        if baseline is not self._taken or is_other:
            if not baseline.is_being_taken and is_other:
                baseline.begin()
            self._taken, self._needed = baseline, deque(_frames_for(wish, baseline, exposure_s))
        if baseline.is_being_taken and self._needed:
            index = self._needed.popleft()
            _, at_s, exposure_s = self._about(wish, index)
            baseline.see(self._whole(index), at_s, exposure_s)
            if not self._needed:
                baseline.complete()
        return baseline.is_being_taken and bool(self._needed)

    def _follow(self, baseline: Baseline, wish: Wish) -> None:
        """Begin a baseline that follows the frames anew where this picture does not follow the one before."""
        at_s = float(wish.rows.times[wish.index])
        before, region, last_s = self._followed
        self._followed = (baseline, wish.region, at_s)
        is_same = before is baseline and region == wish.region
        if is_same and 0 <= at_s - last_s <= max(1.0, baseline.seconds / 4):
            return
        baseline.begin()
        begin = int(np.searchsorted(wish.rows.times, at_s - baseline.seconds))
        for earlier in _evenly(np.arange(begin, wish.index), SEED_FRAMES):
            wish.make(self._whole(earlier), *self._about(wish, earlier))


def _frames_for(wish: Wish, baseline: Baseline, exposure_s: float) -> list[int]:
    """Return the frames of which a captured baseline is the mean, in their order; this one at least."""
    times = wish.rows.times
    begin, end = 0, len(times)
    if not wish.is_of_all:
        # Where less is left than is asked for, from earlier on.
        from_s = min(float(times[wish.index]), float(times[-1]) - baseline.seconds)
        begin = int(np.searchsorted(times, from_s))
        end = min(len(times), int(np.searchsorted(times, from_s + baseline.seconds)) + 1)
    exposures = wish.rows.exposures[begin:end]
    is_same = np.isnan(exposures) if math.isnan(exposure_s) else exposures == exposure_s
    return _evenly(begin + np.flatnonzero(is_same), BASELINE_FRAMES) or [wish.index]


def _evenly(indices: NDArray[np.intp], count: int) -> list[int]:
    """Return at most `count` of the indices, spread over them, the first and the last among them."""
    if len(indices) <= count:
        return [int(index) for index in indices]
    places = np.linspace(0, len(indices) - 1, count).round().astype(np.intp)
    return [int(index) for index in indices[places]]


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _hull(parts: list[tuple[int, int]], height: int) -> range:
    """Return the rows from the first to the last of the parts inside of the frame, one at least."""
    low = min(begin for begin, _ in parts)
    low = max(0, min(low, height - 1))
    return range(low, max(low + 1, min(max(end for _, end in parts), height)))
