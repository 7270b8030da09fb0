"""The settings of a rig: its cameras, each with a configuration of its own; all of it checked at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomli_w
from pydantic import Field, ValidationError

from recorder.errors import ConfigurationError, did_you_mean
from recorder.settings.address import is_password
from recorder.settings.field_types import PATH, PLAIN_NAME, TOKEN, Address, Section
from recorder.settings.messages import SettingsModels, explain
from recorder.settings.model import SECTIONS, RemoteSettings, Settings, load
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.settings.toml_file import read_toml

# Names of cameras become part of files' names and begin lines: left: exposure 5ms.
CAMERA_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,31}"

OnFailure = Literal["go on", "stop all"]

S = TypeVar("S", bound=Section)


class RigSection(Section):
    """What all cameras have in common."""

    name: str = Field("rig", pattern=PLAIN_NAME, max_length=100)
    """How names of files begin; the date, the time and the camera's name follow."""
    output: str | None = Field(None, pattern=PATH)
    """A folder for all files; omitted: for each camera's that of its own configuration."""
    on_failure: OnFailure = "go on"
    """What the others do when a camera fails: "go on", or "stop all"."""
    web: Address | None = Field(None, examples=["127.0.0.1:8080"])
    """Where one page over all cameras is served; 127.0.0.1 admits this machine only; omitted: none."""
    token: str = Field("", pattern=TOKEN, max_length=200)
    """Password of that page; empty: a new one for every session, printed in the page's address."""


class RigCameraSection(Section):
    """One camera."""

    config: str | None = Field(None, pattern=PATH)
    """Its configuration, as for `recorder run`, beside the rig's own; omitted: the simulated camera."""
    master: bool = False
    """Whether it is started last and stopped first, as it triggers the others."""
    output: str | None = Field(None, pattern=PATH)
    """A folder for its files alone, on a disk of its own perhaps."""
    cpus: list[int] | None = Field(None, min_length=1)
    """The processors that its process runs on, numbered from 0; omitted: all."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What is different from `config`: sections with keys, such as settings.camera.serial = 61001234."""


_NO_UNIONS = SettingsModels({}, {}, {})


@dataclass(frozen=True)
class RigCamera:
    """One camera of a rig: what was said of it, and the settings that follow.

    `config` is the file to be read, None for none; `overrides` are KEY=VALUE on top of it.
    """

    name: str
    section: RigCameraSection
    config: Path | None
    overrides: tuple[str, ...]
    settings: Settings

    @property
    def folder(self) -> Path:
        """The folder for its files, where nothing else is said."""
        output = Path(self.settings.recording.output)
        return output.parent if output.suffix == ".h5" else output


@dataclass(frozen=True)
class Rig:
    """The settings of a rig; `cameras` in the order of the file, one at most being the master.

    `text` is what its file says, for the recording: without passwords.
    """

    common: RigSection
    remote: RemoteSettings
    cameras: tuple[RigCamera, ...]
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cameras."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def master(self) -> str:
        """The camera that is started last, "" where there is none."""
        return next((camera.name for camera in self.cameras if camera.section.master), "")


def load_rig(path: Path, overrides: Sequence[str] = (), options: Mapping[str, str] | None = None) -> Rig:
    """Read the rig's file `path` and the configuration of every camera; blocks for the files.

    `overrides` are KEY=VALUE for all cameras, or CAMERA.KEY=VALUE for one; `options` the values of options
    of the command line, by their keys, for all. Raises ConfigurationError for anything that is not allowed.
    """
    tree = read_toml(path, "configuration file of a rig")
    try:
        common, remote, sections = _sections(tree)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    by_camera = _by_camera(overrides, list(sections))
    cameras = tuple(
        _camera(path, name, section, by_camera[name], options or {}) for name, section in sections.items()
    )
    rig = Rig(common, remote, cameras, tomli_w.dumps(_without_tokens(tree)))
    for problem in _contradictions(rig):
        raise ConfigurationError(f"{path}: {problem}")
    return rig


