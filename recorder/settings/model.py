"""The settings of a session: read from TOML, validated, frozen; error messages name the key."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field, ValidationError

from recorder.errors import ConfigurationError, did_you_mean
from recorder.settings.cameras import CAMERAS, FAULTS, CameraSettings, SimulatedCameraSettings
from recorder.settings.field_types import (
    Address,
    BaselineText,
    ColourMap,
    DifferenceRange,
    Duration,
    Levels,
    PoolSize,
    PreviewMode,
    RegionBox,
    RegionName,
    Reserve,
    Section,
    Switch,
    SyncPeriod,
)
from recorder.settings.messages import SettingsModels, explain
from recorder.settings.pco_camera import PcoCameraSettings


class RecordingSettings(Section):
    """What is recorded, and into which folder or file; `duration` in s."""

    name: str = Field("recording", pattern=r"^[\w.-]+$", max_length=100)
    title: str = Field("", max_length=200)
    output: str = Field("recordings", pattern=r"^[^\x00-\x1f]+$")
    frames: int | None = Field(None, ge=1)
    duration: Duration | None = None
    # How many triggers the camera gets: at the end of a run they are compared with the frames.
    triggers: int | None = Field(None, ge=1)


class PoolSettings(Section):
    """The only bound on memory: how many bytes a slow disk may be behind before frames are lost."""

    memory: PoolSize = 512_000_000


class StorageSettings(Section):
    """How the pixels reach the disk."""

    # "direct" bypasses the page cache; "buffered" goes through it; "auto" tries direct first.
    mode: Literal["auto", "direct", "buffered"] = "auto"
    # Bytes of the disk kept free, so that the file can be closed properly when the disk is full.
    reserve: Reserve = 16_000_000
    # What was committed longer ago survives a power cut; "never" leaves it to the system, which takes 30 s.
    durable_every: SyncPeriod = 1.0
    # A column with a checksum of each frame's pixels, which `recorder verify` compares; costs 0.06 s/GB.
    checksum: bool = False


class RemoteSettings(Section):
    """The remote control server for other programs; there is none unless `listen` is given."""

    # HOST:PORT; 127.0.0.1 admits programs on this machine only; port 0 takes a free one.
    listen: Address | None = None
    # Password of the clients; empty: a new one for every session, printed when it begins.
    token: str = Field("", pattern=r"^[\w.-]*$", max_length=200)


class PreviewSettings(Section):
    """The live picture of the frames while they are recorded."""

    on: bool = False
    # Maximum of pictures per second; fewer while the machine is busy.
    rate: float = Field(15.0, ge=0.1, le=100, strict=False)
    # Levels that follow the picture, the full range, or [low, high].
    levels: Levels = "auto"
    # How a frame becomes a smaller picture: every n-th pixel ("stride"), or the mean of n x n pixels.
    decimate: Literal["stride", "mean"] = "stride"
    # What a pixel of the frame is of the specimen, in um, for the scale bar; omitted: it is in pixels.
    pixel_um: float | None = Field(None, gt=0, le=1e6, strict=False)
    # Show saturated pixels, and those at 0, in colours of their own.
    saturation: bool = True
    # Frames as they are, or what they have more or less than the baseline: in counts, or in percent of it.
    mode: PreviewMode = "raw"
    # The mean of so many seconds of frames, or ("running 10s") one in which they fade over such a time.
    baseline: BaselineText = "running 10s"
    # The difference that is shown brightest, in counts or percent; "auto" follows the picture.
    range: DifferenceRange = "auto"
    # Regions whose means are shown as traces: name = [x0, y0, x1, y1] on the sensor, x1 and y1 not included.
    regions: dict[RegionName, RegionBox] = Field(default_factory=dict, max_length=16)
    # The colours of page and window; "auto" is grey, and diverging for differences.
    colours: ColourMap = "auto"
    # The brightness between the levels: less than 1 shows more in the dark, more than 1 in the light.
    gamma: float = Field(1.0, ge=0.1, le=10, strict=False)
    # A window on this computer's display; "auto": where there is a display and somebody at the console.
    window: Switch = "auto"
    # HOST:PORT of the web page; 127.0.0.1 admits this machine only; omitted: no page.
    web: Address | None = None
    # Password of the page; empty: a new one for every session, printed in the page's address.
    token: str = Field("", pattern=r"^[\w.-]*$", max_length=200)


class AnalysisSettings(Section):
    """A function of the user that is called with the latest frame."""

    # "module:name"; called as name(frame, metadata, **options) in a thread of its own.
    function: str | None = Field(None, pattern=r"^[\w.]+:\w+$")
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)


class Settings(Section):
    """All settings of a run, one attribute for each section of the configuration."""

    recording: RecordingSettings = RecordingSettings()
    camera: CameraSettings = SimulatedCameraSettings()
    pool: PoolSettings = PoolSettings()
    storage: StorageSettings = StorageSettings()
    remote: RemoteSettings = RemoteSettings()
    preview: PreviewSettings = PreviewSettings()
    analysis: AnalysisSettings = AnalysisSettings()

    @property
    def frames_per_trigger(self) -> int:
        """How many frames the camera exposes for each trigger."""
        return (isinstance(self.camera, PcoCameraSettings) and self.camera.frames_per_trigger) or 1

    @property
    def counts_triggers(self) -> bool:
        """Whether every frame that a trigger exposes is recorded: a ring overwrites some."""
        camera = self.camera
        return not isinstance(camera, PcoCameraSettings) or camera.memory in {"fifo", "camram sequence"}

    def to_toml(self) -> str:
        """Return TOML that `load` reads back as equal settings, except that the tokens are left out."""
        return tomli_w.dumps(self.to_tree())

    def to_tree(self) -> dict[str, Any]:
        """Return the settings without the tokens as nested dictionaries, as stored with the frames."""
        return self.model_dump(exclude_none=True, exclude={"remote": {"token"}, "preview": {"token"}})


SECTIONS: dict[str, type[Section]] = {
    "recording": RecordingSettings,
    "camera": SimulatedCameraSettings,
    "pool": PoolSettings,
    "storage": StorageSettings,
    "remote": RemoteSettings,
    "preview": PreviewSettings,
    "analysis": AnalysisSettings,
}


def keys() -> tuple[str, ...]:
    """Return the dotted keys of all settings, such as "pool.memory"; those of all kinds of camera too."""
    models = [*SECTIONS.items(), *(("camera", model) for model in CAMERAS.values())]
    return tuple(
        dict.fromkeys(f"{section}.{name}" for section, model in models for name in model.model_fields)
    )


def load(
    path: Path | None, overrides: tuple[str, ...] = (), options: Mapping[str, str] | None = None
) -> Settings:
    """Read settings from the TOML file `path` (None: the defaults); blocks for the file.

    `overrides` are KEY=VALUE texts, `options` the values of command line options by dotted key; both replace
    what the file has. Raises ConfigurationError for anything that is not allowed.
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
        except (ValueError, RecursionError) as error:
            # Besides what is no TOML: numbers of thousands of digits, brackets in brackets in brackets.
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
    """Return the settings of a nested dictionary; raises ConfigurationError with the first of the errors."""
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
        first = explain(
            dict(error.errors(include_url=False)[0]), Settings, SettingsModels(SECTIONS, CAMERAS, FAULTS)
        )
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigurationError(f"{first}{more}") from None


def override(settings: Settings, text: str, value: str | None = None) -> Settings:
    """Return settings with one key changed: `text` is KEY=VALUE, or the key alone where `value` is given.

    Raises ConfigurationError where the key or its value is not allowed.
    """
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
