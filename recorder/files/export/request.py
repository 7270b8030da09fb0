"""What is asked for in words, the same at the command line and in Python, and carrying it out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

from recorder.errors import UsageError, did_you_mean
from recorder.files.export.content import Content
from recorder.files.export.formats import FORMATS, ending_of, export_one, require_installed
from recorder.files.export.movie_look import Look, check_colours, parse_levels, parse_speed
from recorder.files.export.plan import Wanted, bits_of, plan
from recorder.files.export.selection import Shaping, parse_roi
from recorder.files.opened.recording import OpenedRecording
from recorder.settings.metadata import check_key
from recorder.storage.user_metadata import PLACES, MetadataValue, value_of
from recorder.units import parse_seconds


class Options(TypedDict, total=False):
    """The options of `recorder export`, which says what each means, by the same names and words."""

    frames: str | None
    time: str | None
    around: str | None
    before: str
    after: str
    every: int
    channel: str | None
    roi: str | Sequence[int] | None
    bin: int
    meta: Mapping[str, MetadataValue] | Sequence[str]
    levels: str
    colours: str
    speed: str
    plain: bool


# The greatest step between frames, and side of a bin, that is no slip.
MOST = 1_000_000

# Those of films alone, and what they are where they are not given.
_FILM: Mapping[str, object] = {"levels": "auto", "colours": "grey", "speed": "1x", "plain": False}


@dataclass(frozen=True)
class Output:
    """One file or folder to be written; `options` are those of its format."""

    path: Path
    content: Content
    options: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What is to be written where, checked as far as that is possible without the recording."""

    out: Path
    wanted: Wanted
    look: Look | None

    @classmethod
    def of(cls, out: str | os.PathLike[str], options: Options) -> Self:
        """Raises UsageError, also where the format's library is missing."""
        path = Path(out)
        for name in set(options) - set(Options.__annotations__):
            raise UsageError(
                f"{name}: export has no such option{did_you_mean(name, Options.__annotations__)}"
            )
        kind = FORMATS[ending_of(path)].module
        for name, usual in _FILM.items():
            if kind != "movie" and options.get(name, usual) != usual:
                raise UsageError(f"--{name}: is for films (.mp4) only, and {path.name} is none")
        # Numbers and tuples of Python's: what is wrong with them is said as at the command line.
        texts = {name: str(value) for name, value in options.items() if value is not None}
        look = Look(
            parse_levels(texts.get("levels", "auto")),
            check_colours(texts.get("colours", "grey")),
            parse_speed(texts.get("speed", "1x")),
            has_text=not options.get("plain", False),
        )
        roi = options.get("roi")
        if roi is not None and not isinstance(roi, str):
            roi = ",".join(map(str, roi))
        wanted = Wanted(
            texts.get("frames"),
            texts.get("time"),
            texts.get("around"),
            _seconds("--before", texts.get("before", "0.2s")),
            _seconds("--after", texts.get("after", "0.6s")),
            _count("--every", texts.get("every", "1")),
            texts.get("channel"),
            Shaping(parse_roi(roi) if roi else None, _count("--bin", texts.get("bin", "1"))),
            _said(options.get("meta", ())),
        )
        if kind == "table" and wanted.shaping.binning > 1:
            raise UsageError(f"--bin: is for pictures, and {path.name} has none")
        require_installed(path)
        return cls(path, wanted, look if kind == "movie" else None)

    def outputs(self, recording: OpenedRecording) -> list[Output]:
        """Return what is to be written of a recording; raises UsageError for what cannot be."""
        options = {"look": self.look, "bits": bits_of(recording)} if self.look else {}
        return [Output(path, content, options) for path, content in plan(recording, self.out, self.wanted)]


def export(recording: OpenedRecording, out: str | os.PathLike[str], options: Options) -> list[Path]:
    """See `OpenedRecording.export`."""
    outputs = Request.of(out, options).outputs(recording)
    for output in outputs:
        export_one(output.path, output.content, output.options, lambda _phase: None)
    return [output.path for output in outputs]


def _said(given: Mapping[str, MetadataValue] | Sequence[str]) -> dict[str, MetadataValue]:
    """Return names with their values, also out of "key=value"; raises UsageError."""
    said: dict[str, MetadataValue] = {}
    pairs = given.items() if isinstance(given, Mapping) else [text.partition("=")[::2] for text in given]
    for key, value in pairs:
        if value == "":
            raise UsageError(f"--meta {key}: write KEY=VALUE, for example subject=M12")
        try:
            said[check_key(key)] = value_of(value) if isinstance(value, str) and key not in PLACES else value
        except ValueError as error:
            raise UsageError(f"--meta {key}: {error}") from None
    return said


def _count(option: str, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise UsageError(f"{option} {text}: write a number from 1 to {MOST}")
    return int(text)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
