"""A camera's descriptions as they are with certain settings. Plain functions that do not ask the camera.

The SDK describes the sensor in both its formats, and exposures in both sensitivities, in one structure.
pco.Camera.description means to choose by what the camera has, but compares the SDK's words with numbers: it
always takes the extended format, and never the exposures for infrared light (decision 8).
"""

from collections.abc import Mapping
from typing import Any

from recorder.settings.pco_camera import PcoCameraSettings

Description = Mapping[str, Any]

# Bits of dwGeneralCapsDESC1 (sc2_defs.h): columns symmetric about the middle; there is a third description.
_SYMMETRIC_COLUMNS = 0x01000000
HAS_DESCRIPTION_3 = 0x10000000


def with_settings(
    camera: Description, sensor: Description, smallest: Description, settings: PcoCameraSettings
) -> tuple[Description, Description]:
    """Return the description of pco.Camera and the SDK's own, as they are with these settings.

    `smallest` is the SDK's third description, which has the least sizes of both formats; empty where the
    camera has none.
    """
    camera = dict(camera)
    is_extended = settings.sensor_format == "extended"
    for axis, way, short in (("width", "horizontal", "horz"), ("height", "vertical", "vert")):
        size = sensor[f"max. {way} resolution {settings.sensor_format}"]
        camera[f"max {axis}"] = size or sensor[f"max. {way} resolution standard"]
        if least := smallest.get(f"min_{short}_res_{'ext' if is_extended else 'std'}"):
            camera[f"min {axis}"] = least
    if settings.ir_sensitivity and sensor["ir"]:
        for name, unit in (("Delay", "delay"), ("Expos", "exposure")):
            camera[f"min {unit} time"] = sensor[f"Min {name} IR DESC"] / 1e9
            camera[f"max {unit} time"] = sensor[f"Max {name} IR DESC"] / 1e3
    if settings.adcs == 2:
        # Each converter reads one half (doxygen of PCO_SetADCOperation).
        sensor = {**sensor, "dwGeneralCapsDESC1": sensor["dwGeneralCapsDESC1"] | _SYMMETRIC_COLUMNS}
    return camera, sensor
