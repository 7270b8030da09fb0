"""Apply the settings to an opened camera, and read back the resulting format and timing.

Called on the camera thread; each call to the camera blocks for a telegram or more. Where nothing else is
said, errors of the vendor's package are raised unchanged, for `errors.translated`. Times are in s.
"""

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recorder.camera.pco import memory, memory_limits
from recorder.camera.pco import validation as limits
from recorder.camera.pco.lines import line_arguments
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.timing import apply_rate, arm, expose, set_times
from recorder.frames.pool import FrameFormat
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# A region whose frame time is more than this share of the full frame's is reported: it is hardly faster.
SLOW_REGION_SHARE = 0.95


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
    memory.prepare(camera, settings)
    if settings.cooling is not None:
        sdk.set_cooling_setpoint_temperature(settings.cooling)
    if not camera.has(limits.NO_TIMESTAMP):
        sdk.set_timestamp_mode(settings.timestamp)
    if camera.has(limits.METADATA):
        sdk.set_metadata_mode("on")
    sdk.set_trigger_mode(settings.trigger)
    if not camera.has(limits.NO_ACQUIRE_MODE):
        memory.set_acquire(camera, settings)
    for line in lines:
        sdk.set_hwio_signal(*line)
    roi = settings.roi or whole
    full_s = 0.0
    if roi != whole and math.isinf(settings.rate):
        set_times(camera, settings.exposure, settings.delay)
        full_s = arm(camera)
    sdk.set_roi(*roi)
    # After the region: a rate too high for the full frame would be lowered.
    expose(camera, settings.exposure, settings.delay, settings.rate)
    period_s = apply_rate(camera, settings)
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
    memory_limits.check(settings, camera.sensor["dwGeneralCapsDESC1"])
    memory.check_room(camera, settings)
    return [line_arguments(camera, line) for line in settings.lines]
