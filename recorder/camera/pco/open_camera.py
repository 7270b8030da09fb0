"""A camera that is open, with its descriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from recorder.camera.pco import validation as limits

# PCO_GetCameraHealthStatus: the descriptions are others since the camera was armed (pco.Camera._arm_camera).
_DESCRIPTION_CHANGED = 0x40000000


@dataclass
class OpenCamera:
    """A pco.Camera that is open, as `vendor`, and its descriptions.

    `kind` is its type with its firmware; `description` is that of pco.Camera, `sensor` the SDK's own. They
    are kept, as asking takes telegrams to the camera, until arming it changes them.
    """

    vendor: Any
    kind: Mapping[str, Any]
    sensor: Mapping[str, Any]
    description: Mapping[str, Any]

    @classmethod
    def of(cls, vendor: Any) -> Self:  # noqa: ANN401
        """Return the open camera with its descriptions; blocks for them, and raises the vendor's errors."""
        sdk = vendor.sdk
        return cls(vendor, sdk.get_camera_type(), sdk.get_camera_description(), vendor.description)

    def arm(self) -> bool:
        """Arm the camera, which takes its settings then; return whether that changed its descriptions."""
        self.sdk.arm_camera()
        if not self.sdk.get_camera_health_status()["status"] & _DESCRIPTION_CHANGED:
            return False
        before = self.sensor, self.description
        self.sensor = self.sdk.get_camera_description()
        self.description = self.vendor.description
        return (self.sensor, self.description) != before

    @property
    def sdk(self) -> Any:  # noqa: ANN401
        """The SDK's functions for this camera, a pco.sdk.Sdk; they block, and raise the vendor's errors."""
        return self.vendor.sdk

    @property
    def name_and_serial(self) -> tuple[str, str]:
        """Name of the model and serial number, as text."""
        return str(self.vendor.camera_name).strip("\0 "), str(self.vendor.camera_serial)

    def has(self, capability: int) -> bool:
        """Return whether this bit of the general capabilities is set; `validation` names them."""
        return bool(self.sensor["dwGeneralCapsDESC1"] & capability)

    @property
    def keeps_rate(self) -> bool:
        """Whether the camera keeps a frame rate by itself."""
        return self.has(limits.FRAME_RATE)

    @property
    def has_memory(self) -> bool:
        """Whether the camera has a memory of its own."""
        return not self.has(limits.NO_MEMORY)

    @property
    def bits(self) -> int:
        """Bits of a pixel as it is transferred; may block, and raises the vendor's errors."""
        if len(self.description["supported pixel formats"]) > 1:
            return int(self.sdk.get_camera_setup("pixel format")["setup"].split()[0])
        return int(self.sensor["bit resolution"])
