"""Check settings against the camera's descriptions. Plain functions that do not ask the camera.

The key and the value of a setting, and what is allowed, are in the message of each ConfigurationError.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from recorder.camera.pco.refusal import refuse
from recorder.camera.pco.roi import RoiRules
from recorder.errors import ConfigurationError, did_you_mean
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.units import format_seconds

# Bits of the camera's description (sc2_defs.h, dwGeneralCapsDESC1).
NO_EXPOSURE_CONTROL = 0x00000080
NO_TIMESTAMP = 0x00000100
NO_ACQUIRE_MODE = 0x00000200
NO_MEMORY = 0x00001000
METADATA = 0x00004000
FRAME_RATE = 0x00008000
HARDWARE_LINES = 0x40000000

# PCO_SetFrameRate takes the exposure in ns, in 32 bits.
MAX_EXPOSURE_WITH_RATE_S = 4.29

# The binary timestamp takes so many pixels of the first row.
STAMP_PIXELS = 14

Description = Mapping[str, Any]


def check(settings: PcoCameraSettings, camera: Description, sensor: Description, kind: Description) -> None:
    """Raise ConfigurationError for the first setting that the camera cannot have.

    `camera` and `sensor` are the descriptions of an `OpenCamera`, `kind` the camera's type. Hardware lines
    are checked by `setup`, exposure and delay by `check_times`, what `options` has there.
    """
    caps = sensor["dwGeneralCapsDESC1"]
    _check_binning(settings.binning, camera)
    if settings.roi is not None:
        RoiRules.of(settings.binning, camera, sensor, kind).check(settings.roi)
    if settings.pixel_rate is not None:
        _one_of("pixel_rate", settings.pixel_rate, camera["pixelrates"])
    if settings.pixel_format is not None:
        _one_of("pixel_format", settings.pixel_format, camera["supported pixel formats"])
    if settings.conversion_factor is not None:
        _one_of("conversion_factor", settings.conversion_factor, camera["conversion factors"])
    if settings.cooling is not None:
        _check_cooling(settings.cooling, sensor)
    if "exposure control" in settings.trigger and caps & NO_EXPOSURE_CONTROL:
        refuse(
            "trigger", settings.trigger, "this camera has no exposure control; use external exposure start"
        )
    if settings.acquire != "auto" and caps & NO_ACQUIRE_MODE:
        refuse("acquire", settings.acquire, "this camera knows auto only")
    if settings.lines and not caps & HARDWARE_LINES:
        refuse("lines", "...", "this camera's hardware lines cannot be set")
    if settings.memory != "fifo" and caps & NO_MEMORY:
        refuse("memory", settings.memory, "this camera has no memory of its own; it must be fifo")
    if settings.rate != math.inf and settings.trigger != "auto sequence":
        refuse(
            "rate", f"{settings.rate:g}", f'with trigger = "{settings.trigger}" the trigger decides; omit it'
        )
    _check_rate(settings, caps)
    _check_counting(settings, caps)


def _check_rate(settings: PcoCameraSettings, caps: int) -> None:
    """Refuse settings that cannot be combined with a rate that the camera keeps itself."""
    if settings.rate == math.inf or not caps & FRAME_RATE:
        return
    if settings.delay:
        refuse("delay", format_seconds(settings.delay), "this camera keeps camera.rate itself; leave one out")
    if settings.exposure >= MAX_EXPOSURE_WITH_RATE_S:
        longest = format_seconds(MAX_EXPOSURE_WITH_RATE_S)
        why = f"must be less than {longest} with camera.rate; leave one out"
        refuse("exposure", format_seconds(settings.exposure), why)


def _check_counting(settings: PcoCameraSettings, caps: int) -> None:
    """Refuse settings with which frames have no counter, so that missing frames cannot be found."""
    if not caps & METADATA and caps & NO_TIMESTAMP:
        raise ConfigurationError(
            "camera.kind: this camera sends neither metadata nor timestamps, so that nobody "
            "could tell which frames are missing; it cannot be used"
        )
    if caps & NO_TIMESTAMP and settings.timestamp not in {None, "off"}:
        refuse("timestamp", settings.timestamp, "this camera puts none into its pixels; omit it")
    width = settings.roi[2] - settings.roi[0] + 1 if settings.roi else STAMP_PIXELS
    if not caps & METADATA and width < STAMP_PIXELS:
        refuse("roi", list(settings.roi or ()), f"the binary timestamp needs {STAMP_PIXELS} pixels in a row")
    if not caps & METADATA and settings.timestamp == "off":
        raise ConfigurationError(
            "camera.timestamp: this camera sends no metadata, so that only the binary timestamp in its "
            'pixels tells which frames are missing; set it to "binary"'
        )


def check_times(settings: PcoCameraSettings, camera: Description) -> None:
    """Raise ConfigurationError where exposure or delay are outside the camera's range.

    Its limits depend on other settings, so that `camera`, the description of an `OpenCamera`, is to be asked
    for after those are set. Where lines make the exposure, `light_sheet` checks them.
    """
    if settings.line_time is None:
        check_exposure(settings.exposure, camera)
    _within("delay", settings.delay, camera["min delay time"], camera["max delay time"])


def check_exposure(seconds: float, camera: Description) -> None:
    """Raise ConfigurationError where the camera cannot expose for so long; `camera` as for `check_times`."""
    _within("exposure", seconds, camera["min exposure time"], camera["max exposure time"])


def _check_binning(binning: tuple[int, int], camera: Description) -> None:
    allowed = [camera["binning horz vec"], camera["binning vert vec"]]
    if any(factor not in known for factor, known in zip(binning, allowed, strict=True)):
        known = f"[{'|'.join(map(str, allowed[0]))}, {'|'.join(map(str, allowed[1]))}]"
        refuse("binning", f"[{binning[0]}, {binning[1]}]", f"this camera has {known}")


def _check_cooling(celsius: int, sensor: Description) -> None:
    points = sensor["cooling setpoints"][: sensor["Num Cooling Setpoints"]]
    if points:
        _one_of("cooling", celsius, points)
    low, high = sensor["Min Cool Set DESC"], sensor["Max Cool Set DESC"]
    if low == high == 0 and not points:
        refuse("cooling", celsius, "this camera's cooling cannot be set")
    if not points and not low <= celsius <= high:
        refuse("cooling", celsius, f"must be from {low} to {high} degrees Celsius")


def _within(key: str, seconds: float, low: float, high: float) -> None:
    if not low - 1e-12 <= seconds <= high + 1e-12:
        allowed = f"must be from {_time(low)} to {_time(high)}"
        refuse(key, format_seconds(seconds), f"{allowed} on this camera")


def _time(seconds: float) -> str:
    return format_seconds(round(seconds, 9))


def _one_of(key: str, value: object, allowed: Iterable[object]) -> None:
    known = list(allowed)
    if value not in known:
        near = did_you_mean(str(value), map(str, known))
        refuse(key, value, f"must be {' or '.join(map(str, known)) or 'omitted'} on this camera{near}")
