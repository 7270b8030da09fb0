"""Exposure, delay and frame rate of an opened camera, and the time from frame to frame that they give.

Called on the camera thread; each call to the camera blocks for a telegram or more. Errors of the vendor's
package are raised unchanged, for `errors.translated`. Times are in s.
"""

import logging
import math
from dataclasses import dataclass

from recorder.camera.pco.light_sheet import times_of_lines
from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import ConfigurationError
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# A difference up to this share between the exposure asked for and the one set is the camera's rounding.
EXPOSURE_TOLERANCE = 0.02

# Differences of the frame time up to this are rounding; the camera's steps are larger.
_ROUNDING_S = 2e-9

# sc2_defs.h, IMAGE_TIMING_NOT_APPLICABLE.
_NOT_APPLICABLE = 0xFFFFFFFF


def expose(camera: OpenCamera, exposure_s: float, delay_s: float, rate: float) -> float:
    """Set exposure and delay, or exposure and rate (frames/s) on a camera that keeps one.

    Returns the exposure that the camera set, and logs a warning where that is another one. A rate of inf sets
    none.
    """
    if not math.isinf(rate) and camera.keeps_rate:
        camera.sdk.set_frame_rate(round(rate * 1000), round(exposure_s * 1e9))
    else:
        set_times(camera, exposure_s, delay_s)
    actual_s = exposure_of(camera)
    step_s = camera.sensor["Min Expos Step DESC"] / 1e9
    if abs(actual_s - exposure_s) > max(2 * step_s, EXPOSURE_TOLERANCE * exposure_s):
        log.warning(
            "asked to expose for %s, the camera took %s", format_seconds(exposure_s), format_seconds(actual_s)
        )
    return actual_s


def set_times(camera: OpenCamera, exposure_s: float, delay_s: float) -> None:
    """Set exposure and delay, as finely as this camera can."""
    steps = camera.sensor["Min Delay Step DESC"], camera.sensor["Min Expos Step DESC"]
    (delay, delay_base), (exposure, exposure_base) = map(_in_time_base, (delay_s, exposure_s), steps)
    camera.sdk.set_delay_exposure_time(delay, delay_base, exposure, exposure_base)


def exposure_of(camera: OpenCamera) -> float:
    """Return the exposure that is set, in s; asks the camera."""
    if camera.settings.line_time is not None:
        return times_of_lines(camera)[0]
    return _time_set(camera, "exposure")


def delay_of(camera: OpenCamera) -> float:
    """Return the delay that is set, in s; asks the camera."""
    if camera.settings.line_time is not None:
        return times_of_lines(camera)[1]
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


@dataclass(frozen=True)
class ImageTiming:
    """What the camera reckons of its frames as it is armed, in s; None for what it does not know.

    `frame_s` is the shortest time from frame to frame, `exposure_s` the exposure as the sensor carries it
    out. It begins `trigger_delay_s` after a trigger, which is `system_delay_s` and the delay that is set, and
    `jitter_s` more or less.
    """

    frame_s: float | None
    exposure_s: float | None
    trigger_delay_s: float | None
    system_delay_s: float | None
    jitter_s: float | None


def image_timing_of(camera: OpenCamera) -> ImageTiming | None:
    """Return what the camera reckons of its frames as of the last arming; None where it does not say."""
    try:
        answer = camera.sdk.get_image_timing()
    except (ValueError, LookupError):
        return None

    def seconds(ns: str, s: str = "") -> float | None:
        parts = [answer[ns], answer[s] if s else 0]
        return None if _NOT_APPLICABLE in parts else parts[0] * 1e-9 + parts[1]

    return ImageTiming(
        seconds("frame time ns", "frame time s"),
        seconds("exposure time ns", "exposure time s"),
        seconds("trigger delay ns", "trigger delay s"),
        seconds("trigger system delay ns"),
        seconds("trigger system jitter ns"),
    )


def arm(camera: OpenCamera) -> float:
    """Arm the camera, which computes its timing then; return the time from frame to frame."""
    camera.arm()
    return frame_time_of(camera)


def apply_rate(camera: OpenCamera, settings: PcoCameraSettings) -> float:
    """Lengthen the delay until frames come at the rate asked for; return the time from frame to frame."""
    period_s = arm(camera)
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
        period_s = arm(camera)
    if period_s > 1.001 / settings.rate:
        log.warning("camera.rate = %g: exposure and readout leave %.6g frames/s", settings.rate, 1 / period_s)
    return period_s
