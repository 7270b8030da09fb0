"""What the file tells of a PCO camera."""

import contextlib
from collections.abc import Mapping
from typing import Any

from recorder.camera.pco.library import firmware_of
from recorder.camera.pco.opened import OpenCamera
from recorder.camera.pco.setup import Readout, exposure_of

NO_TEMPERATURE = -300.0

# wColorPatternDESC: the colour of the four pixels at the upper left, row by row, four bits each.
_COLOURS = {1: "R", 2: "G", 3: "G", 4: "B", 5: "C", 6: "M", 7: "Y"}


def details(camera: OpenCamera, readout: Readout) -> dict[str, str | int | float]:
    """Return what describes the camera, for the file; errors of the SDK come as they are."""
    sdk = camera.sdk
    sensor, vendor = camera.sensor, camera.vendor
    kind, now = sdk.get_camera_type(), vendor.configuration
    told: dict[str, str | int | float] = {
        "sensor_width": sensor["max. horizontal resolution standard"],
        "sensor_height": sensor["max. vertical resolution standard"],
        "roi": ",".join(map(str, readout.roi)),
        "binning": "x".join(map(str, now["binning"][:2])),
        "pixel_rate": now["pixel rate"],
        "bit_resolution": camera.bits,
        "conversion_factor": now["conversion factor"],
        "trigger_mode": now["trigger"],
        "acquire_mode": now["acquire"],
        "timestamp_mode": now["timestamp"],
        "metadata_mode": now["metadata"],
        "noise_filter": now.get("noise filter", ""),
        "exposure_time": exposure_of(camera),
        "delay_time": now["delay time"],
        "dark_offset": sdk.get_sensor_dark_offset()["dark offset"],
        "camera_type": kind["camera type"],
        "interface": vendor.interface or kind["interface type"],
        "firmware": firmware_of(kind),
        "software": _versions(vendor),
        "color_pattern": pattern(sensor, readout.roi) if vendor.is_color else "",
    }
    temperatures = sdk.get_temperature()
    for name in ("sensor", "camera", "power"):
        celsius = temperatures.get(f"{name} temperature", NO_TEMPERATURE)
        # What stands for none comes through the package as a very low temperature.
        if celsius > NO_TEMPERATURE:
            told[f"{name}_temperature"] = celsius
    if sensor["Min Cool Set DESC"] or sensor["Max Cool Set DESC"] or sensor["Num Cooling Setpoints"]:
        told["cooling_setpoint"] = sdk.get_cooling_setpoint_temperature()["cooling setpoint temperature"]
    with contextlib.suppress(ValueError, LookupError):
        # Models that have no shutter modes refuse the question.
        told["shutter_mode"] = sdk.get_camera_setup("shutter mode")["setup"]
    return told


def pattern(sensor: Mapping[str, Any], roi: tuple[int, int, int, int]) -> str:
    """Return the colours of the frame's four pixels at the upper left, row by row, for example RGGB."""
    code = sensor["Color Pattern DESC"]
    colours = [_COLOURS.get(code >> 4 * i & 0xF, "?") for i in range(4)]
    right, down = (roi[0] - 1) % 2, (roi[1] - 1) % 2
    return "".join(colours[(row ^ down) * 2 + (column ^ right)] for row in (0, 1) for column in (0, 1))


def _versions(vendor: Any) -> str:  # noqa: ANN401 - a pco.Camera
    recorder = vendor.rec.get_version()
    return f"pco.recorder {recorder['major']}.{recorder['minor']}.{recorder['patch']}"
