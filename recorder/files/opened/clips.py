"""Frames around marks, on one axis of time; where a frame is missing, there is none."""

import fnmatch
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError, did_you_mean
from recorder.files.opened.frames import Frames
from recorder.files.opened.traces import Region, Roi

# The resolution of cameras' clocks.
EDGE_S = 1e-6


class Clips:
    """The clips around M marks, T moments each; `clips[i]` reads one.

    `time` (T,) are the moments in s from the marked frame's, `step` s apart; `index` (M, T) is the frame
    nearest to each by the camera's clock, -1 where none is: it was lost, or the recording begins later or
    ends before. So a loss leaves a hole, and never moves what comes after it. `marks` (M,) are the marks'
    rows.
    """

    def __init__(
        self, frames: Frames, marks: NDArray[np.void], time: NDArray[np.float64], index: NDArray[np.int64]
    ) -> None:
        """See `clips_around`."""
        self._frames = frames
        self.marks, self.time, self.index = marks, time, index

    @property
    def step(self) -> float:
        """Time between two moments in s."""
        return float(self.time[1] - self.time[0]) if len(self.time) > 1 else 0.0

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where no frame is (M, T)."""
        return self.index < 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Marks, moments, height, width."""
        return (*self.index.shape, *self._frames.shape[1:])

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return (
            f"<Clips around {len(self)} marks, {len(self.time)} frames each from {self.time[0]:+.6g} s to "
            f"{self.time[-1]:+.6g} s, {int(self.missing.sum())} missing>"
        )

    def __getitem__(self, number: int) -> "np.ma.MaskedArray[Any, np.dtype[Any]]":
        """Read clip `number` (T, H, W), masked where no frame is; numpy.ma.filled(clip, 0) has 0 there."""
        index = self.index[number]
        if index.ndim != 1:
            raise IndexError("clips are read one by one: clips[3]")
        pixels = np.zeros((len(index), *self._frames.shape[1:]), self._frames.dtype)
        there = index >= 0
        pixels[there] = self._frames[index[there]]
        missing = np.broadcast_to(~there[:, np.newaxis, np.newaxis], pixels.shape)
        return np.ma.MaskedArray(pixels, missing)

    def __iter__(self) -> Iterator["np.ma.MaskedArray[Any, np.dtype[Any]]"]:
        return (self[number] for number in range(len(self)))

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of the clips (T, H, W), of those that have a frame there; NaN where none has."""
        sums = np.zeros(self.shape[1:])
        for index in self.index:
            for moment in np.flatnonzero(index >= 0):
                sums[moment] += self._frames[int(index[moment])]
        counts = (self.index >= 0).sum(axis=0)[:, np.newaxis, np.newaxis]
        return np.asarray(np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0))

    def trace(self, roi: Roi | None = None) -> NDArray[np.float64]:
        """Return the mean of `roi` (as for a recording) in each clip (M, T), NaN where no frame is."""
        region = Region.of(roi, *self._frames.shape[1:])
        means = np.full(self.index.shape, np.nan)
        for clip, index in zip(means, self.index, strict=True):
            for moment in np.flatnonzero(index >= 0):
                frame = int(index[moment])
                clip[moment] = region.mean(self._frames[frame : frame + 1, region.rows])[0]
        return means


def clips_around(
    frames: Frames,
    times: NDArray[np.float64],
    marks: NDArray[np.void],
    pattern: str,
    before: float,
    after: float,
    step: float | None,
) -> Clips:
    """See `OpenedRecording.clips`; `times` (N,) are the frames'."""
    if not (before >= 0 and after >= 0 and before + after > 0):
        raise UsageError(
            f"clips: before = {before} s and after = {after} s; one must be above 0, neither below"
        )
    labels = marks["label"].tolist()
    is_here = (marks["frame"] >= 0) & (marks["frame"] < len(times))
    chosen = marks[np.array([fnmatch.fnmatchcase(label, pattern) for label in labels], bool) & is_here]
    if not len(chosen):
        raise UsageError(
            f'clips: no mark "{pattern}" on a frame that is here{did_you_mean(pattern, set(labels))}'
        )
    moments = times[chosen["frame"]]
    # A clock is not exact to the last digit: a frame at the very end belongs to it.
    begins = np.searchsorted(times, moments - before - EDGE_S, "left")
    ends = np.searchsorted(times, moments + after + EDGE_S, "right")
    interval = float(_interval(times, begins, ends) if step is None else step)
    if not interval > 0:
        raise UsageError(f"clips: step = {interval} s; write the time between two moments, above 0")
    first, last = round(-before / interval), round(after / interval)
    index = np.full((len(chosen), last - first + 1), -1, np.int64)
    for row, frame in enumerate(chosen["frame"].tolist()):
        offsets = (times - times[frame])[begins[row] : ends[row]] / interval
        places = np.round(offsets).astype(np.int64)
        if step is None and len(np.unique(places)) < len(places):
            raise UsageError(
                f"clips: around the mark on frame {frame} frames come faster than every {interval:.6g} s, as "
                "others do; give the time between two moments as step="
            )
        # The nearest is written last.
        order = np.argsort(-np.abs(offsets - places), kind="stable")
        order = order[(places[order] >= first) & (places[order] <= last)]
        index[row, places[order] - first] = begins[row] + order
    axis = np.asarray(np.arange(first, last + 1) * interval, np.float64)
    return Clips(frames, chosen, axis, index)


def _interval(times: NDArray[np.float64], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> float:
    """Return the interval of frames in s: the usual one within the clips, as exactly as they tell it."""
    intervals = []
    for begin, end in zip(begins, ends, strict=True):
        differences = np.diff(times[begin:end])
        if len(differences):
            usual = float(np.median(differences))
            # Over all of a clip the clock's own resolution matters less; a gap counts for what it holds.
            held = np.round(differences / usual) if usual > 0 else np.zeros(1)
            intervals.append(float(differences.sum() / held.sum()) if held.sum() else usual)
    if not intervals:
        raise UsageError("clips: no two frames in any of them; take more before or after")
    return float(np.median(intervals))
