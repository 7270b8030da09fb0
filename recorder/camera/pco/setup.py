"""Apply the settings to an opened camera, and read back the resulting format and timing.

Called on the camera thread; each call to the camera blocks for a telegram or more. Where nothing else is
said, errors of the vendor's package are raised unchanged, for `errors.translated`. Times are in s.
"""

import contextlib
import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recorder.camera.pco import validation as limits
from recorder.camera.pco.errors import translated
from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import ConfigurationError
from recorder.frames.pool import FrameFormat
from recorder.settings.cameras import LineSettings, PcoCameraSettings
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# A region whose frame time is more than this share of the full frame's is reported: it is hardly faster.
SLOW_REGION_SHARE = 0.95

# A difference up to this share between the exposure asked for and the one set is the camera's rounding.
EXPOSURE_TOLERANCE = 0.02

# Time-outs of a command, an image and its transfer while the shutter mode changes, as the vendor sets them.
SHUTTER_TIMEOUTS_MS = (2000, 3000, 250)

# Differences of the frame time up to this are rounding; the camera's steps are larger.
_ROUNDING_S = 2e-9

_EXPOSURE_LINE = 4
_LEVELS = ("high level", "low level")


@dataclass(frozen=True)
class Readout:
    """The frames that the camera delivers: `period_s` from frame to frame, 0 where a trigger decides.

    `metadata` is whether they carry metadata; `roi` is x0, y0, x1, y1 in binned pixels, from 1, both ends
    included.
    """

    format: FrameFormat
    period_s: float
    metadata: bool
    roi: tuple[int, int, int, int]


def set_up(camera: OpenCamera, settings: PcoCameraSettings) -> Readout:
    """Apply `settings` to a camera that does not record; return what it will deliver.

    Raises ConfigurationError for a setting that the camera cannot have, before anything is changed; only a
    rate that is too low for its longest delay is found later, when the other settings are applied.
    """
    sdk, description = camera.sdk, camera.description
    lines = check(camera, settings)
    sdk.set_binning(*settings.binning)
    whole = limits.whole_frame(camera.sensor, settings.binning)
    sdk.set_roi(*whole)
    sdk.set_pixel_rate(settings.pixel_rate or max(description["pixelrates"]))
    if settings.conversion_factor is not None:
        sdk.set_conversion_factor(round(settings.conversion_factor * 100))
    if settings.pixel_format is not None and len(description["supported pixel formats"]) > 1:
        sdk.set_camera_setup("pixel format", settings.pixel_format)
    if camera.has(limits.NOISE_FILTER):
        sdk.set_noise_filter_mode("on" if settings.noise_filter else "off")
    if settings.memory == "fifo":
        # A camera with a memory then delivers all frames in order, instead of the latest only.
        with contextlib.suppress(ValueError):
            sdk.set_storage_mode("fifo")
    if settings.cooling is not None:
        sdk.set_cooling_setpoint_temperature(settings.cooling)
    if not camera.has(limits.NO_TIMESTAMP):
        sdk.set_timestamp_mode(settings.timestamp)
    if camera.has(limits.METADATA):
        sdk.set_metadata_mode("on")
    sdk.set_trigger_mode(settings.trigger)
    if not camera.has(limits.NO_ACQUIRE_MODE):
        sdk.set_acquire_mode(settings.acquire)
    for line in lines:
        sdk.set_hwio_signal(*line)
    roi = settings.roi or whole
    full_s = 0.0
    if roi != whole and math.isinf(settings.rate):
        _set_times(camera, settings.exposure, settings.delay)
        full_s = _arm(camera)
    sdk.set_roi(*roi)
    # After the region: a rate too high for the full frame would be lowered.
    expose(camera, settings.exposure, settings.delay, settings.rate)
    period_s = _apply_rate(camera, settings)
    if full_s and period_s > SLOW_REGION_SHARE * full_s > SLOW_REGION_SHARE * 1.05 * settings.exposure:
        log.warning(
            "camera.roi %s is read out as slowly as the full frame, %s: on this sensor the number of rows "
            "decides, and where they are",
            list(roi),
            format_seconds(round(period_s, 9)),
        )
    dtype = np.uint8 if camera.bits == 8 else np.uint16
    form = FrameFormat(roi[3] - roi[1] + 1, roi[2] - roi[0] + 1, np.dtype(dtype))
    triggered = settings.trigger not in {"auto sequence", "external synchronized"}
    return Readout(form, 0.0 if triggered else period_s, camera.has(limits.METADATA), roi)


