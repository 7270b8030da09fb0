"""The recordings of several cameras as a notebook sees them: by name, and frame beside frame."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import NotOurFileError, UsageError, did_you_mean
from recorder.files.clocks import all_late_s
from recorder.files.opened.file_times import clock_columns
from recorder.files.opened.recording import OpenedRecording, open_files
from recorder.files.opening import DAMAGE, require_file
from recorder.files.probe import Probe, probing
from recorder.storage.rig_file import RIG

# The nearest frame counts that is no further away than half of the longer interval, and a little for what
# clocks and triggers leave.
NEAREST = 0.51

# The first question to a process has it import what it needs: seconds, on a busy computer.
TABLE_S = 20.0


@dataclass(frozen=True)
class RigTable:
    """What a rig's file says: the files of each camera, its verdict and cause, and the same of all."""

    files: dict[str, list[Path]]
    ends: dict[str, tuple[str, str]]
    verdict: str
    master: str


@dataclass(frozen=True)
class Aligned:
    """Frames of several cameras that were exposed at the same moments.

    `index` (N, cameras) int64 are indices into each camera's `frames`, -1 where it has none: it was lost, or
    the camera did not run. `time` (N,) are the begins of the reference's exposures in s since its first
    one. `apart` (N, cameras) is by how much later the frame began than the reference's, in s; NaN where there
    is none.
    """

    names: tuple[str, ...]
    reference: str
    index: NDArray[np.int64]
    time: NDArray[np.float64]
    apart: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many moments there are."""
        return len(self.time)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether every camera has a frame of the moment (N,)."""
        missing = (self.index < 0).any(axis=1)
        return np.logical_not(missing)

    def __repr__(self) -> str:
        missing = ", ".join(
            f"{name} lacks {count}"
            for name, count in zip(self.names, (self.index < 0).sum(axis=0), strict=True)
        )
        return (
            f"<{len(self)} moments of {self.reference}, {int(self.complete.sum())} of all cameras; {missing}>"
        )