def _sections(tree: dict[str, Any]) -> tuple[RigSection, RemoteSettings, dict[str, RigCameraSection]]:
    known = ("rig", "remote", "camera")
    for name in tree:
        if name not in known:
            hint = (
                "; of a camera it is settings." + name + " in its section, or stands in its config"
                if name in SECTIONS
                else did_you_mean(name, known) or f"; known here: {', '.join(known)}"
            )
            raise ConfigurationError(f"{name}: unknown section{hint}")
    cameras = tree.get("camera", {})
    if not isinstance(cameras, dict) or not all(isinstance(value, dict) for value in cameras.values()):
        raise ConfigurationError(
            'camera: each camera has a section of its own: [camera.left], config = "..."'
        )
    for name in cameras:
        if not re.fullmatch(CAMERA_NAME, name):
            raise ConfigurationError(
                f"camera.{name[:80]}: a name of up to 32 letters, digits, - and _, a letter first"
            )
        if name in {*SECTIONS, "all"}:
            raise ConfigurationError(f"camera.{name}: {name} means something else; call it otherwise")
    if not cameras:
        raise ConfigurationError('no camera; write a section for each: [camera.left], config = "edge55.toml"')
    return (
        _section(RigSection, tree.get("rig", {}), "rig"),
        _section(RemoteSettings, tree.get("remote", {}), "remote"),
        {name: _section(RigCameraSection, value, f"camera.{name}") for name, value in cameras.items()},
    )


def _section(kind: type[S], tree: object, name: str) -> S:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = explain(dict(error.errors(include_url=False)[0]), kind, _NO_UNIONS)
        raise ConfigurationError(f"{name}.{first}") from None


def _by_camera(overrides: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Return what of the overrides is for which camera."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for text in overrides:
        first, dot, rest = text.partition(".")
        if dot and first in found:
            found[first].append(rest)
        elif first.strip() in SECTIONS or not dot:
            for texts in found.values():
                texts.append(text)
        else:
            near = did_you_mean(first, [*names, *SECTIONS])
            raise ConfigurationError(f"--set {text}: {first} is no camera, and no section of a camera{near}")
    return found


def _camera(
    path: Path, name: str, section: RigCameraSection, overrides: Sequence[str], options: Mapping[str, str]
) -> RigCamera:
    config = None if section.config is None else path.parent / section.config
    texts = (*_flattened(section.settings), *overrides)
    try:
        settings = load(config, texts, options)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: camera {name}: {error}") from None
    typed = tuple(f"{key}={value}" for key, value in options.items())
    return RigCamera(name, section, config, (*texts, *typed), settings)


def _without_tokens(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested sections without the keys that are passwords."""
    return {
        name: _without_tokens(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if not is_password(name)
    }


def _flattened(tree: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yield KEY=VALUE for every value of nested sections."""
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}={tomli_w.dumps({'v': value}).partition('=')[2].strip()}"


def _contradictions(rig: Rig) -> Iterator[str]:
    """Yield what cannot be, of several cameras together."""
    masters = [camera.name for camera in rig.cameras if camera.section.master]
    if len(masters) > 1:
        yield f"{' and '.join(masters)} are both master = true; one is started last, at most"
    lower = [name.lower() for name in rig.names]
    for name in rig.names:
        if lower.count(name.lower()) > 1:
            yield f"camera {name}: another one has this name but for small and capital letters"
    for camera in rig.cameras:
        if (output := camera.section.output) is not None and Path(output).suffix == ".h5":
            yield f'camera.{camera.name}.output = "{output}": a folder; the rig gives its files their names'
    if rig.common.output is not None and Path(rig.common.output).suffix == ".h5":
        yield f'rig.output = "{rig.common.output}": a folder; --output takes a file name too'
    yield from _taken_twice(rig)


def _taken_twice(rig: Rig) -> Iterator[str]:
    """Yield what two cameras cannot both have: an address, a camera."""
    taken: dict[object, str] = {}
    if rig.remote.listen is not None:
        taken[rig.remote.listen] = "the rig itself"
    if rig.common.web is not None and not rig.common.web.endswith(":0"):
        if rig.common.web in taken:
            yield f"rig.web = {rig.common.web} is that of remote.listen; give another"
        taken[rig.common.web] = "the rig's page"
    for camera in rig.cameras:
        settings = camera.settings
        for key, where in (("remote.listen", settings.remote.listen), ("preview.web", settings.preview.web)):
            if where is None or where.endswith(":0"):
                continue
            if where in taken:
                yield (
                    f"camera {camera.name}: {key} = {where} is that of {taken[where]}; "
                    f"give another: settings.{key}"
                )
            taken[where] = f"camera {camera.name}"
        if isinstance(settings.camera, PcoCameraSettings):
            serial = settings.camera.serial
            others = [c for c in rig.cameras if isinstance(c.settings.camera, PcoCameraSettings)]
            if serial is None and len(others) > 1:
                yield f"camera {camera.name}: settings.camera.serial is missing: which of the cameras it is"
            if serial is not None and serial in taken:
                yield f"camera {camera.name}: camera.serial = {serial} is that of {taken[serial]}"
            taken[serial] = f"camera {camera.name}"
