"""The shutter mode of a camera, whose change restarts it. Called on the camera thread."""

import logging

from recorder.camera.pco.errors import translated
from recorder.camera.pco.open_camera import OpenCamera

log = logging.getLogger(__name__)

# Time-outs of a command, an image and its transfer while the shutter mode changes, as the vendor sets them.
SHUTTER_TIMEOUTS_MS = (2000, 3000, 250)


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
