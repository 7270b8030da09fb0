"""The shutter mode of a camera, whose change restarts it. Called on the camera thread."""

import logging
import threading
import time
from collections.abc import Callable

from recorder.camera.pco.errors import translated
from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import CameraError

log = logging.getLogger(__name__)

# Time-outs of a command, an image and its transfer while the shutter mode changes, as the vendor sets them.
SHUTTER_TIMEOUTS_MS = (2000, 3000, 250)

# A camera that restarts does not answer for some seconds: it is opened again after the first time, then tried
# until the second has passed.
RESTART_S = 8.0
RESTART_TIMEOUT_S = 40.0


def shutter_of(camera: OpenCamera) -> str:
    """Return the camera's shutter mode, such as "rolling shutter"; raises CameraError where it has none."""
    with translated("asking the camera for its shutter mode"):
        return str(camera.sdk.get_camera_setup("shutter mode")["setup"])


def change_shutter(camera: OpenCamera, wanted: str) -> bool:
    """Restart the camera with the shutter mode `wanted`; return False where it has that mode already.

    After True this object cannot be used any more: close it, and open the camera again once it answers.
    Raises CameraError.
    """
    if shutter_of(camera) == wanted:
        return False
    with translated(f"changing the shutter to {wanted}"):
        # The change takes longer than other commands.
        camera.sdk.set_timeouts(*SHUTTER_TIMEOUTS_MS)
        camera.sdk.set_camera_setup("shutter mode", wanted)
        camera.sdk.reboot_camera()
    log.info("the camera restarts with its %s; this takes some 10 s", wanted)
    return True


class Restart:
    """The wait for a camera that restarts with another shutter mode, which `interrupt` ends."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """Have the wait end, at once or as soon as it begins; may be called on any thread."""
        self._interrupted.set()

    def wait_for(self, connect: Callable[[], OpenCamera], shutter: str) -> OpenCamera:
        """Open the camera with `connect` once it answers again, and return it; blocks for 8 to 40 s.

        Raises CameraError where it does not answer in time, where its shutter mode is not `shutter`, and
        where the wait is interrupted: the camera goes on with its restart.
        """
        deadline = time.monotonic() + RESTART_TIMEOUT_S
        while True:
            if self._interrupted.wait(RESTART_S):
                raise CameraError(
                    f"stopped while the camera restarts with its {shutter}; it can be used again in some 10 s"
                )
            try:
                camera = connect()
                break
            except CameraError:
                if time.monotonic() > deadline:
                    raise
        if (got := shutter_of(camera)) != shutter:
            raise CameraError(f"camera.shutter = {shutter}: after its restart the camera still has its {got}")
        return camera
