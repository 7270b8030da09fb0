"""The light-sheet mode of a pco.edge: a time from row to row, and an exposure that is a number of them.

The rows exposed at a moment are as wide as the sheet of light that goes over the sample with them. Called on
the camera thread; what asks the camera blocks for telegrams, and raises the vendor's errors unchanged. Times
are in s.
"""

import contextlib
import logging
import math

from recorder.camera.pco.direct_calls import line_time_limits
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.refusal import refuse
from recorder.settings.pco_camera import PcoCameraSettings
from recorder.units import format_seconds

log = logging.getLogger(__name__)

# sc2_defs.h, CAMERATYPE_PCO_EDGE and those after it, and CAMERATYPE_PCO_FAMILY_EDGE.
_EDGES, _GENERATION = {0x1300, 0x1800}, 0xFF00

# PCO_SetInterfaceOutputFormat. The package's one interface is that of Camera Link, 2; other programs use it
# on Camera Link HS too.
ROW_ORDERS = {
    0x0000: "top bottom",
    0x0100: "top center bottom center",
    0x0200: "center top center bottom",
    0x0300: "center top bottom center",
    0x0400: "top center center bottom",
    0x0500: "inverse",
}
_INTERFACE = "edge"

# The SDK takes line times in ns.
_TOLERANCE_S = 1e-9

# A camera rounds line times to its clock; more than this share is told.
_ROUNDING = 0.01


