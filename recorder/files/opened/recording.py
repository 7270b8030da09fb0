"""A recording as a notebook sees it."""

import math
import os
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, UsageError
from recorder.files.opened.contents import Contents, Value, ask_contents
from recorder.files.opened.frames import Frames
from recorder.files.opened.session_files import files_meant
from recorder.files.opened.tables import joined, standing
from recorder.files.probe import probing
from recorder.storage.writer_lock import is_being_written


class RecoverWarning(UserWarning):
    """A file was never closed, or was cut short; the message has the command that puts it in order."""


@dataclass(frozen=True)
class RecordedFile:
    """One file of a recording, whose frames are [first, first + frames) of it; `start` in UTC."""

    path: Path
    first: int
    frames: int
    start: np.datetime64
    verdict: str
    cause: str


class OpenedRecording:
    """One recording: a file, or several files of one session in the order of their first frames.

    What is not pixels is in memory; pixels are read as `frames` is indexed. Nothing is ever written. Of a
    file that grows, it is what was there when it was opened; `follow` has what came since. Use it in `with`,
    or `close` it.
    """

    def __init__(self, contents: Sequence[Contents]) -> None:
        """See `open_files`."""
        self._contents = tuple(contents)
        self._frames = Frames(self._contents)
        self._is_closed = False

    # The frames, and what is known of each.

    @property
    def frames(self) -> Frames:
        """The frames (N, H, W), uint16 or uint8, on the disk until they are indexed."""
        return self._frames

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._frames)

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Start of each exposure (N,) in s since the first frame, by the camera's clock.

        `start` is the UTC of time 0. A further file begins where UTC says that its first frame came: between
        two files, times are as exact as `start`, within each as exact as the camera's clock.
        """
        return np.concatenate(
            [
                file.columns["camera_time_ns"] + offset
                for file, offset in zip(self._contents, self._offsets, strict=True)
            ]
        )

    @property
    def start(self) -> np.datetime64:
        """UTC of the first frame (datetime64[ns]), by the computer's clock; NaT where it is not known."""
        return self._contents[0].start

    @property
    def utc(self) -> NDArray[np.datetime64]:
        """UTC of each frame (N,), datetime64[ns]: `start` and the camera's clock since."""
        return self.start + np.round(self.time * 1e9).astype("timedelta64[ns]")

    @cached_property
    def frame_number(self) -> NDArray[np.uint64]:
        """The camera's own counter (N,); where frames are missing, it has a gap."""
        return self._column("frame_number", np.uint64)

    @cached_property
    def exposure(self) -> NDArray[np.float64]:
        """Exposure of each frame (N,) in s, NaN where the camera does not tell it."""
        return self._column("exposure_s", np.float64)

    @cached_property
    def temperature(self) -> NDArray[np.float32]:
        """Temperature of the sensor with each frame (N,) in °C, NaN where the camera does not tell it."""
        return self._column("temperature_c", np.float32)

    @cached_property
    def host_time(self) -> NDArray[np.float64]:
        """Arrival of each frame (N,) in s by the computer's monotonic clock, since the first of its file."""
        return self._column("host_time_ns", np.float64)

    def _column(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        columns = [file.columns.get(name, np.full(file.frames, np.nan)) for file in self._contents]
        return np.concatenate(columns).astype(dtype, copy=False)

    # What happened. Arrays with named columns; pandas.DataFrame(rec.marks) takes them as they are.

    @cached_property
    def marks(self) -> NDArray[np.void]:
        """The marks that were not taken back: frame, elapsed_s, label, text, source, number.

        `frame` is an index into `frames` (-1: its frame is not there), `number` the camera's counter.
        """
        return standing(self._table("marks"))

    @cached_property
    def losses(self) -> NDArray[np.void]:
        """The gaps: after_frame, count, cause, elapsed_s, first_missing, unread_s.

        `count` frames are missing behind index `after_frame` (-1: before the first).
        """
        return self._table("losses")

    @cached_property
    def commands(self) -> NDArray[np.void]:
        """The commands, as the journal has them: seq, time, frame, source, command, status, message, ..."""
        return self._table("commands")

    @cached_property
    def analysis(self) -> NDArray[np.void]:
        """What the user's own function returned: frame, frame_number, name, value."""
        return self._table("analysis")

    def _table(self, name: str) -> NDArray[np.void]:
        parts = []
        for file, entry in zip(self._contents, self.files, strict=True):
            part = file.tables[name].copy()
            for column in {"frame", "effective_frame", "after_frame"} & set(part.dtype.names or ()):
                # Before the first frame of a later file is behind the last one of that before it.
                is_there = part[column] >= (-1 if column == "after_frame" else 0)
                part[column][is_there] += entry.first
            parts.append(part)
        return joined(parts)

    # What it is.

    @cached_property
    def files(self) -> tuple[RecordedFile, ...]:
        """The files, in the order of their frames."""
        firsts = np.cumsum([0, *(file.frames for file in self._contents)])
        return tuple(
            RecordedFile(
                file.path,
                int(first),
                file.frames,
                file.start,
                file.verdict,
                str(file.values.get("cause", "")),
            )
            for file, first in zip(self._contents, firsts[:-1], strict=True)
        )

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings as used, of the first file: settings["camera"]["kind"]."""
        try:
            return MappingProxyType(tomllib.loads(str(self.metadata.get("configuration", ""))))
        except tomllib.TOMLDecodeError as error:
            path = self._contents[0].path
            raise DamagedFileError(f"{path}: its configuration cannot be read: {error}") from None

    @property
    def metadata(self) -> Mapping[str, Value]:
        """Every single value of the first file by its path in /entry: "instrument/detector/x_pixel_size"."""
        return MappingProxyType(self._contents[0].values)

    @property
    def verdict(self) -> str:
        """What became of it, "recording" while it grows or after a kill; of several files the worst."""
        order = ["complete", "frames lost", "interrupted", "recording", "failed"]
        return max(
            (file.verdict for file in self._contents),
            key=lambda word: order.index(word) if word in order else len(order),
        )

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What keeps the files from being in order, a line each, with the command that helps."""
        return tuple(line for file in self._contents for line in _problems(file))

    def __repr__(self) -> str:
        times = self.time
        seconds = float(times[-1] - times[0]) if len(times) > 1 else 0.0
        rate = f", {(len(times) - 1) / seconds:.6g} frames/s" if seconds > 0 else ""
        names = self.files[0].path.name + (f" and {len(self.files) - 1} more" if len(self.files) > 1 else "")
        lost = int(self.losses["count"].sum())
        labels = list(dict.fromkeys(self.marks["label"].tolist()))
        shown = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
        lines = [
            f"Recording {names}: {self.verdict}",
            f"  frames  {' x '.join(map(str, self.frames.shape))} {self.frames.dtype}, "
            f"{self.frames.nbytes / 1e9:.3f} GB",
            f"  time    {seconds:.3f} s from {self.start} UTC{rate}",
            f"  lost    {lost}" + (f" in {len(self.losses)} gaps" if lost else ""),
            f"  marks   {len(self.marks)}" + (f": {shown}" if labels else ""),
            *(f"  ! {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)

    # Its life.

    def close(self) -> None:
        """Let go of the files; a second time does nothing. What is not pixels stays."""
        self._frames.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _offsets(self) -> tuple[float, ...]:
        """By how much the first frame of each file is later than the first of all, in s."""
        first, *rest = self._contents
        offsets = [0.0]
        for file in rest:
            seconds = float((file.start - first.start) / np.timedelta64(1, "ns")) * 1e-9
            if math.isnan(seconds):
                raise UsageError(
                    f"{file.path}: does not say when its first frame came; open it by itself for its times"
                )
            offsets.append(seconds)
        return tuple(offsets)


def open_files(given: Sequence[str | os.PathLike[str]]) -> OpenedRecording:
    """Open what is given as one recording; see `recorder.open`."""
    paths = files_meant(given)
    with probing() as probe:
        contents = [ask_contents(path, probe) for path in paths]
    # In the order of time; those without a frame, which know none, last.
    contents.sort(key=lambda file: (np.isnat(file.start), file.start))
    first = contents[0]
    for file in contents[1:]:
        if (file.height, file.width, file.dtype) != (first.height, first.width, first.dtype):
            raise UsageError(
                f"{file.path}: its frames are {_form(file)}, those of {first.path.name} {_form(first)}; "
                "open them one by one"
            )
    recording = OpenedRecording(contents)
    for problem in recording.problems:
        warnings.warn(problem, RecoverWarning, stacklevel=3)
    return recording


def _form(file: Contents) -> str:
    return f"{file.width}x{file.height} {np.dtype(file.dtype).name}"


def _problems(file: Contents) -> Iterator[str]:
    if file.without_pixels:
        yield (
            f"{file.path}: cut short: {file.without_pixels} more frames have no pixels; "
            f"recorder recover {file.path} closes it"
        )
    elif not file.was_closed and not is_being_written(file.path, may_write=False):
        yield (
            f"{file.path}: never closed by its recorder: {file.frames} frames are whole; "
            f"recorder recover {file.path} closes it"
        )
