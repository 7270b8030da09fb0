"""Settings of a PCO camera that are one call each: a table, so that one more is one row.

A camera is set only where it has another value; what it then has is stored in the file. Called on the camera
thread; each call to the camera blocks for a telegram, and raises the vendor's errors unchanged.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recorder.camera.pco import direct_calls
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.refusal import refuse
from recorder.settings.pco_camera import PcoCameraSettings

log = logging.getLogger(__name__)

# Bits of the camera's description (sc2_defs.h, dwGeneralCapsDESC1 and dwGeneralCapsDESC3).
NOISE_FILTER = 0x00000001
HOT_PIXEL_FILTER = 0x00000002
HOT_PIXELS_WITH_NOISE_FILTER_ONLY = 0x00000004
HOT_PIXEL_CORRECTION = 0x00000040
FAN_AND_LED = 0x00400000
AVERAGE_BINNING = 0x00004000

_FILTER_AND_HOT_PIXELS = "on & hot pixel correction"
_ADCS = {"1": "single adc", "2": "dual adc"}

Sensor = Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """A setting that a camera has or lacks.

    `key` is its key in [camera], and its name in the file. `has` says by the SDK's description whether a
    camera has it, `lacking` why it is refused where not. Values are words: `put` sets one with the SDK (None:
    another option sets it), `get` asks for it.
    """

    key: str
    lacking: str
    has: Callable[[Sensor], bool]
    put: Callable[[Any, str], None] | None
    get: Callable[[Any], str]


def _caps(bit: int) -> Callable[[Sensor], bool]:
    return lambda sensor: bool(sensor["dwGeneralCapsDESC1"] & bit)


def _filters_hot_pixels(sensor: Sensor) -> bool:
    """Whether the camera corrects hot pixels, but as a part of its noise filter only."""
    caps = sensor["dwGeneralCapsDESC1"]
    return bool(caps & NOISE_FILTER and caps & HOT_PIXEL_FILTER) and not caps & HOT_PIXEL_CORRECTION


def _has_extended_format(sensor: Sensor) -> bool:
    extended = [sensor[f"max. {way} resolution extended"] for way in ("horizontal", "vertical")]
    return all(extended) and extended != [
        sensor[f"max. {way} resolution standard"] for way in ("horizontal", "vertical")
    ]


def _set_fan(sdk: Any, word: str) -> None:  # noqa: ANN401
    if word == "auto":
        sdk.set_fan_control_parameters("auto")
    else:
        sdk.set_fan_control_parameters("user", int(word))


def _fan_of(sdk: Any) -> str:  # noqa: ANN401
    now = sdk.get_fan_control_parameters()
    return "auto" if now["mode"] == "auto" else str(now["value"])


# In this order they are set; the first ones change the limits of others.
OPTIONS = (
    Option(
        "sensor_format",
        "this camera has its standard format only",
        _has_extended_format,
        lambda sdk, word: sdk.set_sensor_format(word),
        lambda sdk: str(sdk.get_sensor_format()["sensor format"]),
    ),
    Option(
        "adcs",
        "this camera has one converter only",
        lambda sensor: sensor["number adcs"] > 1,
        lambda sdk, word: sdk.set_adc_operation(_ADCS[word]),
        lambda sdk: next(n for n, name in _ADCS.items() if name == sdk.get_adc_operation()["adc operation"]),
    ),
    Option(
        "ir_sensitivity",
        "this camera has no mode for infrared light",
        lambda sensor: bool(sensor["ir"]),
        lambda sdk, word: sdk.set_ir_sensitivity(word),
        lambda sdk: str(sdk.get_ir_sensitivity()["ir sensitivity"]),
    ),
    Option(
        "offset_mode",
        "this camera's offset cannot be regulated",
        lambda sensor: bool(sensor["Offset Regulation DESC"]),
        lambda sdk, word: sdk.set_offset_mode(word),
        lambda sdk: str(sdk.get_offset_mode()["offset mode"]),
    ),
    Option(
        "double_image",
        "this camera takes no pairs of images, or not with this shutter",
        lambda sensor: bool(sensor["wDoubleImageDESC"]),
        lambda sdk, word: sdk.set_double_image_mode(word),
        lambda sdk: str(sdk.get_double_image_mode()["double image"]),
    ),
    Option(
        "noise_filter",
        "this camera has no noise filter",
        _caps(NOISE_FILTER),
        direct_calls.set_noise_filter,
        direct_calls.noise_filter_of,
    ),
    Option(
        "hot_pixel_correction",
        "this camera has no hot-pixel correction",
        _caps(HOT_PIXEL_CORRECTION),
        lambda sdk, word: sdk.set_hot_pixel_correction_mode(word),
        lambda sdk: str(sdk.get_hot_pixel_correction_mode()["hot pixel correction mode"]),
    ),
    Option(
        "hot_pixel_correction",
        "",
        _filters_hot_pixels,
        None,
        lambda sdk: "on" if direct_calls.noise_filter_of(sdk) == _FILTER_AND_HOT_PIXELS else "off",
    ),
    Option("fan", "this camera's fan cannot be set", _caps(FAN_AND_LED), _set_fan, _fan_of),
    Option(
        "status_led",
        "this camera's lights cannot be switched",
        _caps(FAN_AND_LED),
        direct_calls.set_led,
        direct_calls.led_of,
    ),
)


def check(settings: PcoCameraSettings, sensor: Sensor) -> None:
    """Raise ConfigurationError for the first option that a camera of the SDK's description `sensor` lacks."""
    able = {option.key for option in OPTIONS if option.has(sensor)}
    for option in OPTIONS:
        wanted = getattr(settings, option.key)
        # What a setting is by default, a camera without the option has anyway.
        if option.key not in able and wanted != PcoCameraSettings.model_fields[option.key].default:
            refuse(option.key, _word(wanted, "true", "false"), option.lacking)
    if settings.binning_mode == "average" and not sensor["dwGeneralCapsDESC3"] & AVERAGE_BINNING:
        refuse("binning_mode", "average", "this camera adds up the pixels that it bins; it must be sum")
    together = _filters_hot_pixels(sensor) or sensor["dwGeneralCapsDESC1"] & HOT_PIXELS_WITH_NOISE_FILTER_ONLY
    if settings.hot_pixel_correction and together and not settings.noise_filter:
        why = "this camera corrects hot pixels with its noise filter only; set camera.noise_filter = true too"
        refuse("hot_pixel_correction", "true", why)


