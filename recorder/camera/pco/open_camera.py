"""A camera that is open, with its descriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from recorder.camera.pco import validation as limits
from recorder.camera.pco.described import HAS_DESCRIPTION_3, with_settings
from recorder.camera.pco.roi import Roi
from recorder.errors import CameraError
from recorder.settings.pco_camera import PcoCameraSettings

# PCO_GetCameraHealthStatus: the descriptions are others since the camera was armed (pco.Camera._arm_camera).
_DESCRIPTION_CHANGED = 0x40000000

# sc2_defs.h: CAMERATYPE_PCO_FLIM and CAMERATYPE_PCO_FAMILY_DICAM; the first pco.dicam was a sub type of the
# edges; GENERALCAPS1_ENHANCED_DESCRIPTOR_INTENSIFIED.
_FLIM, _DICAM, _EDGES = 0x1400, 0x1700, 0x1300
_DICAM_SUBTYPE = 0xDC00
_INTENSIFIED = 0x20000000

_DEFAULTS = PcoCameraSettings(kind="pco")


@dataclass
class OpenCamera:
    """A pco.Camera that is open, as `vendor`, and its descriptions.

    `kind` is its type with its firmware; `description` is that of pco.Camera, `sensor` the SDK's own, both as
    they are with `settings`. They are kept, as asking takes telegrams to the camera, until arming it changes
    them.
    """

    vendor: Any
    settings: PcoCameraSettings
    kind: Mapping[str, Any]
    sensor: Mapping[str, Any]
    description: Mapping[str, Any]
    changed: bool = False  # whether arming has changed them
    # The order of rows before `light_sheet` changed it.
    found_readout: str | None = None

    @classmethod
    def of(cls, vendor: Any, settings: PcoCameraSettings = _DEFAULTS) -> Self:  # noqa: ANN401
        """Return the open camera with its descriptions; blocks for them, and raises the vendor's errors.

        Raises CameraError for a model that this program does not know how to use.
        """
        kind = vendor.sdk.get_camera_type()
        description, sensor = _described(vendor, settings)
        if reason := _unusable(kind, sensor):
            raise CameraError(f"{str(vendor.camera_name).strip(chr(0))} {vendor.camera_serial}: {reason}")
        return cls(vendor, settings, kind, sensor, description)

    def arm(self) -> bool:
        """Arm the camera, which takes its settings then; return whether that changed its descriptions."""
        self.sdk.arm_camera()
        if not self.sdk.get_camera_health_status()["status"] & _DESCRIPTION_CHANGED:
            return False
        before = self.sensor, self.description
        self.description, self.sensor = _described(self.vendor, self.settings)
        has_changed = (self.sensor, self.description) != before
        self.changed |= has_changed
        return has_changed

    @property
    def sdk(self) -> Any:  # noqa: ANN401
        """The SDK's functions for this camera, a pco.sdk.Sdk; they block, and raise the vendor's errors."""
        return self.vendor.sdk

    @property
    def name_and_serial(self) -> tuple[str, str]:
        """Name of the model and serial number, as text."""
        return str(self.vendor.camera_name).strip("\0 "), str(self.vendor.camera_serial)

    @property
    def region(self) -> Roi:
        """The region that the camera reads out, as of the last arming; asks the camera."""
        got = self.sdk.get_roi()
        return got["x0"], got["y0"], got["x1"], got["y1"]

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


def _described(vendor: Any, settings: PcoCameraSettings) -> tuple[Mapping[str, Any], Mapping[str, Any]]:  # noqa: ANN401
    """Ask the camera for its descriptions: that of pco.Camera and the SDK's own, as with these settings."""
    sensor = vendor.sdk.get_camera_description()
    has_third = sensor["dwGeneralCapsDESC1"] & HAS_DESCRIPTION_3
    smallest = vendor.sdk.get_camera_description_3() if has_third else {}
    return with_settings(vendor.description, sensor, smallest, settings)


def _unusable(kind: Mapping[str, Any], sensor: Mapping[str, Any]) -> str:
    """Return why this program does not use a model, "" where it does."""
    code = kind["camera type raw"]
    if code == _FLIM:
        return (
            "this program cannot set the modulation of a pco.flim, without which its images measure nothing; "
            "use the vendor's own"
        )
    is_dicam = code & 0xFF00 == _EDGES and kind["camera subtype"] == _DICAM_SUBTYPE
    if code == _DICAM or is_dicam or sensor["dwGeneralCapsDESC1"] & _INTENSIFIED:
        return (
            "this program cannot set an image intensifier, which wrong settings damage; use the vendor's own"
        )
    return ""
