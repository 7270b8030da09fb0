"""What a report is about: a recording, and what was found out about it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.files.clocks import all_late_s
from recorder.files.export.plan import bits_of
from recorder.files.opened.file_times import clock_columns
from recorder.files.opened.recording import OpenedRecording
from recorder.files.report.intervals import Intervals, intervals_of
from recorder.files.report.samples import Samples, read_samples
from recorder.frames.clock_fit import ClockFit


@dataclass(frozen=True)
class Found:
    """A recording with its intervals, clocks and samples; `samples` is None where it holds no frame.

    `late_s` is how much later than the quickest ones each frame (N,) came, NaN where it is not known.
    """

    recording: OpenedRecording
    intervals: Intervals
    clocks: tuple[ClockFit | None, ...]
    late_s: NDArray[np.float64]
    samples: Samples | None

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Which frames are in each file."""
        return _parts(self.recording)

    @cached_property
    def lost(self) -> int:
        """How many frames are missing."""
        return int(self.recording.losses["count"].sum())

    @property
    def temperature(self) -> NDArray[np.float32]:
        """The temperatures of the sensor that are known (n,)."""
        known = self.recording.temperature
        return known[np.isfinite(known)]

    @cached_property
    def exposures(self) -> list[tuple[int, float]]:
        """The frames from which on the exposure was another one, each with it in s (NaN: not known)."""
        seconds = self.recording.exposure
        if not len(seconds):
            return []
        same = (seconds[1:] == seconds[:-1]) | (np.isnan(seconds[1:]) & np.isnan(seconds[:-1]))
        return [(i, float(seconds[i])) for i in [0, *(np.flatnonzero(~same) + 1).tolist()]]


def find(recording: OpenedRecording, progress: Callable[[int, int], object]) -> Found:
    """Find out what a report tells; blocks for some seconds.

    `progress` hears how many frames of how many were read. Raises UsageError for what cannot be reported,
    DamagedFileError and StorageError.
    """
    if recording.frames.dtype.itemsize > 2:
        raise UsageError(
            f"{recording.files[0].path}: its pixels are {recording.frames.dtype}; a recorder's have 16 bits"
        )
    parts = _parts(recording)
    samples = None
    if len(recording):
        samples = read_samples(recording.frames, bits_of(recording), progress)
    columns = [clock_columns(file) for file in recording.contents]
    return Found(
        recording,
        intervals_of(recording.time, recording.frame_number, parts),
        recording.clocks,
        np.concatenate(all_late_s(recording.clocks, columns)),
        samples,
    )


def _parts(recording: OpenedRecording) -> tuple[slice, ...]:
    return tuple(slice(file.first, file.first + file.frames) for file in recording.files)
