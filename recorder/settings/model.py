"""The settings of a session: read from TOML, validated, frozen; error messages name the key."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, ValidationError

from recorder.errors import ConfigurationError
from recorder.settings.cameras import CAMERAS, FAULTS, CameraSettings, SimulatedCameraSettings
from recorder.settings.capture_rules import check_captures
from recorder.settings.field_types import (
    FUNCTION,
    HIGHEST_GAMMA,
    LOWEST_GAMMA,
    PATH,
    PLAIN_NAME,
    TOKEN,
    Address,
    BaselineText,
    ColourMap,
    DifferenceRange,
    DiskRate,
    Duration,
    Frames,
    Levels,
    PixelSize,
    PoolSize,
    PreviewMode,
    RegionBox,
    RegionName,
    Reserve,
    Section,
    Switch,
    SyncPeriod,
    Unit,
)
from recorder.settings.file_types import ChannelNames, ConditionText, Extent, SplitText
from recorder.settings.messages import MAX_SHOWN, SettingsModels, explain
from recorder.settings.metadata import MetadataSettings
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.settings.toml_file import read_toml

# To say what is wrong with more of them takes seconds.
MOST_KEYS = 10_000


class RecordingSettings(Section):
    """What is recorded, and into which folder or file."""

    name: str = Field("recording", pattern=PLAIN_NAME, max_length=100)
    """How names of files begin where `output` is a folder; the date and the time follow."""
    title: str = Field("", max_length=200)
    """A line about the recording, stored in the file."""
    output: str = Field("recordings", pattern=PATH)
    """A folder for the files, or the first file itself, ending in .h5. Nothing is ever overwritten."""
    frames: Frames | None = Field(None, ge=1, examples=[1000])
    """The run ends after so many; omitted: it goes on until `stop`, or `duration`."""
    duration: Duration | None = Field(None, examples=["10min"])
    """The run ends after this time; omitted: it goes on until `stop`, or `frames`."""
    split: SplitText | None = Field(None, examples=["10GB", "10min", 5000])
    """The next file begins after so much of one, no frame lost between; omitted: one file for each run."""
    pretrigger: Extent | None = Field(None, examples=["2s", 500])
    """Hold so much in memory, and write it when `capture` or a trigger comes; omitted: write every frame."""
    posttrigger: Extent | None = Field(None, examples=["3s", 500])
    """How long a capture goes on, its trigger's frame being the first; omitted: as long as `pretrigger`."""
    captures: Annotated[int, Unit("captures")] = Field(0, ge=0)
    """The run ends after so many captures; 0: it goes on until `stop`, `duration` or `frames`."""
    channels: ChannelNames = Field(default_factory=list, examples=[["blue", "violet"]])
    """Kinds of light that frames are exposed with in turn, the first one with the first; empty: one kind."""
    capture_input: bool = False
    """Capture when the camera's acquire input goes high, too."""
    triggers: Annotated[int, Unit("triggers")] | None = Field(None, ge=1, examples=[500])
    """How many triggers the camera gets: at the end of a run they are compared with the frames."""
    pixel_size: PixelSize | None = Field(None, examples=["650nm"])
    """Width of a pixel of the frames on the sample, as measured; omitted: see `optics.magnification`."""


class OpticsSettings(Section):
    """What is between the camera and the sample."""

    magnification: Annotated[float, Unit("times")] | None = Field(
        None, ge=0.001, le=100_000, strict=False, examples=[10]
    )
    """With it a pixel on the sample is known from that on the sensor; `recording.pixel_size` comes first."""


class PoolSettings(Section):
    """The only bound on memory."""

    memory: PoolSize = 512_000_000
    """How much a slow disk may be behind before frames are lost."""


class StorageSettings(Section):
    """How the pixels reach the disk."""

    mode: Literal["auto", "direct", "buffered"] = "auto"
    """Past the page cache ("direct") or through it ("buffered"); "auto" tries direct first."""
    reserve: Reserve = 16_000_000
    """Room on the disk kept free, so that the file can be closed properly when the disk is full."""
    durable_every: SyncPeriod = 1.0
    """What was committed longer ago survives a power cut; "never" leaves it to the system, which takes 30 s.
    """
    checksum: bool = False
    """A column with a checksum of each frame's pixels, which `recorder verify` compares; costs 0.06 s/GB."""
    compression: Literal["none", "lossless", "shot-noise"] = "none"
    """"lossless": frames are packed (Blosc, lz4, bitshuffle) as far as the processors allow in time, others
    are stored as they are. To read packed ones, other programs need HDF5's filter 32001 (hdf5plugin).
    "shot-noise": nearly lossless, and smaller: values closer than a fraction of their noise become one first.
    """
    noise_fraction: Annotated[float, Unit("standard deviations")] = Field(0.5, ge=0.05, le=1, strict=False)
    """That fraction, of the noise of a pixel; 0.5 adds 2.1 % to the variance of the noise at most."""
    conversion_factor: Annotated[float, Unit("electrons/count")] | None = Field(
        None, ge=0.001, le=1000, strict=False, examples=[0.46]
    )
    """From it "shot-noise" reckons the noise of a pixel; omitted: as the camera tells it, if it does."""
    read_noise: Annotated[float, Unit("electrons")] | None = Field(
        None, ge=0, le=1000, strict=False, examples=[1.5]
    )
    """The noise of a pixel in the dark, as its data sheet has it; omitted: as the camera tells it."""
    dark_offset: Annotated[float, Unit("counts")] | None = Field(
        None, ge=0, le=65535, strict=False, examples=[100]
    )
    """The value of a pixel without light; omitted: as the camera tells it."""
    compressors: Annotated[int, Unit("threads")] | None = Field(None, ge=1, le=64, examples=[4])
    """How many threads pack, after all others on the computer; omitted: one for each core it may use."""
    limit: DiskRate = math.inf
    """At most so much is written, as on a slower disk, to try what happens then."""


