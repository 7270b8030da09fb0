"""How much noise a recording's pixels may lose as it is compressed, by options and by what it tells."""

import math
from collections.abc import Mapping
from pathlib import Path

from recorder.camera.base import CameraDescription
from recorder.errors import ConfigurationError, UsageError
from recorder.files.recorded_source import RecordedSource
from recorder.session.camera_noise import noise_ladder
from recorder.settings.model import StorageSettings, validate
from recorder.storage.noise_ladder import LOSSY, SHOT_NOISE, NoiseLadder

# The keys that say the same of a camera that records.
_KEYS = {
    "shot_noise": "noise_fraction",
    "conversion_factor": "conversion_factor",
    "read_noise": "read_noise",
    "dark_offset": "dark_offset",
}


def wanted_noise(given: Mapping[str, str | None]) -> StorageSettings | None:
    """Return what the options, by their names with `_`, say; None without --shot-noise. Raises UsageError."""
    said = {name: value for name, value in given.items() if value is not None}
    if "shot_noise" not in said:
        for name in said:
            raise UsageError(f"{_option(name)}: is for --shot-noise, for example --shot-noise 0.5")
        return None
    storage: dict[str, object] = {"compression": SHOT_NOISE}
    for name, text in said.items():
        try:
            storage[_KEYS[name]] = float(text)
        except ValueError:
            raise UsageError(f"{_option(name)} {text}: write a number") from None
    try:
        return validate({"storage": storage}).storage
    except ConfigurationError as error:
        raise UsageError(_as_options(str(error))) from None


def ladder_of(path: Path, wanted: StorageSettings | None) -> NoiseLadder | None:
    """Return the levels for the pixels of a recording, None where they stay as they are.

    Raises UsageError where its noise is not known, and what opening it raises. Blocks.
    """
    if wanted is None:
        return None
    source = RecordedSource(path)
    source.close()
    if LOSSY[0] in source.details:
        raise UsageError(
            f"{path}: its pixels have been through --shot-noise; leave it out to pack them better"
        )
    camera = CameraDescription(str(path), str(path), source.format, math.inf, source.details)
    try:
        return noise_ladder(wanted, camera)
    except ConfigurationError as error:
        raise UsageError(_as_options(str(error))) from None


def _as_options(text: str) -> str:
    text = text.replace(f'storage.compression = "{SHOT_NOISE}"', "--shot-noise")
    for name, key in _KEYS.items():
        text = text.replace(f"storage.{key} =", _option(name)).replace(f"storage.{key}", _option(name))
    return text


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
