"""Warnings and errors that the camera reports about its own state, asked for every few seconds."""

from typing import Any

from recorder.camera.pco.errors import translated
from recorder.errors import CameraDisconnectedError, CameraError

# Time between two questions while frames come; the camera takes about a millisecond to answer.
INTERVAL_S = 5.0

# sc2_defs.h, the bits of PCO_GetCameraHealthStatus.
WARNINGS = {
    0x00000001: "supply voltage near its limit",
    0x00000002: "power supply warm",
    0x00000004: "camera warm",
    0x00000008: "sensor temperature off its set point",
    0x00000010: "battery low",
    0x00000020: "offset regulation out of range",
    0x00020000: "camera memory",
}
ERRORS = {
    0x00000001: "supply voltage out of range",
    0x00000002: "power supply too hot",
    0x00000004: "camera too hot: it will switch itself off",
    0x00000008: "sensor too hot",
    0x00000010: "battery empty",
    0x00000020: "firmware corrupted",
    0x00010000: "interface defective",
    0x00020000: "memory defective",
    0x00040000: "main board defective",
    0x00080000: "head board defective",
}


class Health:
    """Ask `sdk` for the camera's warnings and errors, and report those that begin or end.

    Used on the camera thread.
    """

    def __init__(self, sdk: Any) -> None:  # noqa: ANN401 - a pco.sdk.Sdk
        self._sdk = sdk
        self._known: tuple[int, int] = (0, 0)
        self._answers = True

    def poll(self) -> list[str]:
        """Ask the camera, and return a line for each change since the last time; blocks for about 1 ms.

        Raises CameraDisconnectedError. Any other error is returned as a line, once until the camera answers
        again: it may still deliver frames.
        """
        try:
            with translated("asking the camera for its health"):
                state = self._sdk.get_camera_health_status()
                now = (state["warning"], state["error"])
        except CameraDisconnectedError:
            raise
        except CameraError as error:
            lines = [str(error)] if self._answers else []
            self._answers = False
            return lines
        self._answers = True
        lines = []
        for kind, names, before, after in zip(
            ("warning", "error"), (WARNINGS, ERRORS), self._known, now, strict=True
        ):
            for bit in (1 << i for i in range(32)):
                if (before ^ after) & bit:
                    name = names.get(bit, f"bit 0x{bit:08x}")
                    lines.append(f"camera {kind}: {name}{'' if after & bit else ' is over'}")
        self._known = now
        return lines
