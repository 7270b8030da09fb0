"""A camera that is open, with what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from recorder.camera.pco import validation as limits


@dataclass(frozen=True)
class OpenCamera:
    """A pco.Camera that is open, and its descriptions, which do not change until it is closed.

    `description` is that of pco.Camera, `sensor` the SDK's own. Asking takes telegrams to the camera.
    """

    vendor: Any
    sensor: Mapping[str, Any]
    description: Mapping[str, Any]

    @classmethod
    def of(cls, vendor: Any) -> Self:  # noqa: ANN401
        """Ask the camera for its descriptions; errors of the SDK come as they are."""
        return cls(vendor, vendor.sdk.get_camera_description(), vendor.description)

    @property
    def sdk(self) -> Any:  # noqa: ANN401
        """The SDK's functions on this camera."""
        return self.vendor.sdk

    def has(self, capability: int) -> bool:
        """Tell whether the bit of its general capabilities is set."""
        return bool(self.sensor["dwGeneralCapsDESC1"] & capability)

    @property
    def keeps_rate(self) -> bool:
        """Whether the camera keeps a frame rate by itself."""
        return self.has(limits.FRAME_RATE)

    @property
    def bits(self) -> int:
        """The bits of a pixel as it comes."""
        if len(self.description["supported pixel formats"]) > 1:
            return int(self.sdk.get_camera_setup("pixel format")["setup"].split()[0])
        return int(self.sensor["bit resolution"])