def check(camera: OpenCamera, settings: PcoCameraSettings) -> list[tuple[Any, ...]]:
    """Check the settings; return the arguments of set_hwio_signal for each hardware line among them.

    Raises ConfigurationError for the first setting that the camera cannot have. Changes nothing.
    """
    limits.check(settings, camera.description, camera.sensor)
    return [_line(camera, line) for line in settings.lines]


def expose(camera: OpenCamera, exposure_s: float, delay_s: float, rate: float) -> float:
    """Set exposure and delay, or exposure and rate (frames/s) on a camera that keeps one.

    Returns the exposure that the camera set, and logs a warning where that is another one. A rate of inf sets
    none.
    """
    if not math.isinf(rate) and camera.keeps_rate:
        camera.sdk.set_frame_rate(round(rate * 1000), round(exposure_s * 1e9))
    else:
        _set_times(camera, exposure_s, delay_s)
    actual_s = exposure_of(camera)
    step_s = camera.sensor["Min Expos Step DESC"] / 1e9
    if abs(actual_s - exposure_s) > max(2 * step_s, EXPOSURE_TOLERANCE * exposure_s):
        log.warning(
            "asked to expose for %s, the camera took %s", format_seconds(exposure_s), format_seconds(actual_s)
        )
    return actual_s


def _set_times(camera: OpenCamera, exposure_s: float, delay_s: float) -> None:
    steps = camera.sensor["Min Delay Step DESC"], camera.sensor["Min Expos Step DESC"]
    (delay, delay_base), (exposure, exposure_base) = map(_in_time_base, (delay_s, exposure_s), steps)
    camera.sdk.set_delay_exposure_time(delay, delay_base, exposure, exposure_base)


def exposure_of(camera: OpenCamera) -> float:
    """Return the exposure that is set, in s; asks the camera."""
    return _time_set(camera, "exposure")


def delay_of(camera: OpenCamera) -> float:
    """Return the delay that is set, in s; asks the camera."""
    return _time_set(camera, "delay")


def _time_set(camera: OpenCamera, which: str) -> float:
    now = camera.sdk.get_delay_exposure_time()
    return float(now[which] / {"ns": 10**9, "us": 10**6, "ms": 10**3}[now[f"{which} timebase"]])


def change_exposure(camera: OpenCamera, exposure_s: float, settings: PcoCameraSettings) -> float:
    """Change the exposure of a camera that records, and keep the rate of the settings.

    Returns the exposure that the camera set.
    """
    rate, delay_s = settings.rate, delay_of(camera)
    actual_s = expose(camera, exposure_s, delay_s, rate)
    if not math.isinf(rate) and not camera.keeps_rate:
        off_s = 1 / rate - frame_time_of(camera)
        if abs(off_s) > _ROUNDING_S:
            actual_s = expose(camera, exposure_s, max(settings.delay, delay_s + off_s), math.inf)
    return actual_s


def _in_time_base(seconds: float, step_ns: int) -> tuple[int, str]:
    """Return a time as a number of 32 bits and its base, as finely as a camera with that step can set it.

    The SDK sends base and number to the camera one after the other: where the base changes while the camera
    records, a frame between the two may get another exposure. Microseconds are used for as many times as
    possible, so that it seldom changes.
    """
    if step_ns and step_ns % 1000 == 0 and seconds * 1e6 < 2**32:
        return round(seconds * 1e6), "us"
    for base, per_second in (("ns", 10**9), ("us", 10**6)):
        if seconds * per_second < 2**32:
            return round(seconds * per_second), base
    return round(seconds * 1000), "ms"