class RemoteSettings(Section):
    """The remote control server for other programs; there is none unless `listen` is given."""

    listen: Address | None = Field(None, examples=["127.0.0.1:7625"])
    """Where it listens; 127.0.0.1 admits programs on this machine only; port 0 takes a free one."""
    token: str = Field("", pattern=TOKEN, max_length=200)
    """Password of the clients; empty: a new one for every session, printed when it begins."""


class PreviewSettings(Section):
    """The live picture of the frames while they are recorded."""

    on: bool = False
    """Whether pictures are made from the beginning; `preview on` and `off` change it."""
    rate: Annotated[float, Unit("pictures/s")] = Field(15.0, ge=0.1, le=100, strict=False)
    """At most so many pictures; fewer while the machine is busy."""
    levels: Levels = "auto"
    """What is black and what is white: levels that follow the picture, the full range, or two values."""
    decimate: Literal["stride", "mean"] = "stride"
    """How a frame becomes a smaller picture: every n-th pixel ("stride"), or the mean of n x n pixels."""
    saturation: bool = True
    """Show saturated pixels, and those at 0, in colours of their own."""
    mode: PreviewMode = "raw"
    """Frames as they are, or their difference from the baseline: in counts, or in percent of it."""
    baseline: BaselineText = "running 10s"
    """The mean of so many seconds of frames, or ("running 10s") one in which they fade over such a time."""
    range: DifferenceRange = "auto"
    """The difference that is shown brightest, in counts or percent; "auto" follows the picture."""
    regions: dict[RegionName, RegionBox] = Field(default_factory=dict, max_length=16)
    """Regions whose means are shown as traces: name = [x0, y0, x1, y1], x1 and y1 not included."""
    colours: ColourMap = "auto"
    """The colours of the picture; "auto" is grey, and diverging for differences."""
    gamma: float = Field(1.0, ge=LOWEST_GAMMA, le=HIGHEST_GAMMA, strict=False)
    """The brightness between the levels: less than 1 shows more in the dark, more than 1 in the light."""
    window: Switch = "auto"
    """A window with the page here; "auto": where there is a display and somebody at the console."""
    web: Address | None = Field(None, examples=["127.0.0.1:8080"])
    """Where the web page is served; 127.0.0.1 admits this machine only; omitted: no page."""
    token: str = Field("", pattern=TOKEN, max_length=200)
    """Password of the page; empty: a new one for every session, printed in the page's address."""


class AnalysisSettings(Section):
    """A function of the user that is called with the latest frame."""

    function: str | None = Field(None, pattern=FUNCTION, examples=["my_analysis:mean_of_eye"])
    """Called as name(frame, metadata, **options) in a thread of its own; omitted: none."""
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict, examples=[{"x": 200, "y": 100}]
    )
    """What it is called with beside the frame and its metadata, by name, for example { x = 200, y = 100 }."""
    regions: bool = False
    """Store the mean of each of preview.regions in every frame; those that there are as a file begins."""
    trigger: ConditionText | None = Field(None, examples=["mean > 1200"])
    """Capture when this begins to hold: of the "mean" of the latest frame or of a region (its name), or of
    a value that the function returns.
    """


class Settings(Section):
    """All settings of a run, one attribute for each section of the configuration."""

    recording: RecordingSettings = RecordingSettings()
    camera: CameraSettings = SimulatedCameraSettings()
    optics: OpticsSettings = OpticsSettings()
    metadata: MetadataSettings = MetadataSettings()
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

    def pixel_on_sample(self, on_sensor_m: tuple[float, float]) -> tuple[float, float]:
        """Return the size of a pixel on the sample in m from that on the sensor; (0, 0): not known."""
        if self.recording.pixel_size is not None:
            return self.recording.pixel_size, self.recording.pixel_size
        times = self.optics.magnification
        return (on_sensor_m[0] / times, on_sensor_m[1] / times) if times else (0.0, 0.0)

    def to_toml(self) -> str:
        """Return TOML that `load` reads back as equal settings, except that the tokens are left out."""
        return tomli_w.dumps(self.to_tree())

    def to_tree(self) -> dict[str, Any]:
        """Return the settings without the tokens as nested dictionaries, as stored with the frames."""
        return self.model_dump(exclude_none=True, exclude={"remote": {"token"}, "preview": {"token"}})


SECTIONS: dict[str, type[Section]] = {
    "recording": RecordingSettings,
    "camera": SimulatedCameraSettings,
    "optics": OpticsSettings,
    "metadata": MetadataSettings,
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
        tree = read_toml(path, "configuration file")
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
    for name, section in {"": tree, **tree}.items():
        if isinstance(section, dict) and len(section) > MOST_KEYS:
            where = f"{name[:MAX_SHOWN]}: " if name else ""
            raise ConfigurationError(f"{where}{len(section)} keys, more than any configuration has")
    camera = tree.get("camera")
    if isinstance(camera, dict):
        tree = {**tree, "camera": {"kind": "simulated", **camera}}
    try:
        settings = Settings.model_validate(tree)
        settings.to_toml().encode()
        check_captures(settings)
        return settings
    except UnicodeEncodeError:
        raise ConfigurationError("a text that is not valid UTF-8, a file name perhaps; rename it") from None
    except ValidationError as error:
        first = explain(
            dict(error.errors(include_url=False)[0]), Settings, SettingsModels(SECTIONS, CAMERAS, FAULTS)
        )
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigurationError(f"{first}{more}") from None


def override(settings: Settings, text: str, value: str | int | float | None = None) -> Settings:
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
