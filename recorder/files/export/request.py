"""What is asked for in words, the same at the command line and in Python, and carrying it out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

from recorder.errors import UsageError
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
    roi: str | Sequence[int] | None
    bin: int
    meta: Mapping[str, MetadataValue] | Sequence[str]
    levels: str
    colours: str
    speed: str
    plain: bool


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
        is_film = FORMATS[ending_of(path)].module == "movie"
        for name, usual in _FILM.items():
            if not is_film and options.get(name, usual) != usual:
                raise UsageError(f"--{name}: is for films (.mp4) only, and {path.name} is none")
        if FORMATS[ending_of(path)].module == "table" and options.get("bin", 1) != 1:
            raise UsageError(f"--bin: is for pictures, and {path.name} has none")
        look = Look(
            parse_levels(options.get("levels", "auto")),
            check_colours(options.get("colours", "grey")),
            parse_speed(options.get("speed", "1x")),
            has_text=not options.get("plain", False),
        )
        roi = options.get("roi")
        if roi is not None and not isinstance(roi, str):
            roi = ",".join(map(str, roi))
        wanted = Wanted(
            options.get("frames"),
            options.get("time"),
            options.get("around"),
            _seconds("--before", options.get("before", "0.2s")),
            _seconds("--after", options.get("after", "0.6s")),
            options.get("every", 1),
            Shaping(parse_roi(roi) if roi else None, options.get("bin", 1)),
            _said(options.get("meta", ())),
        )
        require_installed(path)
        return cls(path, wanted, look if is_film else None)

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
    if isinstance(given, Mapping):
        return dict(given)
    said: dict[str, MetadataValue] = {}
    for text in given:
        key, _, value = text.partition("=")
        if not value:
            raise UsageError(f"--meta {text}: write KEY=VALUE, for example subject=M12")
        try:
            said[check_key(key)] = value if key in PLACES else value_of(value)
        except ValueError as error:
            raise UsageError(f"--meta {text}: {error}") from None
    return said


def _seconds(option: str, text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