class OpenedRig(Mapping[str, OpenedRecording]):
    """The recordings of a rig's cameras by name, each as `recorder.open` gives it.

    Of a camera that recorded nothing there is none. Use it in `with`, or `close` it.
    """

    def __init__(self, path: Path, table: RigTable, recordings: Mapping[str, OpenedRecording]) -> None:
        self.path = path
        self._table, self._recordings = table, dict(recordings)

    def __getitem__(self, name: str) -> OpenedRecording:
        """Return the recording of a camera; raises UsageError where there is none of that name."""
        if name not in self._recordings:
            known = f"; there are {', '.join(self._recordings)}" if self._recordings else ""
            raise UsageError(f"{self.path}: no camera {name}{did_you_mean(name, self._recordings) or known}")
        return self._recordings[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is a recording of that camera."""
        return name in self._recordings

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the cameras."""
        return iter(self._recordings)

    def __len__(self) -> int:
        """Return how many cameras there are."""
        return len(self._recordings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cameras, as in the rig's settings."""
        return tuple(self._recordings)

    @property
    def master(self) -> str:
        """The camera that triggers the others, "" where none does."""
        return self._table.master

    @property
    def verdict(self) -> str:
        """What became of all, the worst: "recording" while it grows, or where the rig was killed."""
        return self._table.verdict

    @property
    def verdicts(self) -> Mapping[str, tuple[str, str]]:
        """What became of each camera, and the cause, as the rig saw it: also of one that was killed."""
        return MappingProxyType(self._table.ends)

    def moments(self, name: str) -> NDArray[np.float64]:
        """Return the begins of a camera's exposures (N,) in s, by the clock that all cameras have in common.

        It is the computer's monotonic clock: the camera's own, which is more even, is fitted to it. Moments
        are late by what the quickest frames of that camera take from the sensor into memory. NaN where the
        file does not say. Raises UsageError where the cameras have no clock in common.
        """
        boots = {file.boot_id for recording in self.values() for file in recording.contents if file.frames}
        if len(boots) > 1:
            raise UsageError(
                f"{self.path}: its files are of different starts of the computer, and have no clock in common"
            )
        recording = self[name]
        columns = [clock_columns(file) for file in recording.contents]
        lateness = all_late_s(recording.clocks, columns)
        moments = []
        for file, (_, host_s, exposure_s), late in zip(recording.contents, columns, lateness, strict=True):
            if file.frames and not file.host_zero_ns:
                raise UsageError(f"{file.path}: does not say by which clock its frames arrived; see rec.utc")
            moments.append(
                host_s + file.host_zero_ns * 1e-9 - np.nan_to_num(exposure_s) - np.nan_to_num(late)
            )
        return np.concatenate(moments)

    def aligned(self, reference: str | None = None, tolerance: float | None = None) -> Aligned:
        """Return which frames of all cameras were exposed at the same moments, those of `reference` in turn.

        None: the master, or the first camera. Each row has the frame of every camera that began nearest to
        the reference's, no more than `tolerance` s apart (None: half of the longer of both frame intervals);
        -1 where there is none. Frames that the reference lost have rows of their own, with -1 for it.
        Raises UsageError where the cameras have no clock in common.
        """
        chosen = reference or (self.master if self.master in self else self.names[0])
        moments = {name: self.moments(name) for name in self.names}
        own, index = _with_losses(moments[chosen], self[chosen].losses)
        found = np.full((len(own), len(self)), -1, np.int64)
        apart = np.full((len(own), len(self)), np.nan)
        for column, name in enumerate(self.names):
            if name == chosen:
                found[:, column] = index
                apart[index >= 0, column] = 0.0
                continue
            intervals = [_interval(moments[one]) for one in (chosen, name)]
            limit = tolerance if tolerance is not None else NEAREST * max(intervals)
            found[:, column], apart[:, column] = _nearest(own, moments[name], limit)
        begin = moments[chosen][0] if len(moments[chosen]) else 0.0
        return Aligned(self.names, chosen, found, own - begin, apart)

    def close(self) -> None:
        """Let go of all files; a second time does nothing."""
        for recording in self.values():
            recording.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        cameras = "\n".join(f"{name}: {recording!r}" for name, recording in self.items())
        return f"{self.path}: {self.verdict}\n{cameras}"


def _with_losses(
    moments: NDArray[np.float64], losses: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return moments with those of frames lost between two, evenly, and indices, -1 for these."""
    times, indices, begin = [], [], 0
    for loss in losses:
        after, count = int(loss["after_frame"]), int(loss["count"])
        if not 0 <= after < len(moments) - 1:
            continue
        times += [
            moments[begin : after + 1],
            np.linspace(moments[after], moments[after + 1], count + 2)[1:-1],
        ]
        indices += [np.arange(begin, after + 1), np.full(count, -1)]
        begin = after + 1
    times.append(moments[begin:])
    indices.append(np.arange(begin, len(moments)))
    return np.concatenate(times), np.concatenate(indices).astype(np.int64)


def _interval(moments: NDArray[np.float64]) -> float:
    return float(np.nanmedian(np.diff(moments))) if len(moments) > 1 else np.inf


def _nearest(
    wanted: NDArray[np.float64], moments: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the index of the nearest of `moments` to each wanted one, -1; how much later it is, NaN."""
    known = np.flatnonzero(np.isfinite(moments))
    index, apart = np.full(len(wanted), -1, np.int64), np.full(len(wanted), np.nan)
    if not len(known):
        return index, apart
    order = known[np.argsort(moments[known], kind="stable")]
    sorted_moments = moments[order]
    right = np.clip(np.searchsorted(sorted_moments, wanted), 1, max(1, len(order) - 1))
    pairs = np.stack([right - 1, np.minimum(right, len(order) - 1)])
    best = np.take_along_axis(pairs, np.abs(sorted_moments[pairs] - wanted).argmin(axis=0)[None, :], axis=0)[
        0
    ]
    distance = sorted_moments[best] - wanted
    near = np.abs(distance) <= limit
    index[near], apart[near] = order[best[near]], distance[near]
    return index, apart


def open_rig_file(path: str | os.PathLike[str], probe: Probe | None = None) -> OpenedRig:
    """Open a rig's file and the recordings of its cameras, see `recorder.open_rig`."""
    place = Path(path).expanduser().resolve()
    if probe is None:
        with probing() as looking:
            return open_rig_file(place, looking)
    table = probe.ask(read_table, place, TABLE_S)
    recordings: dict[str, OpenedRecording] = {}
    try:
        for name, files in table.files.items():
            if files:
                recordings[name] = open_files(files, probe)
    except BaseException:
        for recording in recordings.values():
            recording.close()
        raise
    if not recordings:
        raise UsageError(f"{place}: none of its cameras has recorded anything")
    return OpenedRig(place, table, recordings)


def read_table(path: Path) -> RigTable:
    """Read what a rig's file says; blocks. Raises UsageError where there is none, or it is something else."""
    require_file(path)
    try:
        with h5py.File(path, "r") as file:
            rig = file[RIG]
            ends = {
                _text(row["camera"]): (_text(row["verdict"]), _text(row["cause"])) for row in rig["cameras"]
            }
            files: dict[str, list[Path]] = {name: [] for name in ends}
            for row in rig["files"]:
                files[_text(row["camera"])].append(path.parent / _text(row["file"]))
            return RigTable(files, ends, _text(rig["verdict"][()]), _text(rig["master"][()]))
    except DAMAGE as error:
        raise NotOurFileError(f"{path}: cannot be read as the file of a rig: {error}") from None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
