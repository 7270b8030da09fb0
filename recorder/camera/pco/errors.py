"""Translate errors of the SDK into errors whose message says what to do.

A code of the SDK is 0x80000000, or 0xC0000000 for a warning, with a layer (0x1000 the camera, 0x2000 the
driver, 0x3000 the library), a device (0x00FF0000) and a number; 0x20000000 marks those common to all layers.
"""

import contextlib
from collections.abc import Iterator

from recorder.errors import CameraDisconnectedError, CameraError, RecorderError

_DEVICE = 0x00FF0000
_COMMON = 0x20000000
_LAYER = 0x0000F000

NO_CAMERA = (
    "no camera found: check its cable and power, close other programs that use it, such as Camware, and see "
    "that the driver of its interface or frame grabber is installed"
)
_GONE = "the camera is gone: check its cable and power, then start again"
_DRIVER = "install the driver of the camera's interface or frame grabber, then restart the computer"
_SETTING = "the camera refuses a setting: compare the [camera] section with the camera's manual"
_RESTART = "switch the camera off and on again"
_UNKNOWN = "look the code up in the manual of the SDK; often it helps to switch the camera off and on again"
_OUT_OF_RANGE = "a setting is out of the camera's range: compare the [camera] section with its manual"

# By code, without the device, and without the layer where the number is common to all layers.
ADVICE = {
    0x80002001: NO_CAMERA,
    0x8000300D: NO_CAMERA,
    0x8000200B: "the camera is in use: close Camware and other programs that use it",
    0x80002018: "frames were lost between camera and computer: check its cable and its frame grabber",
    0x80002005: _DRIVER,
    0x80002006: _DRIVER,
    0x8000100A: "the camera is too hot: check its fan, its water and the air around it",
    0x80001008: _RESTART,
    0x80001009: _RESTART,
    0x8000100B: "the camera's supply voltage is out of range: check its power supply",
    0x80001020: "this model of camera cannot do that",
    0x80001016: _OUT_OF_RANGE,
    0x8000101E: _OUT_OF_RANGE,
    0x80001017: "the camera cannot do that in its present state: stop it first",
    0x80001025: "the segment of the camera's memory is too small for one frame: choose a smaller camera.roi",
    0x8000102A: "frames are still on their way out of the camera: wait and try again",
    0x80001087: "the camera's interface is blocked: close other programs that use it",
    0xA0000003: "not enough memory for the camera's FIFO: choose a smaller camera.fifo",
    0xA0000005: "the camera does not answer in time: check its cable, then switch it off and on again",
    0xA0000013: "this model of camera cannot do that",
    **dict.fromkeys((*range(0x80001030, 0x8000103E), *range(0x80001043, 0x80001049)), _SETTING),
    0xA0000001: _SETTING,
    **dict.fromkeys((0x80002007, 0x80002014, 0x80002015, 0x80002030, 0x80002031), _GONE),
    **dict.fromkeys((0x80001001, 0x80001003), "the camera does not answer: check its cable and power"),
}


def bare(code: int) -> int:
    """Return the code without its device, and without its layer where the number is common to all layers."""
    code &= 0xFFFFFFFF & ~_DEVICE
    return code & ~_LAYER if code & _COMMON and code & 0xC0000000 == 0x80000000 else code


def is_error(code: int) -> bool:
    """Return whether the code is an error; success and warnings are not."""
    return bool(code & 0x80000000) and not code & 0x40000000


def from_code(code: int, text: str, doing: str) -> CameraError:
    """Return the error for `code`, with the SDK's `text` for it; `doing` names the step that failed.

    It is a CameraDisconnectedError for codes of a lost connection.
    """
    advice = ADVICE.get(bare(code), _UNKNOWN)
    kind = CameraDisconnectedError if advice is _GONE else CameraError
    meaning = text.rpartition(": ")[2].strip().rstrip(".") or "no explanation from the camera's library"
    return kind(f"{doing}: {advice} (0x{code & 0xFFFFFFFF:08x}: {meaning})")


def code_of(error: BaseException) -> int:
    """Return the SDK's code in an exception of the vendor's package, 0 where it has none."""
    code = getattr(error, "error_code", 0)
    return code & 0xFFFFFFFF if isinstance(code, int) else 0


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise a CameraError in place of an exception of the vendor's package; `doing` names the failed step.

    Errors of this program pass unchanged.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, ArithmeticError, NameError, OSError) as error:
        # Its CameraException is a ValueError; for answers it does not expect, it raises built-in ones.
        if isinstance(error, RecorderError):
            raise
        code = code_of(error)
        if code:
            raise from_code(code, str(error), doing) from error
        raise CameraError(
            f"{doing}: the vendor's package met an answer it does not know ({error!r}): try again, and if it "
            f"stays so, {_RESTART}"
        ) from error