def apply(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Set the options that the camera has, checked before.

    Logs a warning for each that the camera does not take.
    """
    for option in OPTIONS:
        wanted = _wanted(option.key, camera.sensor, settings)
        if wanted is None or option.put is None or not option.has(camera.sensor):
            continue
        if _ask(option, camera) != wanted:
            option.put(camera.sdk, wanted)
            if (got := _ask(option, camera)) not in {wanted, None}:
                log.warning("camera.%s: asked for %s, the camera has %s", option.key, wanted, got)


def details(camera: OpenCamera) -> dict[str, str]:
    """Return what the camera has of each option, by its key; those without an answer are left out."""
    answers = ((option.key, _ask(option, camera)) for option in OPTIONS if option.has(camera.sensor))
    return {key: word for key, word in answers if word is not None}


def _ask(option: Option, camera: OpenCamera) -> str | None:
    """Return what the camera has of an option, None where it does not say or the package does not know it."""
    with contextlib.suppress(ValueError, LookupError, StopIteration):
        return option.get(camera.sdk)
    return None


def _wanted(key: str, sensor: Sensor, settings: PcoCameraSettings) -> str | None:
    """Return the word of the settings for an option, None where it is to stay as it is."""
    if key == "noise_filter" and settings.hot_pixel_correction and _filters_hot_pixels(sensor):
        return _FILTER_AND_HOT_PIXELS
    value = getattr(settings, key)
    return None if value is None else _word(value, "on", "off")


def _word(value: object, true: str, false: str) -> str:
    return (true if value else false) if isinstance(value, bool) else str(value)
