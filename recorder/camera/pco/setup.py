"""Apply the settings to an opened camera, and read back the resulting format and timing.

Called on the camera thread; each call to the camera blocks for a telegram or more. Where nothing else is
said, errors of the vendor's package are raised unchanged, for `errors.translated`. Times are in s.
"""

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recorder.camera.pco import light_sheet, memory, memory_limits, options
from recorder.camera.pco import validation as limits
from recorder.camera.pco.lines import line_arguments
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.roi import Roi, whole_frame
from recorder.camera.pco.timing import apply_rate, arm, expose, image_timing_of, set_times
from recorder.errors import CameraError
from recorder.frames.pool import FrameFormat
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# A region whose frame time is more than this share of the full frame's is reported: it is hardly faster.
SLOW_REGION_SHARE = 0.95


@dataclass(frozen=True)
class Readout:
    """The frames that the camera delivers: `period_s` from frame to frame, 0 where a trigger decides.

    `shortest_s` is that time at the highest rate that triggers may have, 0 where it is not known. `metadata`
    is whether frames carry metadata; `roi` is x0, y0, x1, y1 in binned pixels, from 1, both ends included.
    """

    format: FrameFormat
    period_s: float
    metadata: bool
    roi: Roi
    shortest_s: float = 0.0

    @property
    def trigger_rate(self) -> float:
        """How many triggers a second the camera takes at most; 0 where it needs none, or it is not known."""
        return 1 / self.shortest_s if self.shortest_s and not self.period_s else 0.0


def set_up(camera: OpenCamera, settings: PcoCameraSettings) -> Readout:
    """Apply `settings` to a camera that does not record; return what it will deliver.

    Raises ConfigurationError for a setting that the camera cannot have, before anything is changed; found
    later are what depends on other settings: limits of exposure and delay, and of the rate.
    Raises CameraError where the camera reads out another region than asked for.
    """
    lines = check(camera, settings)
    whole = whole_frame(camera.description, settings.binning)
    _set_format(camera, settings, whole)
    _set_signals(camera, settings)
    for line in lines:
        camera.sdk.set_hwio_signal(*line)
    if camera.arm():
        # With these settings the camera has other limits.
        check(camera, settings)
    limits.check_times(settings, camera.description)
    roi = settings.roi or whole
    period_s = _set_region(camera, settings, roi, whole)
    if (read := camera.region) != roi:
        if settings.roi is not None:
            raise CameraError(
                f"camera.roi = {list(roi)}: the camera reads out {list(read)} instead; ask for that"
            )
        log.warning("the camera reads out %s of its whole frame, %s", list(read), list(roi))
        roi = read
    dtype = np.uint8 if camera.bits == 8 else np.uint16
    # Two images, one below the other, come as one.
    images = 2 if settings.double_image else 1
    form = FrameFormat((roi[3] - roi[1] + 1) * images, roi[2] - roi[0] + 1, np.dtype(dtype))
    triggered = settings.trigger not in {"auto sequence", "external synchronized"}
    timing = image_timing_of(camera)
    # Where pulses make the exposure, the one that is set, and with it this time, does not act.
    is_pulsed = "control" in settings.trigger
    shortest_s = 0.0 if is_pulsed else (timing and timing.frame_s) or period_s
    return Readout(form, 0.0 if triggered else period_s, camera.has(limits.METADATA), roi, shortest_s)


def _set_format(camera: OpenCamera, settings: PcoCameraSettings, whole: Roi) -> None:
    """Set what pixels are, and how they are read; the region of interest is the whole frame."""
    sdk, description = camera.sdk, camera.description
    options.apply(camera, settings)
    sdk.set_binning(*settings.binning, settings.binning_mode)
    sdk.set_roi(*whole)
    sdk.set_pixel_rate(settings.pixel_rate or max(description["pixelrates"]))
    if settings.conversion_factor is not None:
        sdk.set_conversion_factor(round(settings.conversion_factor * 100))
    if settings.pixel_format is not None and len(description["supported pixel formats"]) > 1:
        sdk.set_camera_setup("pixel format", settings.pixel_format)
    light_sheet.prepare(camera, settings)
    has_metadata = camera.has(limits.METADATA)
    if not camera.has(limits.NO_TIMESTAMP):
        # It replaces fourteen pixels: only where nothing else tells the number of a frame, or by request.
        sdk.set_timestamp_mode(settings.timestamp or ("off" if has_metadata else "binary"))
    if has_metadata:
        sdk.set_metadata_mode("on")


def _set_signals(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Set what starts a frame, where it goes, and the cooling."""
    sdk = camera.sdk
    memory.prepare(camera, settings)
    if settings.cooling is not None:
        sdk.set_cooling_setpoint_temperature(settings.cooling)
    sdk.set_trigger_mode(settings.trigger)
    if not camera.has(limits.NO_ACQUIRE_MODE):
        memory.set_acquire(camera, settings)


def _set_region(camera: OpenCamera, settings: PcoCameraSettings, roi: Roi, whole: Roi) -> float:
    """Set region, exposure and rate, and arm the camera; return the time from frame to frame.

    Logs a region that is no faster than the whole frame.
    """
    full_s, by_lines = 0.0, settings.line_time is not None
    if roi != whole and math.isinf(settings.rate) and not by_lines:
        set_times(camera, settings.exposure, settings.delay)
        full_s = arm(camera)
    camera.sdk.set_roi(*roi)
    if not by_lines:
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
    return period_s


def check(camera: OpenCamera, settings: PcoCameraSettings) -> list[tuple[Any, ...]]:
    """Check the settings; return the arguments of set_hwio_signal for each hardware line among them.

    Raises ConfigurationError for the first setting that the camera cannot have. Changes nothing.
    """
    options.check(settings, camera.sensor)
    light_sheet.check(camera, settings)
    limits.check(settings, camera.description, camera.sensor, camera.kind)
    memory_limits.check(settings, camera.sensor["dwGeneralCapsDESC1"])
    memory.check_room(camera, settings)
    return [line_arguments(camera, line) for line in settings.lines]