def frame_time_of(camera: OpenCamera) -> float:
    """Return the time from frame to frame, in s, as of the last arming; asks the camera."""
    return float(camera.sdk.get_coc_runtime()["coc runtime"])


def _arm(camera: OpenCamera) -> float:
    """Arm the camera, which computes its timing then; return the time from frame to frame."""
    camera.sdk.arm_camera()
    return frame_time_of(camera)


def _apply_rate(camera: OpenCamera, settings: PcoCameraSettings) -> float:
    """Lengthen the delay until frames come at the rate asked for; return the time from frame to frame."""
    period_s = _arm(camera)
    if math.isinf(settings.rate):
        return period_s
    if camera.keeps_rate:
        period_s = 1000 / max(1, camera.sdk.get_frame_rate()["frame rate mHz"])
    elif 1 / settings.rate - period_s > _ROUNDING_S:
        delay_s = settings.delay + 1 / settings.rate - period_s
        longest_s = camera.description["max delay time"]
        if delay_s > longest_s:
            slowest = 1 / (period_s + longest_s - settings.delay)
            raise ConfigurationError(
                f"camera.rate = {settings.rate:g}: this camera cannot wait for so long between two frames; "
                f"at least {slowest:.3g} frames/s with this exposure"
            )
        expose(camera, settings.exposure, delay_s, math.inf)
        period_s = _arm(camera)
    if period_s > 1.001 / settings.rate:
        log.warning("camera.rate = %g: exposure and readout leave %.6g frames/s", settings.rate, 1 / period_s)
    return period_s


def _line(camera: OpenCamera, line: LineSettings) -> tuple[Any, ...]:
    """Return the arguments of set_hwio_signal for one line; those omitted stay as the camera has them."""
    sdk, index = camera.sdk, line.number - 1
    count = sdk.get_hwio_signal_count()["hwio signal count"]
    if line.number > count:
        raise ConfigurationError(f"camera.lines.number = {line.number}: this camera has {count} lines")
    now = sdk.get_hwio_signal(index)
    polarity = line.polarity or now["polarity"]
    if (polarity in _LEVELS) == (line.number == 1):
        wanted = "rising edge or falling edge" if line.number == 1 else "high level or low level"
        raise ConfigurationError(f"camera.lines.polarity = {polarity}: line {line.number} takes {wanted}")
    selected, parameter = now["selected"], list(now["parameter"])
    if line.signal is not None:
        names = [name.strip("\0 ").lower() for name in sdk.get_hwio_signal_descriptor(index)["signal name"]]
        known = [name for name in names if name]
        if line.signal not in known:
            raise ConfigurationError(
                f"camera.lines.signal = {line.signal}: line {line.number} of this camera tells "
                f"{' or '.join(known) or 'nothing'}"
            )
        selected = names.index(line.signal)
    if line.timing is not None:
        if line.number != _EXPOSURE_LINE:
            raise ConfigurationError(
                f"camera.lines.timing = {line.timing}: only line {_EXPOSURE_LINE} has it"
            )
        parameter[selected] = ("first line", "global", "last line", "all lines").index(line.timing) + 1
    on = "on" if line.on else "off"
    return index, on, now["type"], polarity, now["filter"], selected, parameter


def shutter_of(camera: OpenCamera) -> str:
    """Return the camera's shutter mode, such as "rolling shutter"; raises CameraError where it has none."""
    with translated("asking the camera for its shutter mode"):
        return str(camera.sdk.get_camera_setup("shutter mode")["setup"])


def change_shutter(camera: OpenCamera, wanted: str) -> bool:
    """Restart the camera with the shutter mode `wanted`; return False where it has that mode already.

    After True this object cannot be used any more: close it, and open the camera again once it answers.
    Raises CameraError.
    """
    if shutter_of(camera) == wanted:
        return False
    with translated(f"changing the shutter to {wanted}"):
        # The change takes longer than other commands.
        camera.sdk.set_timeouts(*SHUTTER_TIMEOUTS_MS)
        camera.sdk.set_camera_setup("shutter mode", wanted)
        camera.sdk.reboot_camera()
    log.info("the camera restarts with its %s; this takes some 10 s", wanted)
    return True
