"""From what was asked for to the outputs: which frames go into which of them, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from recorder.camera.base import PIXEL_SIZE
from recorder.errors import UsageError
from recorder.files.export.content import Content, Facts
from recorder.files.export.formats import ending_of
from recorder.files.export.selection import Part, Shaping, around_marks, in_range, in_time
from recorder.files.export.target import require_new
from recorder.files.opened.recording import OpenedRecording
from recorder.storage.user_metadata import MetadataValue

# Where in `OpenedRecording.metadata` what describes the camera stands.
_DETECTOR = "instrument/detector"
_OPTICS = "instrument/optics"


@dataclass(frozen=True)
class Wanted:
    """What is to be exported; of `frames`, `time` and `around` at most one.

    `said` is told of the recording besides what the user said while it was made.
    """

    frames: str | None = None
    time: str | None = None
    around: str | None = None
    before_s: float = 0.2
    after_s: float = 0.6
    every: int = 1
    channel: str | None = None
    shaping: Shaping = field(default_factory=Shaping)
    said: Mapping[str, MetadataValue] = field(default_factory=dict)


def plan(recording: OpenedRecording, out: Path, wanted: Wanted) -> list[tuple[Path, Content]]:
    """Return each output with its frames; raises UsageError for what cannot be done, before anything is."""
    wanted.shaping.check(*recording.frames.shape[1:])
    parts = _parts(recording, wanted)
    outputs = []
    for part in parts:
        path = out
        if part.name:
            ending = ending_of(out)
            path = out.with_name(f"{out.name.removesuffix(ending)}_{part.name}{ending}")
        require_new(path)
        facts = _facts(recording, part, wanted)
        outputs.append((path, Content(recording.frames, part, wanted.shaping, facts)))
    return outputs


def _parts(recording: OpenedRecording, wanted: Wanted) -> list[Part]:
    given = {"--frames": wanted.frames, "--time": wanted.time, "--around": wanted.around}
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise UsageError(f"{' and '.join(several)}: give one of them")
    times, count = recording.time, len(recording.frames)
    if not count:
        raise UsageError(f"{recording.files[0].path}: holds no frame")
    if wanted.around is not None:
        marks = [(int(mark["frame"]), str(mark["label"])) for mark in recording.marks]
        parts = around_marks(wanted.around, marks, times, wanted.before_s, wanted.after_s)
    elif wanted.time is not None:
        parts = [Part("", in_time(wanted.time, times), 0.0)]
    else:
        parts = [Part("", in_range(wanted.frames or ":", count), 0.0)]
    chosen = np.arange(count) if wanted.channel is None else recording.of_channel(wanted.channel)
    indices = [part.indices[np.isin(part.indices, chosen)][:: wanted.every] for part in parts]
    if not all(map(len, indices)):
        raise UsageError(f"--channel {wanted.channel}: none of its frames is among these")
    return [Part(part.name, own, part.zero_s) for part, own in zip(parts, indices, strict=True)]


def _facts(recording: OpenedRecording, part: Part, wanted: Wanted) -> Facts:
    indices = part.indices
    place = {int(index): i for i, index in enumerate(indices)}
    marks = [
        (place[int(mark["frame"])], _text(mark["label"]), _text(mark["text"]))
        for mark in recording.marks
        if int(mark["frame"]) in place
    ]
    size, binning = pixel_size_um(recording), wanted.shaping.binning
    return Facts(
        name=recording.files[0].path.stem + (f"_{part.name}" if part.name else ""),
        times_s=recording.time[indices] - part.zero_s,
        exposures_s=recording.exposure[indices],
        numbers=recording.frame_number[indices],
        indices=indices,
        channels=[recording.channels[i] for i in recording.channel[indices]] if recording.channels else [],
        sensor_pixel_um=_pixel_um(recording, _DETECTOR, 1e6),
        zero_utc=_utc(recording.start, part.zero_s),
        marks=marks,
        pixel_size_um=None if size is None else (size[0] * binning, size[1] * binning),
        details=_details(recording),
        metadata={
            name: _text(value) if isinstance(value, str) else value
            for name, value in {**recording.said, **wanted.said}.items()
        },
    )


def _utc(start: np.datetime64, after_s: float) -> datetime | None:
    if np.isnat(start):
        return None
    seconds = start.astype("datetime64[us]").astype(np.int64) * 1e-6
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=float(seconds) + after_s)
    except (ValueError, OverflowError):  # a time of a damaged file
        return None


def _details(recording: OpenedRecording) -> dict[str, str]:
    """Return what people ask for first, of camera and recording."""
    lost = sum(int(row["count"]) for row in recording.losses)
    known = recording.metadata
    told: dict[str, Any] = {
        "title": known.get("title", ""),
        "camera": known.get(f"{_DETECTOR}/description", ""),
        "serial number": known.get(f"{_DETECTOR}/serial_number", ""),
        "source": ", ".join(file.path.name for file in recording.files),
        "verdict": recording.verdict,
        "frames lost": lost or "",
    }
    return {name: _text(value) for name, value in told.items() if value != ""}


def _text(value: object) -> str:
    """Return a text that every format can hold: XML and NWB have no control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def bits_of(recording: OpenedRecording) -> int:
    """Return how many bits of a pixel the camera uses."""
    known = recording.metadata.get(f"{_DETECTOR}/bit_resolution", "")
    return int(known) if isinstance(known, int) else 8 * recording.frames.dtype.itemsize


def pixel_size_um(recording: OpenedRecording) -> tuple[float, float] | None:
    """Return what a pixel is of the sample, None where that is not known."""
    return _pixel_um(recording, _OPTICS, 1.0)


def _pixel_um(recording: OpenedRecording, place: str, um: float) -> tuple[float, float] | None:
    """Return the size of a pixel that stands at a place of the file, in units of `um`; None: none does."""
    x, y = (recording.metadata.get(f"{place}/{name}") for name in PIXEL_SIZE)
    if not (isinstance(x, float) and isinstance(y, float) and x > 0 and y > 0):
        return None
    return float(f"{x * um:.9g}"), float(f"{y * um:.9g}")
