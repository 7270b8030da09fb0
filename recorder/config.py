"""Settings: TOML in, frozen and validated, with messages that name the key."""

import math
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from recorder.complaints import Kinds, explain
from recorder.errors import ConfigurationError, did_you_mean
from recorder.units import format_bytes, format_seconds, parse_bytes, parse_rate, parse_seconds


def _seconds(low: float, high: float, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('a time needs a unit (ns, us, ms, s, min, h), for example "5ms"')
    if not isinstance(value, str):
        raise ValueError('not a time; write a text such as "5ms"')
    seconds = parse_seconds(value)
    if not low <= seconds <= high:
        raise ValueError(f"must be between {format_seconds(low)} and {format_seconds(high)}")
    return seconds


def _bytes(low: int, high: int, value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('a size needs a unit (B, kB, MB, GB, KiB, MiB, GiB), for example "512MB"')
    size = parse_bytes(value)
    if not low <= size <= high:
        raise ValueError(f"must be between {format_bytes(low)} and {format_bytes(high)}")
    return size


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('not a frame rate; write frames per second, for example 100, or "max"')
    try:
        rate = parse_rate(value) if isinstance(value, str) else float(value)
    except OverflowError:
        rate = -1.0
    if not (0.001 <= rate <= 1e6 or rate == math.inf):
        raise ValueError('must be between 0.001 and 1000000 frames/s, or "max"')
    return rate


def _playback_rate(value: object) -> float | Literal["original"]:
    return "original" if value == "original" else _rate(value)


def _write_rate(rate: float | str) -> float | str:
    return "max" if rate == math.inf else rate


_WriteSeconds = PlainSerializer(format_seconds)
_WriteBytes = PlainSerializer(format_bytes)
_WriteRate = PlainSerializer(_write_rate)

Exposure = Annotated[float, BeforeValidator(partial(_seconds, 1e-6, 60)), _WriteSeconds]
Span = Annotated[float, BeforeValidator(partial(_seconds, 1e-3, 7 * 86400)), _WriteSeconds]
PoolSize = Annotated[int, BeforeValidator(partial(_bytes, 2 * 2**20, 2**40)), _WriteBytes]
Reserve = Annotated[int, BeforeValidator(partial(_bytes, 0, 2**40)), _WriteBytes]
Rate = Annotated[float, BeforeValidator(_rate), _WriteRate]
PlaybackRate = Annotated[float | Literal["original"], BeforeValidator(_playback_rate), _WriteRate]


class Section(BaseModel):
    """Frozen settings that refuse keys they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Drop(Section):
    """Lose `count` frames from counter `at` on, as a bad link does; the counter shows the gap."""

    kind: Literal["drop"]
    at: int = Field(ge=1)
    count: int = Field(ge=1)


class Stall(Section):
    """Deliver nothing for `duration` after counter `at`, while the camera goes on exposing."""

    kind: Literal["stall"]
    at: int = Field(ge=1)
    duration: Span


class Silence(Section):
    """Deliver nothing more from counter `at` on, without an error."""

    kind: Literal["silence"]
    at: int = Field(ge=1)


class SdkError(Section):
    """Fail at counter `at` with an error code of the camera's library."""

    kind: Literal["error"]
    at: int = Field(ge=1)
    code: int = 0x80332004


class Disconnect(Section):
    """Vanish at counter `at`."""

    kind: Literal["disconnect"]
    at: int = Field(ge=1)


Fault = Annotated[Drop | Stall | Silence | SdkError | Disconnect, Field(discriminator="kind")]


class SimulatedCamera(Section):
    """A camera made of numbers that behaves like a pco.edge."""

    kind: Literal["simulated"] = "simulated"
    width: int = Field(640, ge=16, le=8192)
    height: int = Field(540, ge=1, le=8192)
    rate: Rate = 100.0
    exposure: Exposure = 0.005
    seed: int = Field(0, ge=0)
    # Depth of the camera's own FIFO: at 100 frames/s, 64 frames ride out a pause of 0.64 s.
    fifo: int = Field(64, ge=1, le=1_000_000)
    # How long the camera may be silent before the run is given up.
    timeout: Span = 10.0
    faults: tuple[Fault, ...] = Field((), strict=False)


class PlaybackCamera(Section):
    """Frames from a multi-page TIFF or from one of our own files."""

    kind: Literal["playback"]
    source: str = Field(min_length=1)
    rate: PlaybackRate = "original"
    # "auto": once through, or again and again where more frames are asked for than the source holds.
    loop: bool | Literal["auto"] = "auto"
    fifo: int = Field(64, ge=1, le=1_000_000)
    timeout: Span = 10.0


CameraSettings = Annotated[SimulatedCamera | PlaybackCamera, Field(discriminator="kind")]


class Recording(Section):
    """What is recorded, and into which folder or file."""

    name: str = Field("recording", pattern=r"^[\w.-]+$", max_length=100)
    title: str = Field("", max_length=200)
    output: str = Field("recordings", pattern=r"^[^\x00-\x1f]+$")
    frames: int | None = Field(None, ge=1)
    duration: Span | None = None


class Pool(Section):
    """The one bound on memory: what a slow disk may fall behind before frames are lost."""

    memory: PoolSize = 512_000_000


class Storage(Section):
    """How the pixels reach the disk."""

    # "direct" bypasses the page cache; "buffered" goes through HDF5; "auto" tries direct first.
    mode: Literal["auto", "direct", "buffered"] = "auto"
    # Kept free for closing the file in order when the disk runs full.
    reserve: Reserve = 16_000_000


class Remote(Section):
    """The door for other programs; closed unless `listen` is given."""

    # HOST:PORT, on this machine only unless you say otherwise; port 0 takes a free one.
    listen: str | None = Field(None, pattern=r"^[^\s:]+:\d{1,5}$")
    # Empty: a new one for every session, printed when it begins.
    token: str = Field("", pattern=r"^[\w.-]*$", max_length=200)


class Settings(Section):
    """Everything that decides a run."""

    recording: Recording = Recording()
    camera: CameraSettings = SimulatedCamera()
    pool: Pool = Pool()
    storage: Storage = Storage()
    remote: Remote = Remote()

    def to_toml(self) -> str:
        """Return TOML that `load` reads back to equal settings, but for the token of the door."""
        return tomli_w.dumps(self.to_tree())

    def to_tree(self) -> dict[str, Any]:
        """Return what is kept beside the frames, for everyone who gets the file: all but the token."""
        return self.model_dump(exclude_none=True, exclude={"remote": {"token"}})


CAMERAS: dict[str, type[Section]] = {"simulated": SimulatedCamera, "playback": PlaybackCamera}
SECTIONS: dict[str, type[Section]] = {
    "recording": Recording,
    "camera": SimulatedCamera,
    "pool": Pool,
    "storage": Storage,
    "remote": Remote,
}
FAULTS: dict[str, type[Section]] = {
    "drop": Drop,
    "stall": Stall,
    "silence": Silence,
    "error": SdkError,
    "disconnect": Disconnect,
}


def load(
    path: Path | None, overrides: tuple[str, ...] = (), options: Mapping[str, str] | None = None
) -> Settings:
    """Read settings from TOML file `path` (None: the defaults), with KEY=VALUE overrides and typed options.

    Raises ConfigurationError, one line, for anything that is not allowed.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (FileNotFoundError, IsADirectoryError):
            near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.toml")])
            raise ConfigurationError(f"{path}: no such configuration file{near}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path}: not valid TOML: {error}") from None
    for text in overrides:
        _set(tree, *_split(text))
    for key, value in (options or {}).items():
        _set(tree, key, int(value) if value.isdecimal() and value.isascii() else value)
    try:
        return validate(tree)
    except ConfigurationError as error:
        typed = any(
            str(error).startswith(text.partition("=")[0].strip()) for text in (*overrides, *(options or ()))
        )
        raise ConfigurationError(f"--set {error}" if typed or not path else f"{path}: {error}") from None


def validate(tree: dict[str, Any]) -> Settings:
    """Return the settings of a nested dictionary; raise ConfigurationError with the first thing wrong."""
    camera = tree.get("camera")
    if isinstance(camera, dict):
        tree = {**tree, "camera": {"kind": "simulated", **camera}}
    try:
        settings = Settings.model_validate(tree)
        settings.to_toml().encode()
        return settings
    except UnicodeEncodeError:
        raise ConfigurationError("a text that is not valid UTF-8, a file name perhaps; rename it") from None
    except ValidationError as error:
        messages = [
            explain(dict(problem), Settings, Kinds(SECTIONS, CAMERAS, FAULTS))
            for problem in error.errors(include_url=False)
        ]
        more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
        raise ConfigurationError(f"{messages[0]}{more}") from None


def override(settings: Settings, text: str, value: str | None = None) -> Settings:
    """Return settings with one KEY=VALUE changed, or (`value`) key `text`; raises ConfigurationError."""
    tree = settings.model_dump(exclude_none=True)
    _set(tree, *(_split(text) if value is None else (text, value)))
    return validate(tree)


def _split(text: str) -> tuple[str, Any]:
    """Split KEY=VALUE; the value is TOML, or a plain text where it is not TOML."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(f"--set {text}: write KEY=VALUE, for example --set camera.exposure=5ms")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        parsed = value
    return key.strip(), parsed


def _set(tree: dict[str, Any], key: str, value: object) -> None:
    """Set one dotted key in place."""
    *sections, last = key.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"--set {key}: {section} is a value, not a section")
        tree = inner
    tree[last] = value
