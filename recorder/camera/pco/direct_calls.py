"""Functions of the SDK that the vendor's package has no method for, or one that says less than the SDK does.

Called on the camera thread; each blocks for a telegram. They raise the vendor's exception, as the package's
own methods do.
"""

import ctypes
import math
from typing import Any

from recorder.camera.pco.errors import is_error

# sc2_defs.h: NOISE_FILTER_MODE_ON, with NOISE_FILTER_MODE_REMOVE_HOT_DARK. The package sends 5 for the two,
# which the SDK's library refuses: it takes no other bits than these.
NOISE_FILTER_CODES = {"off": 0x0000, "on": 0x0001, "on & hot pixel correction": 0x0101}

# SC2_CamExport.h, PCO_SetHWLEDSignal.
_LED_ON, _LED_OFF = 0xFFFFFFFF, 0

# PCO_Timing.dwCMOSFlags, as the vendor's adapter for Micro-Manager reads it.
_FAST_LINES = 0x02


def call(sdk: Any, function: str, *arguments: Any) -> None:  # noqa: ANN401 - a pco.sdk.Sdk; ctypes' numbers
    """Call `function` of the SDK for the camera of `sdk`.

    Raises the vendor's CameraException, and LookupError where this version of the SDK has no such function.
    """
    from pco.camera_exception import CameraException  # noqa: PLC0415 - only those with a camera need it

    try:
        body = getattr(sdk.SC2_Cam, function)
    except AttributeError:
        raise LookupError(f"the SDK has no {function}") from None
    code = body(sdk.camera_handle, *arguments)
    if is_error(code):
        raise CameraException(sdk=sdk, code=code)


def noise_filter_of(sdk: Any) -> str:  # noqa: ANN401
    """Return the noise filter that is set, a word of `NOISE_FILTER_CODES` or its code."""
    code = ctypes.c_uint16()
    call(sdk, "PCO_GetNoiseFilterMode", code)
    return next((word for word, n in NOISE_FILTER_CODES.items() if n == code.value), f"0x{code.value:04x}")


def set_noise_filter(sdk: Any, word: str) -> None:  # noqa: ANN401
    """Set the noise filter to a word of `NOISE_FILTER_CODES`."""
    call(sdk, "PCO_SetNoiseFilterMode", NOISE_FILTER_CODES[word])


def led_of(sdk: Any) -> str:  # noqa: ANN401
    """Return whether the lights on the rear panel are "on" or "off"."""
    state = ctypes.c_uint32()
    call(sdk, "PCO_GetHWLEDSignal", ctypes.byref(state))
    return "on" if state.value else "off"


def set_led(sdk: Any, word: str) -> None:  # noqa: ANN401
    """Switch the lights on the rear panel "on" or "off"."""
    call(sdk, "PCO_SetHWLEDSignal", ctypes.c_uint32(_LED_ON if word == "on" else _LED_OFF))


def line_time_limits(sdk: Any) -> tuple[float, float, bool]:  # noqa: ANN401
    """Return the least and the greatest line time in s, and whether the fast pixel rates have line timing.

    The SDK for Linux gives them in the reserved words of its answer, which the package leaves out. Where they
    stay 0 nothing is known: then from 0 to inf, and True.
    """
    number, base, line_time = ctypes.c_uint16(), ctypes.c_uint16(), ctypes.c_uint32()
    reserved = (ctypes.c_uint32 * 3)()
    call(sdk, "PCO_GetCmosLineTiming", number, base, line_time, reserved, len(reserved))
    least_ns, most_ms, flags = reserved
    return least_ns * 1e-9, most_ms * 1e-3 if most_ms else math.inf, not flags or bool(flags & _FAST_LINES)