def check(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Raise ConfigurationError for the first of the light-sheet settings that the camera cannot have.

    Asks the camera for its limits; changes nothing.
    """
    is_edge = _is_edge(camera)
    if settings.readout is not None and not is_edge:
        refuse("readout", settings.readout, "only a pco.edge reads its rows in another order; omit it")
    if settings.line_time is None:
        for key, value in (
            ("exposure_lines", settings.exposure_lines),
            ("delay_lines", settings.delay_lines),
        ):
            if value:
                refuse(key, value, "camera.line_time says how long a line takes, and is omitted")
        return
    shown = format_seconds(settings.line_time)
    if not is_edge:
        refuse("line_time", shown, "only a pco.edge has a light-sheet mode")
    if settings.exposure_lines is None:
        refuse("line_time", shown, "camera.exposure_lines says how long a row is exposed, and is omitted")
    _check_contradictions(settings)
    _check_limits(camera, settings, settings.line_time)


def _check_contradictions(settings: PcoCameraSettings) -> None:
    """Raise ConfigurationError for a setting that the lines decide; of the exposure the settings know it."""
    if not math.isinf(settings.rate):
        why = (
            "with camera.line_time the lines decide; omit it, and lengthen the pause with camera.delay_lines"
        )
        refuse("rate", f"{settings.rate:g}", why)
    if settings.delay:
        why = "with camera.line_time it is counted in camera.delay_lines; omit it"
        refuse("delay", format_seconds(settings.delay), why)
    if "exposure control" in settings.trigger or settings.trigger == "external CDS control":
        why = "the length of a pulse and camera.exposure_lines cannot both decide the exposure"
        refuse("trigger", settings.trigger, why)
    if settings.double_image:
        refuse("double_image", "true", "camera.line_time is for single images; leave one out")
    if settings.shutter not in {None, "rolling shutter"}:
        why = "with camera.line_time rows are exposed one after the other; it must be rolling shutter"
        refuse("shutter", str(settings.shutter), why)


def _check_limits(camera: OpenCamera, settings: PcoCameraSettings, line_s: float) -> None:
    """Raise ConfigurationError where the camera, as it is, has not this line time."""
    shown = format_seconds(line_s)
    shutter = "rolling shutter"
    with contextlib.suppress(ValueError, LookupError):
        # Not every edge has a choice.
        shutter = camera.sdk.get_camera_setup("shutter mode")["setup"]
    if shutter != "rolling shutter":
        why = f'the camera has its {shutter}; set camera.shutter = "rolling shutter", or omit it'
        refuse("line_time", shown, why)
    limits = _limits(camera)
    if limits is None:
        refuse("line_time", shown, "this pco.edge has no light-sheet mode")
    least_s, most_s, is_fast = limits
    if not least_s - _TOLERANCE_S < line_s < most_s + _TOLERANCE_S:
        allowed = f"from {format_seconds(round(least_s, 9))} to {format_seconds(round(most_s, 9))}"
        refuse("line_time", shown, f"must be {allowed} on this camera")
    rates = camera.description["pixelrates"]
    rate = settings.pixel_rate or max(rates)
    if not is_fast and rate != min(rates):
        refuse("pixel_rate", str(rate), f"with camera.line_time this camera has {min(rates)} only")


def _limits(camera: OpenCamera) -> tuple[float, float, bool] | None:
    """Ask for the limits of the line time; return None where the camera has none."""
    try:
        return line_time_limits(camera.sdk)
    except (ValueError, LookupError):
        return None


def prepare(camera: OpenCamera, settings: PcoCameraSettings) -> None:
    """Set the line timing and the order of rows, or switch off the line timing of somebody before.

    Logs a warning where the camera has other times, or refuses an order of rows that nobody asked for.
    """
    sdk = camera.sdk
    if settings.readout is not None:
        _set_readout(camera, settings.readout)
    elif settings.line_time is not None:
        try:
            _set_readout(camera, "top bottom")
        except (ValueError, LookupError) as error:
            log.warning("the order in which the camera reads its rows stays as it is: %s", error)
    if settings.line_time is not None:
        # Between two ns: the package cuts off what is behind the whole ones.
        sdk.set_cmos_line_timing("on", (round(settings.line_time * 1e9) + 0.5) * 1e-9)
        sdk.set_cmos_line_exposure_delay(settings.exposure_lines, settings.delay_lines)
        exposure_s, _ = times_of_lines(camera)
        if abs(exposure_s - settings.exposure) > _ROUNDING * settings.exposure:
            took = format_seconds(round(exposure_s, 9))
            log.warning(
                "the lines make %s of exposure, the camera took %s", format_seconds(settings.exposure), took
            )
    elif details(camera).get("light_sheet") == "on":
        sdk.set_cmos_line_timing("off", 0)


def restore(camera: OpenCamera) -> None:
    """Give the camera the order of rows back that it was found with, as nothing else does; raises nothing.

    With another one the next program would get fewer frames/s than it is used to.
    """
    if camera.found_readout is not None:
        with contextlib.suppress(ValueError, LookupError, OSError):
            camera.sdk.set_interface_output_format(_INTERFACE, camera.found_readout)


def times_of_lines(camera: OpenCamera) -> tuple[float, float]:
    """Return the exposure of a row and the pause between frames in s, as they are set; asks the camera."""
    line_s = float(camera.sdk.get_cmos_line_timing()["line time"])
    lines = camera.sdk.get_cmos_line_exposure_delay()
    return round(line_s * lines["lines exposure"], 9), round(line_s * lines["lines delay"], 9)


def details(camera: OpenCamera) -> dict[str, str | int | float]:
    """Return what a pco.edge has set, by names in the file; empty for other cameras.

    What it does not tell is left out.
    """
    sdk = camera.sdk
    known: dict[str, str | int | float] = {}
    if not _is_edge(camera):
        return {}
    if order := _readout_of(camera):
        known["readout"] = order
    with contextlib.suppress(ValueError, LookupError):
        timing = sdk.get_cmos_line_timing()
        known["light_sheet"] = timing["parameter"]
        if timing["parameter"] == "on":
            lines = sdk.get_cmos_line_exposure_delay()
            known["line_time"] = round(timing["line time"], 9)
            known |= {"exposure_lines": lines["lines exposure"], "delay_lines": lines["lines delay"]}
    return known


def _is_edge(camera: OpenCamera) -> bool:
    return camera.kind["camera type raw"] & _GENERATION in _EDGES


def _set_readout(camera: OpenCamera, order: str) -> None:
    """Have the camera read its rows in this order; remember the one that it had."""
    found = _readout_of(camera)
    if order == found:
        return
    camera.sdk.set_interface_output_format(_INTERFACE, order)
    camera.found_readout = camera.found_readout or found
    with contextlib.suppress(ValueError, LookupError):
        # As pco.Camera does after it.
        camera.sdk.get_transfer_parameter()


def _readout_of(camera: OpenCamera) -> str | None:
    """Return the order of rows that is set, None where the camera does not tell or it has no name."""
    with contextlib.suppress(ValueError, LookupError):
        return ROW_ORDERS[camera.sdk.get_interface_output_format(_INTERFACE)["format"]]
    return None
