"""What noise a camera's pixels have, by the settings or by what it tells, and how much of it may be lost."""

from typing import NamedTuple

from recorder.camera.base import CameraDescription
from recorder.errors import ConfigurationError
from recorder.preview.levels import bits_of, saturation_of
from recorder.settings.model import StorageSettings
from recorder.storage.noise_ladder import LOSSY, SHOT_NOISE, NoiseLadder, NoiseModel


class _Wanted(NamedTuple):
    """What is wanted, by the last part of its key, which is also the camera's name of it."""

    what: str
    example: str
    least: float
    most: float


_WANTED = {
    "conversion_factor": _Wanted("electrons per count", "0.46", 0.001, 1000),
    "read_noise": _Wanted("electrons of read noise", "1.5", 0, 1000),
    "dark_offset": _Wanted("counts of a pixel without light", "100", 0, 65535),
}

# By how many times a factor that is set may differ from the camera's own: who confuses it with counts per
# electron, or with the hundredths that PCO's library gives, is farther off.
MOST_TIMES = 2.0

# What read noise is at most, of the greatest value of a pixel: that of a pco.edge is a twenty-thousandth.
MOST_DARK = 0.01


def noise_ladder(settings: StorageSettings, camera: CameraDescription) -> NoiseLadder | None:
    """Return the levels that pixels are moved to before they are stored, None where they stay as they are.

    Raises ConfigurationError, which names the key to set, where it is not known what noise they have.
    """
    if settings.compression != SHOT_NOISE:
        return None
    form = camera.format
    if form.dtype.itemsize != 2:
        raise ConfigurationError(
            f'storage.compression = "{SHOT_NOISE}": takes pixels of 16 bit, {camera.model} gives '
            f'{8 * form.dtype.itemsize}; set "lossless"'
        )
    if LOSSY[0] in camera.details:
        raise ConfigurationError(
            f'storage.compression = "{SHOT_NOISE}": the pixels of {camera.serial} have been through it; set '
            '"lossless", which makes them as small'
        )
    noise = NoiseModel(*(_value(name, getattr(settings, name), camera) for name in _WANTED))
    top = saturation_of(bits_of(camera.details), form.dtype)
    if (dark := noise.read_noise / noise.conversion_factor) > MOST_DARK * top:
        raise ConfigurationError(
            f"storage.read_noise = {noise.read_noise:g}: with {noise.conversion_factor:g} electrons per "
            f"count that is {dark:g} counts of {top}, too many for a camera; set what its data sheet says"
        )
    return NoiseLadder(noise, settings.noise_fraction, top)


def _value(name: str, setting: float | None, camera: CameraDescription) -> float:
    """Return a value as it is set, or as the camera tells it."""
    wanted, told = _WANTED[name], camera.details.get(name)
    is_number = isinstance(told, int | float) and wanted.least <= told <= wanted.most
    binning = camera.details.get("binning", "1x1")
    if is_number and binning == "1x1":
        own = float(told)  # type: ignore[arg-type] # it is a number
        if setting is None:
            return own
        if name == "conversion_factor" and not 1 / MOST_TIMES <= setting / own <= MOST_TIMES:
            raise ConfigurationError(
                f"storage.{name} = {setting:g}: {camera.model} says {own:g} {wanted.what}; set that, "
                "or leave the key out"
            )
    if setting is not None:
        return setting
    if told is None:
        why = "does not tell them"
    elif is_number:
        why = f"tells those of single pixels, and bins {binning}"
    else:
        why = f"says {told}, which cannot be"
    raise ConfigurationError(
        f'storage.{name}: missing; "{SHOT_NOISE}" needs the {wanted.what}, and {camera.model} {why}: set '
        f"it, for example {wanted.example}"
    )
