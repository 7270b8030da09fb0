"""Frames from a file, delivered as if a camera took them now; none is skipped where the reader is slow."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from recorder.camera.base import CameraDescription, EndOfSourceError, FrameInfo
from recorder.errors import CameraError, CameraTimeoutError, NotOurFileError, UsageError
from recorder.frames.pool import FrameFormat


class FrameSource(Protocol):
    """A stack of frames in an open file. `read` and `close` are called on the camera thread and block."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def format(self) -> FrameFormat:
        """Height, width and type of every frame."""

    @property
    def count(self) -> int:
        """The number of frames, 1 or more."""

    @property
    def times_s(self) -> NDArray[np.float64] | None:
        """Times (count,) in s since the first frame, None where the file has none."""

    @property
    def details(self) -> Mapping[str, str | int | float]:
        """What the file tells of its pixels, by the names of `CameraDescription.details`."""

    def read(self, index: int, slot: NDArray[Any]) -> float:
        """Copy frame `index` (from 0) into `slot` (H, W); return its exposure in s, NaN where unknown.

        Any exception it raises means that the frame cannot be read.
        """

    def close(self) -> None:
        """Close the file; a second call does nothing."""


class TiffSource:
    """A multi-page TIFF of one grey channel, 8 or 16 bit, as other recorders write it.

    Opening it blocks for the file, on any thread. Raises UsageError where there is no such file, and
    NotOurFileError where it holds anything else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = tifffile.TiffFile(path)
        except FileNotFoundError:
            raise UsageError(f"{path}: no such file") from None
        except (tifffile.TiffFileError, OSError) as error:
            raise NotOurFileError(f"{path}: not a TIFF file that can be read: {error}") from None
        try:
            with _tifffile_warnings() as warnings:
                stacks = self._file.series
                for stack in stacks:
                    _ = stack.shape
        except (tifffile.TiffFileError, OSError) as error:
            self._file.close()
            raise NotOurFileError(f"{path}: not a TIFF file that can be read: {error}") from None
        if warnings or len(stacks) > 1:
            self._file.close()
            reason = warnings[0] if warnings else f"holds {len(stacks)} stacks of different kinds"
            raise NotOurFileError(f"{path}: {reason}; playback takes one whole stack of grey frames")
        series = stacks[0] if stacks else None
        shape = series.shape if series else ()
        grey = series is not None and "S" not in series.axes and series.dtype in (np.uint8, np.uint16)
        if series is None or len(shape) not in (2, 3) or not grey:
            kind = f"{series.dtype} {'x'.join(map(str, shape))}" if series else "nothing"
            self._file.close()
            raise NotOurFileError(f"{path}: holds {kind}; playback takes a stack of grey frames, 8 or 16 bit")
        self.count = shape[0] if len(shape) == 3 else 1
        height, width = shape[-2:]
        self.format = FrameFormat(height, width, series.dtype.newbyteorder("="))
        interval = self._interval_s()
        self.details: Mapping[str, str | int | float] = {}
        self.times_s: NDArray[np.float64] | None = None
        if interval is not None:
            self.times_s = np.arange(self.count, dtype=np.float64) * interval
        # Uncompressed frames in one piece are mapped; others are decoded page by page.
        self._stack = None
        if series.dataoffset is not None:
            self._stack = tifffile.memmap(path, series=0, mode="r").reshape(self.count, height, width)
        self._series = series

    def _interval_s(self) -> float | None:
        interval = (self._file.imagej_metadata or {}).get("finterval")
        with contextlib.suppress(ValueError, TypeError):
            return float(interval) if interval else None
        return None

    def read(self, index: int, slot: NDArray[Any]) -> float:
        """Copy page `index` (from 0) into `slot` (H, W); return NaN, as the exposure is not known."""
        np.copyto(slot, self._series.asarray(key=index) if self._stack is None else self._stack[index])
        return math.nan

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._stack = None
        self._file.close()


@contextlib.contextmanager
def _tifffile_warnings() -> Iterator[list[str]]:
    """Collect what tifffile logs instead of raising: a file that was cut short, pages that are damaged."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, collector = logging.getLogger("tifffile"), Collector(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate


