"""The sensor's own count of the images that it has finished, as pco.edges tell it; for the camera thread."""

from typing import Any

# How many more images than frames that have come the sensor may have finished: on their way, and while it is
# asked, which takes some 2 ms.
ON_THEIR_WAY = 3
ASKING_S = 0.02


def images_finished(sdk: Any) -> int | None:  # noqa: ANN401 - a pco.sdk.Sdk
    """Return the sensor's count as it is, None where the camera does not tell; blocks for 2 ms."""
    try:
        return int(sdk.get_sensor_signal_status()["image count"])
    except (ValueError, LookupError):
        return None


class SensorCount:
    """Ask `sdk` for the count, and tell it from that of a recording before, which some cameras go on from."""

    def __init__(self, sdk: Any) -> None:  # noqa: ANN401 - a pco.sdk.Sdk
        self._sdk = sdk
        # What it was before this recording; None where it cannot be used.
        self._base: int | None = None

    def begin(self, reached: int, shortest_s: float, *, runs_free: bool) -> None:
        """Compare the count with the newest counter, `reached`, of a recording that has begun; blocks 2 ms.

        `shortest_s` is the shortest time from frame to frame, 0 where it is not known.
        """
        counted = images_finished(self._sdk)
        if counted is None:
            return
        ahead = counted - reached
        if 0 <= ahead <= ON_THEIR_WAY + (ASKING_S / shortest_s if shortest_s else 0):
            self._base = 0
        elif not runs_free:
            # Between triggers nothing is on its way.
            self._base = ahead

    def last(self) -> int | None:
        """Return the counter of the last image finished, None where it is not told; blocks for 2 ms."""
        if self._base is None or (counted := images_finished(self._sdk)) is None:
            return None
        return counted - self._base
