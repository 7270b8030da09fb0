"""The details of a PCO camera that are stored in the file."""

import contextlib
import struct
from collections.abc import Callable, Mapping
from typing import Any

from recorder.camera.base import PIXEL_SIZE
from recorder.camera.pco import light_sheet, memory, options
from recorder.camera.pco import validation as limits
from recorder.camera.pco.described import HAS_DESCRIPTION_3
from recorder.camera.pco.library import firmware_of
from recorder.camera.pco.lines import line_details
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.setup import Readout
from recorder.camera.pco.timing import delay_of, exposure_of, image_timing_of

NO_TEMPERATURE = -300.0

# PCO_CL_DATAFORMAT: 5x12, 5x12L and 5x12R.
_FORMAT_MASK = 0xF
_TWELVE_BIT = {0x7, 0x9, 0xA}

# wColorPatternDESC: the colour of the four pixels at the upper left, row by row, four bits each.
_COLOURS = {1: "R", 2: "G", 3: "G", 4: "B", 5: "C", 6: "M", 7: "Y"}


def details(camera: OpenCamera, readout: Readout) -> dict[str, str | int | float]:
    """Return the camera's properties, by their names in the file; those a model does not report are left out.

    Times are in s, temperatures in degrees Celsius, rates in Hz. Raises no errors of the SDK.
    """
    sdk, sensor, vendor = camera.sdk, camera.sensor, camera.vendor
    questions: dict[str, Callable[[], str | int | float]] = {
        "sensor_width": lambda: camera.description["max width"],
        "sensor_height": lambda: camera.description["max height"],
        "roi": lambda: ",".join(map(str, readout.roi)),
        "binning": lambda: "{binning x}x{binning y}".format_map(sdk.get_binning()),
        "binning_mode": lambda: sdk.get_binning()["binning mode"],
        "pixel_rate": lambda: sdk.get_pixel_rate()["pixel rate"],
        "bit_resolution": lambda: camera.bits,
        "conversion_factor": lambda: sdk.get_conversion_factor()["conversion factor"] / 100,
        "trigger_mode": lambda: sdk.get_trigger_mode()["trigger mode"],
        "acquire_mode": lambda: sdk.get_acquire_mode()["acquire mode"],
        "timestamp_mode": lambda: sdk.get_timestamp_mode()["timestamp mode"],
        "metadata_mode": lambda: sdk.get_metadata_mode()["metadata mode"],
        "storage_mode_of_camera": lambda: sdk.get_storage_mode()["storage mode"],
        "exposure_time": lambda: exposure_of(camera),
        "delay_time": lambda: delay_of(camera),
        "dark_offset": lambda: sdk.get_sensor_dark_offset()["dark offset"],
        "camera_type": lambda: camera.kind["camera type"],
        "interface": lambda: vendor.interface or camera.kind["interface type"],
        "firmware": lambda: firmware_of(camera.kind),
        "software": lambda: _versions(vendor),
        "color_pattern": lambda: pattern(sensor, readout.roi) if vendor.is_color else "",
        "shutter_mode": lambda: sdk.get_camera_setup("shutter mode")["setup"],
    }
    if readout.trigger_rate:
        questions["maximum_trigger_rate"] = lambda: readout.trigger_rate
    if sensor["Min Cool Set DESC"] or sensor["Max Cool Set DESC"] or sensor["Num Cooling Setpoints"]:
        questions["cooling_setpoint"] = lambda: sdk.get_cooling_setpoint_temperature()[
            "cooling setpoint temperature"
        ]
    known: dict[str, str | int | float] = {**options.details(camera), **light_sheet.details(camera)}
    known |= _armed_timing(camera) | _pixel_size(camera)
    if camera.has(limits.HARDWARE_LINES):
        known |= line_details(camera)
    for name, ask in questions.items():
        with contextlib.suppress(ValueError, LookupError):
            known[name] = ask()
    with contextlib.suppress(ValueError, LookupError):
        for name, celsius in sdk.get_temperature().items():
            # The package returns a very low temperature where the camera has none.
            if celsius > NO_TEMPERATURE:
                known[name.replace(" ", "_")] = celsius
    return known | memory.details(camera)


def _pixel_size(camera: OpenCamera) -> dict[str, float]:
    """Return the size of a binned pixel on the sensor in m, where the camera tells it."""
    if not camera.has(HAS_DESCRIPTION_3):
        return {}
    with contextlib.suppress(ValueError, LookupError):
        described, binning = camera.sdk.get_camera_description_3(), camera.sdk.get_binning()
        # In nm.
        across, down = described["pixelsize_horz"], described["pixelsize_vert"]
        if across and down:
            sizes = across * binning["binning x"], down * binning["binning y"]
            return {name: nanometres / 1e9 for name, nanometres in zip(PIXEL_SIZE, sizes, strict=True)}
    return {}


def lossy_transfer(camera: OpenCamera) -> str:
    """Return a warning if frames are transferred with fewer bits than the sensor has, else ""; after arming.

    Returns "" also where the camera does not answer.
    """
    vendor = camera.vendor
    if not str(vendor.interface).startswith("Camera Link"):
        return ""
    with contextlib.suppress(ValueError, LookupError):
        # PCO_SC2_CL_TRANSFER_PARAM: its fourth number is the data format.
        parameters = struct.unpack_from("<4I", camera.sdk.get_transfer_parameter()["buffer"])
        if parameters[3] & _FORMAT_MASK in _TWELVE_BIT:
            slower = min(camera.description["pixelrates"])
            return (
                "frames of this size and pixel rate come over Camera Link with 12 bits a pixel, compressed "
                f"by a table; to keep {camera.bits} set camera.pixel_rate = {slower}, or record 1920 columns"
            )
    return ""


def pattern(sensor: Mapping[str, Any], roi: tuple[int, int, int, int]) -> str:
    """Return the colours of a frame's four pixels at the upper left, row by row, for example RGGB.

    `sensor` is the SDK's description, `roi` x0, y0, x1, y1, from 1; "?" stands for an unknown colour.
    """
    code = sensor["Color Pattern DESC"]
    colours = [_COLOURS.get(code >> 4 * i & 0xF, "?") for i in range(4)]
    right, down = (roi[0] - 1) % 2, (roi[1] - 1) % 2
    return "".join(colours[(row ^ down) * 2 + (column ^ right)] for row in (0, 1) for column in (0, 1))


def _armed_timing(camera: OpenCamera) -> dict[str, float]:
    """Return what the camera reckoned of its frames when it was armed, in s: a live exposure changes it."""
    timing = image_timing_of(camera)
    if timing is None:
        return {}
    named = {
        "armed_frame_time": timing.frame_s,
        "armed_exposure_time": timing.exposure_s,
        "armed_trigger_delay": timing.trigger_delay_s,
        "armed_trigger_system_delay": timing.system_delay_s,
        "armed_trigger_jitter": timing.jitter_s,
    }
    return {name: round(value, 9) for name, value in named.items() if value is not None}


def _versions(vendor: Any) -> str:  # noqa: ANN401 - a pco.Camera
    recorder = vendor.rec.get_version()
    return f"pco.recorder {recorder['major']}.{recorder['minor']}.{recorder['patch']}"