class PlaybackCamera:
    """Play `source` at `rate` frames/s (inf: as fast as possible), or at the times in it ("original").

    The run is limited to `frames`, or to `duration_s`, None: no limit; `loop` is as in the configuration.
    `clock` gives host monotonic ns, `wait` sleeps for so many s. Making one opens nothing; it raises
    UsageError where the source has too few frames, or no times.
    """

    def __init__(
        self,
        source: FrameSource,
        rate: float | Literal["original"],
        loop: bool | Literal["auto"],
        frames: int | None,
        duration_s: float | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._source = source
        times = source.times_s
        if rate == "original":
            if times is None or len(times) < 2 or not times[-1] > 0:
                raise UsageError(
                    f'camera.rate = "original": {source.path} does not tell its frame times; '
                    'give frames per second or "max"'
                )
            # Repeated, the last frame is followed by the first after the mean interval.
            self._length_s = float(times[-1]) * len(times) / (len(times) - 1)
            self._times_s = times
        else:
            self._times_s = np.arange(source.count) / rate
            self._length_s = source.count / rate
        if loop is False and frames is not None and frames > source.count:
            raise UsageError(
                f"{source.path} holds {source.count} frames and camera.loop is false, "
                f"but {frames} are asked for; set camera.loop = true"
            )
        if frames is not None:
            too_short = frames > source.count
        else:
            too_short = duration_s is not None and duration_s > self._length_s
        endless = loop is True or (loop == "auto" and too_short)
        self._last = math.inf if endless else source.count
        self._clock, self._wait = clock, wait
        self._number = 0
        self._armed_ns = 0
        self._halted = False

    def open(self) -> CameraDescription:
        """Describe the frames of the source, which is open already; does not block."""
        source = self._source
        rate = source.count / self._length_s if self._length_s else math.inf
        details: dict[str, str | int | float] = {
            **source.details,
            "source": str(source.path),
            "source_frames": source.count,
            "trigger_mode": "playback",
        }
        unknown = "a playback has none: its times are those of this computer"
        return CameraDescription("playback", source.path.name, source.format, rate, details, unknown)

    def interrupt(self) -> None:
        """Do nothing: opening waits for nothing."""

    def arm(self) -> None:
        """Begin with the first frame, due now; does not block."""
        self._number = 0
        self._halted = False
        self._armed_ns = self._clock()

    def read_into(self, slot: NDArray[Any], timeout_s: float) -> FrameInfo:
        """Copy the next frame into `slot` (H, W) once it is due; wait for that up to `timeout_s`.

        Raises CameraTimeoutError where it is not due by then, and after `halt`; EndOfSourceError after the
        last frame, CameraError where the frame cannot be read.
        """
        if self._number >= self._last:
            raise EndOfSourceError
        turn, index = divmod(self._number, self._source.count)
        due_ns = self._armed_ns + round((turn * self._length_s + float(self._times_s[index])) * 1e9)
        now = self._clock()
        deadline = now + round(timeout_s * 1e9)
        while now < due_ns or self._halted:
            if now >= deadline or self._halted:
                raise CameraTimeoutError(f"no frame within {timeout_s:g} s")
            self._wait((min(due_ns, deadline) - now) * 1e-9)
            now = self._clock()
        try:
            exposure_s = self._source.read(index, slot)
        except Exception as error:
            # Decoders raise exceptions of many types; all of them mean that the file is damaged.
            raise CameraError(f"{self._source.path}: frame {index} cannot be read: {error}") from error
        self._number += 1
        time_ns = due_ns - self._armed_ns if self._length_s else now - self._armed_ns
        return FrameInfo(self._number, time_ns, exposure_s, math.nan, 0, overflowed=False)

    def set_exposure(self, seconds: float, first: int | None = None) -> float:
        """Raise CameraError: the frames have been exposed already."""
        del first
        raise CameraError(f"a playback cannot be exposed for {seconds:g} s: its frames were taken before")

    def trigger(self) -> None:
        """Raise CameraError: a playback takes no trigger."""
        raise CameraError("a playback takes no trigger")

    def input_is_high(self) -> bool:
        """Raise CameraError: a playback has no input."""
        raise CameraError("a playback has no input")

    def halt(self) -> int | None:
        """Deliver no more frames; return the counter of the last one delivered."""
        self._halted = True
        return self._number

    def disarm(self) -> None:
        """Deliver no more frames."""
        self._halted = True

    def close(self) -> None:
        """Close the source; its frames cannot be read any more."""
        self._source.close()
