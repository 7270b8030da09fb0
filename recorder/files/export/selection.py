"""Which frames of a recording are wanted, and what of each."""

import itertools
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError, did_you_mean
from recorder.files.opened.clips import EDGE_S
from recorder.frames.region_means import Box
from recorder.units import format_seconds, parse_seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Frames for one output: their indices (n,) in the recording, in order.

    `name` tells it from the others, "" where it is the only one; times count from `zero_s`, in s since the
    recording's first frame.
    """

    name: str
    indices: NDArray[np.int64]
    zero_s: float


@dataclass(frozen=True)
class Shaping:
    """What becomes of a frame: the part inside `roi` (None: all), means of `binning` x `binning` pixels."""

    roi: Box | None = None
    binning: int = 1

    def check(self, height: int, width: int) -> None:
        """Raise UsageError where nothing of a frame (H, W) would be left."""
        if self.roi is not None:
            x0, y0, x1, y1 = self.roi
            if x1 > width or y1 > height:
                raise UsageError(
                    f"--roi {x0},{y0},{x1 - x0},{y1 - y0}: reaches beyond the frame of {width}x{height}"
                )
            height, width = y1 - y0, x1 - x0
        if self.binning > min(height, width):
            raise UsageError(f"--bin {self.binning}: more than the {width}x{height} pixels that there are")

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what becomes of a frame (H, W)."""
        if self.roi is not None:
            x0, y0, x1, y1 = self.roi
            height, width = y1 - y0, x1 - x0
        return height // self.binning, width // self.binning

    def __call__(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return what becomes of frames (n, H, W), C-contiguous, of the same type.

        Means are rounded; rows and columns that fill no bin are left out.
        """
        if self.roi is not None:
            x0, y0, x1, y1 = self.roi
            frames = frames[:, y0:y1, x0:x1]
        n = self.binning
        if n > 1:
            height, width = frames.shape[1] // n, frames.shape[2] // n
            cut = frames[:, : height * n, : width * n]
            sums = cut.reshape(-1, height, n, width, n).sum(axis=(2, 4), dtype=np.uint64)
            frames = ((sums + n * n // 2) // (n * n)).astype(frames.dtype)
        return np.ascontiguousarray(frames)


def parse_roi(text: str) -> Box:
    """Return "x,y,w,h" as x0, y0, x1, y1; raises UsageError."""
    try:
        x, y, w, h = (int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--roi {text}: write x,y,w,h in pixels, for example 200,100,64,64") from None
    if x < 0 or y < 0 or w < 1 or h < 1:
        raise UsageError(f"--roi {text}: x and y from 0 on, w and h from 1 on")
    return x, y, x + w, y + h


def in_range(text: str, frames: int) -> NDArray[np.int64]:
    """Return the indices that "100:200" means of so many frames, as a slice in Python; raises UsageError."""
    words = text.split(":")
    try:
        first, stop = (int(word) if word.strip() else None for word in words)
    except ValueError:
        raise UsageError(f"--frames {text}: write FIRST:STOP, for example 100:200 for 100 frames") from None
    found = np.arange(frames)[first:stop]
    if not len(found):
        raise UsageError(f"--frames {text}: none of the {frames} frames")
    if stop is not None and stop > frames:
        log.warning("--frames %s: there are %d frames, the last one is %d", text, frames, frames - 1)
    return found


def in_time(text: str, times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of frames from one time to before another, "2s:5s", after the first frame.

    Raises UsageError.
    """
    words = text.split(":")
    try:
        begin, end = (parse_seconds(word) if word.strip() else None for word in words)
    except ValueError as error:
        hint = "write FROM:TO, for example 2s:5s" if len(words) != 2 else str(error)
        raise UsageError(f"--time {text}: {hint}") from None
    after = np.ones(len(times), bool) if begin is None else times >= begin
    before = np.ones(len(times), bool) if end is None else times < end
    found = np.flatnonzero(after & before)
    if not len(found):
        last = format_seconds(round(float(times[-1]), 3)) if len(times) else "no time at all"
        raise UsageError(f"--time {text}: no frame; the recording lasts {last}")
    return found


def around_marks(
    pattern: str,
    marks: Sequence[tuple[int, str]],
    times: NDArray[np.float64],
    before_s: float,
    after_s: float,
) -> list[Part]:
    """Return a part for each of the `marks` (frame, label) whose label matches; times count from its frame.

    Raises UsageError where none does.
    """
    here = [(frame, label) for frame, label in marks if 0 <= frame < len(times)]
    parts: list[Part] = []
    names: set[str] = set()
    for frame, label in here:
        if not fnmatchcase(label, pattern):
            continue
        zero_s = float(times[frame])
        inside = (times >= zero_s - before_s - EDGE_S) & (times <= zero_s + after_s + EDGE_S)
        name = _new_name(label, names)
        names.add(name.lower())
        parts.append(Part(name, np.flatnonzero(inside), zero_s))
    if not parts:
        near = (
            did_you_mean(pattern, {label for _, label in here}) if here else "; there are no marks on frames"
        )
        raise UsageError(f'--around "{pattern}": no mark of that name{near}')
    return parts


def _new_name(label: str, taken: Collection[str]) -> str:
    """Return a name for files that is not `taken`, whether or not capitals count."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in label)
    numbered = (plain if number == 1 else f"{plain}_{number}" for number in itertools.count(1))
    return next(name for name in numbered if name.lower() not in taken)
