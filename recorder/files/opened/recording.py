"""A recording as a notebook sees it."""

import contextlib
import os
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, UsageError, did_you_mean
from recorder.files.opened.analysis_libraries import dask_array, data_array
from recorder.files.opened.clips import Clips, clips_around
from recorder.files.opened.contents import (
    Contents,
    Value,
    ask_contents,
    require_one_form,
)
from recorder.files.opened.file_times import file_clocks, offsets_of
from recorder.files.opened.following import follow
from recorder.files.opened.frames import Frames
from recorder.files.opened.happened import Happened
from recorder.files.opened.problems import RecoverWarning, problems_of
from recorder.files.opened.session_files import files_meant
from recorder.files.opened.summary_text import summary_text
from recorder.files.opened.traces import Roi, trace
from recorder.files.probe import Probe, probing
from recorder.frames.clock_fit import ClockFit
from recorder.frames.metadata import CHANNEL
from recorder.storage.user_metadata import MetadataValue

if TYPE_CHECKING:
    import dask.array
    import xarray

    from recorder.files.export.request import Options


class OpenedRecording(Happened):
    """One recording: a file, or several files of one session in the order of their first frames.

    What is not pixels is in memory; pixels are read as `frames` is indexed. Nothing is ever written. Of a
    file that grows, it is what was there when it was opened; `follow` has what came since. Use it in `with`,
    or `close` it.
    """

    def __init__(self, contents: Sequence[Contents], given: Sequence[str | os.PathLike[str]]) -> None:
        """See `open_files`; `given` is what was asked for, and may mean more files later."""
        self.contents = tuple(contents)
        self.given = tuple(given)
        self._frames = Frames([file.pixels for file in self.contents])

    def show(self, contents: Sequence[Contents]) -> None:
        """Be a recording of `contents`: those there were, which may have grown, and new ones behind."""
        require_one_form(contents)
        self.contents = tuple(contents)
        self._frames.have([file.pixels for file in self.contents])
        for name in dir(type(self)):
            if isinstance(getattr(type(self), name), cached_property):
                vars(self).pop(name, None)

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
                for file, offset in zip(self.contents, offsets_of(self.contents), strict=True)
            ]
        )

    @property
    def start(self) -> np.datetime64:
        """UTC of the first frame (datetime64[ns]), by the computer's clock; NaT where it is not known."""
        return self.contents[0].start

    @property
    def utc(self) -> NDArray[np.datetime64]:
        """UTC of each frame (N,), datetime64[ns]: `start` and the camera's clock since."""
        with np.errstate(invalid="ignore"):  # times of a damaged file
            return self.start + np.round(self.time * 1e9).astype("timedelta64[ns]")

    @cached_property
    def frame_number(self) -> NDArray[np.uint64]:
        """The camera's own counter (N,); where frames are missing, it has a gap."""
        return self._column("frame_number", np.uint64)

    @cached_property
    def relative_frame(self) -> NDArray[np.float64]:
        """Each frame's count from its capture's trigger (N,): 0 for that one, NaN where there was none."""
        return self._column("relative_frame", np.float64)

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

    @cached_property
    def regions(self) -> Mapping[str, NDArray[np.float64]]:
        """The mean of each region that is stored for every frame (N,), by name; NaN where it was not taken.

        `metadata["regions/NAME/box"]` is where it is: x0, y0, x1, y1, the last two not included.
        """
        names = dict.fromkeys(name for file in self.contents for name in file.regions)
        return {
            name: np.concatenate(
                [file.regions.get(name, np.full(file.frames, np.nan)) for file in self.contents]
            )
            for name in names
        }

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels, the kinds of light that frames were exposed with in turn; () without."""
        return tuple(dict.fromkeys(name for file in self.contents for name in file.channels))

    @cached_property
    def channel(self) -> NDArray[np.int64]:
        """Which of `channels` each frame (N,) is of, as an index; -1 where its file has none."""
        parts = []
        for file in self.contents:
            places = np.array([self.channels.index(name) for name in file.channels], np.int64)
            of = file.columns.get(CHANNEL.name)
            parts.append(np.full(file.frames, -1) if of is None else places[of])
        return np.concatenate(parts)

    def of_channel(self, name: str) -> NDArray[np.int64]:
        """Return the indices (n,) of the frames of a channel: `rec.frames[rec.of_channel("blue")]`.

        Raises UsageError where there is no such channel.
        """
        if name not in self.channels:
            known = (
                f"; there are {', '.join(self.channels)}" if self.channels else ": recorded without channels"
            )
            raise UsageError(f'no channel "{name}"{did_you_mean(name, self.channels) or known}')
        return np.flatnonzero(self.channel == self.channels.index(name))

    @cached_property
    def clocks(self) -> tuple[ClockFit | None, ...]:
        """How the camera's clock went against the computer's, in each of `files`; None where nothing tells.

        Both count from the file's first frame, in ns: `clocks[0].camera_of(host_ns)`, `.host_of(camera_ns)`.
        """
        return file_clocks(self.contents)

    def _column(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        columns = [file.columns.get(name, np.full(file.frames, np.nan)) for file in self.contents]
        return np.concatenate(columns).astype(dtype, copy=False)

    # What is made of them.

    def trace(self, roi: Roi | None = None) -> NDArray[np.float64]:
        """Return the mean of a region in every frame (N,); reads only its rows, in bounded memory.

        `roi` is (x, y, width, height) in pixels, or a mask (H, W) of booleans; None: all of the frame.
        Raises UsageError where it is not inside of the frame.
        """
        return trace(self._frames, roi)

    def clips(self, pattern: str, before: float, after: float, step: float | None = None) -> Clips:
        """Return the frames from `before` s before each mark to `after` s after it, on one axis of time.

        `pattern` is a label, or one with * and ?. Moments are `step` s apart, None: as the frames are. A
        frame stands at the moment nearest to it by the camera's clock; where none is, clips are masked, and
        traces NaN. Raises UsageError where no mark is meant, or the frames' rate differs and no `step` is
        given.
        """
        return clips_around(self._frames, self.time, self.marks, pattern, before, after, step)

    def follow(self, first: int | None = None, poll_s: float = 0.2) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield frames (n, H, W) with the index of the first, as they come, until the recording ends.

        From frame `first` on, None: the next one that comes. `time`, `marks` and all else have what belongs
        to them. It ends when the recorder has closed the file, or 2 s after it was killed; of a session that
        was opened by its journal, folder or a pattern, the next file follows. The frames of one turn are
        overwritten after the next has begun. Another process looks at the file, every `poll_s` s.
        """
        return follow(self, self.given, len(self) if first is None else first, poll_s)

    def dask(
        self, block_bytes: int = 64_000_000, folder: str | os.PathLike[str] | None = None
    ) -> "dask.array.Array":
        """Return the frames as a Dask array (N, H, W), whose tasks open the file where they run.

        Its blocks are whole chunks of the file, as many as make up to `block_bytes`, one at least. The
        workers find the files under the same paths as here, or in `folder`. Raises UsageError where Dask is
        missing (extra `analysis`).
        """
        where = None if folder is None else Path(folder)
        return dask_array([file.pixels for file in self.contents], block_bytes, where)

    def xarray(self, *, dask: bool = False) -> "xarray.DataArray":
        """Return the frames as an xarray of time (s), y, x, with utc, frame_number and exposure.

        Pixels are read as they are needed, while this recording is open; with `dask`, as `self.dask()` does.
        Raises UsageError where xarray is missing (extra `analysis`).
        """
        coordinates = {"time": self.time, "utc": self.utc, "frame_number": self.frame_number}
        if self.channels:
            coordinates["channel"] = np.array([*self.channels, ""])[self.channel]
        attributes = {"title": str(self.metadata.get("title", "")), "verdict": self.verdict}
        attributes |= {"units": "counts", "start": str(self.start)}
        frames = self.dask() if dask else self._frames
        return data_array(frames, {**coordinates, "exposure": self.exposure}, attributes)

    def export(self, out: str | os.PathLike[str], **options: "Unpack[Options]") -> list[Path]:
        """Write it, or a part, for another program: `export("part.tif", frames="100:200")`.

        The options are those of `recorder export`. Returns what was written; raises UsageError, StorageError.
        """
        from recorder.files.export.request import export  # noqa: PLC0415 - only where it is asked for

        return export(self, out, options)

    # What it is.

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings as used, of the first file: settings["camera"]["kind"]."""
        try:
            return MappingProxyType(tomllib.loads(str(self.metadata.get("configuration", ""))))
        except tomllib.TOMLDecodeError as error:
            path = self.contents[0].path
            raise DamagedFileError(f"{path}: its configuration cannot be read: {error}") from None

    @property
    def metadata(self) -> Mapping[str, Value]:
        """Every single value of the first file by its path in /entry: "instrument/detector/x_pixel_size"."""
        return MappingProxyType(self.contents[0].values)

    @property
    def said(self) -> Mapping[str, MetadataValue]:
        """What the user said of it in [metadata] and with `meta`, at its end: said["subject"]."""
        return MappingProxyType(self.contents[-1].said)

    @property
    def verdict(self) -> str:
        """What became of it ("recording": it grows, or was killed); of several files the worst."""
        order = ["complete", "frames lost", "interrupted", "recording", "failed"]
        return max(
            (file.verdict for file in self.contents),
            key=lambda word: order.index(word) if word in order else len(order),
        )

    @property
    def compression(self) -> float:
        """How many times smaller the frames are in the files than in memory; 1 where they are not packed."""
        stored = sum(file.pixels.stored_bytes for file in self.contents)
        return self.frames.nbytes / stored if stored else 1.0

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What keeps the files from being in order, a line each, with the command that helps."""
        return tuple(line for file in self.contents for line in problems_of(file))

    def __repr__(self) -> str:
        return summary_text(self)

    # Its life.

    def close(self) -> None:
        """Let go of the files; a second time does nothing. What is not pixels stays."""
        self._frames.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_files(given: Sequence[str | os.PathLike[str]], probe: Probe | None = None) -> OpenedRecording:
    """Open what is given as one recording, see `recorder.open`; `probe` looks into the files."""
    paths = files_meant(given)
    with probing() if probe is None else contextlib.nullcontext(probe) as looking:
        found = [ask_contents(path, looking) for path in paths]
    contents = [file for file in found if not file.is_prepared] or found[:1]
    # In the order of time; those without a frame, which know none, last.
    contents.sort(key=lambda file: (np.isnat(file.start), file.start))
    require_one_form(contents)
    recording = OpenedRecording(contents, given)
    for problem in recording.problems:
        warnings.warn(problem, RecoverWarning, stacklevel=3)
    return recording
