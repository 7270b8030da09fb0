"""The clock of a PCO camera, from which the times of its frames come. Called on the camera thread."""

import logging
import time
from collections.abc import Callable

from recorder.camera.pco.errors import translated
from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import CameraDisconnectedError, CameraError

log = logging.getLogger(__name__)


def set_clock(
    camera: OpenCamera,
    wait: Callable[[float], object] = time.sleep,
    now_ns: Callable[[], int] = time.time_ns,
) -> None:
    """Set the camera's clock to UTC; blocks for up to a second, until one begins.

    After power-up it begins anew, and neither the camera nor, on every system, the vendor's library sets it.
    It takes whole seconds, and begins each of them where it is set. A camera that refuses is told of, and
    used. Raises CameraDisconnectedError.
    """
    wait(1 - now_ns() % 10**9 * 1e-9)
    # Rounded: a wait may end a little early.
    date = time.gmtime(round(now_ns() * 1e-9))
    try:
        with translated("setting the camera's clock"):
            camera.sdk.set_date_time(*date[:6])
    except CameraDisconnectedError:
        raise
    except CameraError as error:
        log.warning("%s; the times of its frames are those of its own clock", error)
