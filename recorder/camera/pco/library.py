"""Load the vendor's package and its libraries, and find cameras; the errors say what is missing.

All of it blocks, some of it for seconds. Called on the camera thread, and on the main thread by
`recorder cameras`.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.camera.pco.errors import NO_CAMERA, bare, code_of, is_error, translated
from recorder.camera.pco.locks import why_busy, why_in_use
from recorder.errors import CameraError
from recorder.settings.pco_camera import Interface

# Of all USB devices of PCO.
USB_VENDOR = "1cb2"
UDEV_RULE = 'SUBSYSTEM=="usb", ATTR{idVendor}=="1cb2", GROUP="video", MODE="0666"'
UDEV_FILE = "/etc/udev/rules.d/pco_usb.rules"

SWITCH = "close other programs that use it, or switch it off and on again"

# Bits of the state of a camera that the SDK's scan found.
_PRESENT, _IN_USE = 0x1, 0x4

_NOT_FOUND = {0x80002001, 0x8000300D, 0xA0000013}
_BUSY = 0x8000200B

INTERFACES: tuple[Interface, ...] = (
    "CLHS", "USB 3.0", "Camera Link ME4", "Camera Link MTX", "Camera Link NAT", "GenICam", "GigE", "USB 2.0",
    "FireWire",
)  # fmt: skip


@dataclass(frozen=True)
class Connected:
    """A camera that is connected; "" where a value is not known. `note` says why it cannot be opened."""

    model: str
    serial: int
    interface: str
    firmware: str = ""
    sensor: str = ""
    note: str = ""


def vendor() -> Any:  # noqa: ANN401 - a module
    """Import and return the vendor's package; raises CameraError where it cannot be imported."""
    try:
        import pco  # noqa: PLC0415 - takes a third of a second, and only those with a camera need it
    except ImportError as error:
        raise CameraError(
            f"the vendor's package pco cannot be imported ({error}): it exists for Python up to 3.12 "
            "on 64-bit Linux and Windows; install it with: pip install pco"
        ) from None
    # It logs every call it makes, and its warnings repeat the errors that this program reports.
    logging.getLogger("pco").setLevel(logging.CRITICAL)
    return pco


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Raise a CameraError that names the missing library where those of the vendor cannot be loaded."""
    try:
        yield
    except OSError as error:
        text = str(error) or type(error).__name__
        if "libusb" in text:
            raise CameraError(
                "the camera's libraries need libusb-1.0, which is not installed: apt install libusb-1.0-0, "
                f"or what your system calls it ({text})"
            ) from None
        raise CameraError(f"the camera's libraries cannot be loaded: {text}; reinstall pco") from None
    except SystemError as error:
        raise CameraError(f"the camera's libraries do not exist for this machine: {error}") from None


def open_camera(serial: int | None, interface: Interface | None) -> Any:  # noqa: ANN401 - a pco.Camera
    """Open a camera and return it as a pco.Camera; None: the first one found, or at any interface.

    Raises CameraError, CameraDisconnectedError where the connection is lost.
    """
    pco = vendor()
    from pco.loader import shared_library_loader  # noqa: PLC0415

    # Loaded before, so that an error of the libraries is not taken for one of the camera.
    with loading():
        shared_library_loader.increment()
    # The scan of Linux compares the number of the interface exactly: CLHS is 11 to the package, and
    # 12, 13 or 15 to its drivers. There a serial number is enough.
    by_serial = serial is not None and sys.platform.startswith("linux")
    try:
        with translated(f"opening camera {serial}" if serial else "opening the camera"):
            camera = pco.Camera(serial=serial, interface=None if by_serial else interface)
    except CameraError as error:
        if error.__cause__ is None or bare(code_of(error.__cause__)) not in {*_NOT_FOUND, _BUSY}:
            raise
        raise CameraError(why_not_found(serial, interface)) from None
    finally:
        shared_library_loader.decrement()
    if interface not in {None, camera.interface}:
        with contextlib.suppress(ValueError):
            camera.close()
        raise CameraError(why_not_found(serial, interface))
    return camera


def why_not_found(serial: int | None, interface: Interface | None) -> str:
    """Return a message that says why this camera cannot be found or opened; None as for `open_camera`.

    Looks for cameras, and raises CameraError where that fails.
    """
    others = connected()
    meant = [one for one in others if serial in {None, one.serial} and interface in {None, one.interface}]
    if meant:
        return f"{meant[0].model} {meant[0].serial}: {meant[0].note or 'cannot be opened; ' + SWITCH}"
    if others:
        listed = ", ".join(f"{one.model} {one.serial} at {one.interface}" for one in others)
        wanted = [f"camera.serial = {serial}"] * bool(serial)
        wanted += [f'camera.interface = "{interface}"'] * bool(interface)
        return f"{', '.join(wanted)}: no such camera; connected: {listed}"
    return usb_trouble() or NO_CAMERA


def connected() -> list[Connected]:
    """Return the cameras that are connected; on Linux also those in use by other programs.

    `vendor` has to be called before. Opens and closes each camera that is free. Raises CameraError.
    """
    from pco.loader import shared_library_loader  # noqa: PLC0415
    from pco.sdk import Sdk  # noqa: PLC0415

    with loading():
        shared_library_loader.increment()
    try:
        sdk = Sdk()
        return _scan(sdk) if sys.platform.startswith("linux") else _try_all(sdk)
    finally:
        shared_library_loader.decrement()


def _scan(sdk: Any) -> list[Connected]:  # noqa: ANN401 - an Sdk
    """Return the cameras that the SDK's scan finds; Linux only."""
    try:
        with translated("looking for cameras"):
            devices = sdk.scan_cameras()["devices"]
    except CameraError as error:
        code = code_of(error.__cause__) if error.__cause__ else 0
        nobody = isinstance(error.__cause__, ValueError) and (not code or bare(code) in _NOT_FOUND)
        if not nobody:
            raise
        return []
    found = []
    for device in devices:
        model, serial, interface = (
            device["camera name"],
            device["serial number"],
            device["interface type"],
        )
        if device["status"] & (_PRESENT | _IN_USE) != _PRESENT:
            note = why_in_use(device["process id"])
            found.append(Connected(model, serial, interface, note=note))
            continue
        code = sdk.open_camera_device(device["id"])["error"]
        locks = why_busy() if bare(code) == _BUSY else ""
        note = f"cannot be opened (0x{code & 0xFFFFFFFF:08x}); {SWITCH}{'; ' * bool(locks)}{locks}"
        try:
            if code == 0:
                found.append(_look_into(sdk, interface))
                continue
        except CameraError as error:
            note = str(error)
        found.append(Connected(model, serial, interface, note=note))
    return found


def _try_all(sdk: Any) -> list[Connected]:  # noqa: ANN401 - an Sdk
    """Return the cameras that can be opened at each interface; the SDK for Windows has no scan."""
    found = []
    for interface in INTERFACES:
        for number in range(8):
            error = sdk.open_camera_ex(interface=interface, camera_number=number)["error"]
            if is_error(error):
                break
            found.append(_look_into(sdk, interface))
    return found


def _look_into(sdk: Any, interface: str) -> Connected:  # noqa: ANN401 - an Sdk
    """Return a description of the camera that is open, and close it."""
    try:
        with translated("asking the camera what it is"):
            kind, sensor = sdk.get_camera_type(), sdk.get_camera_description()
            width = sensor["max. horizontal resolution standard"]
            height = sensor["max. vertical resolution standard"]
            bits = sensor["bit resolution"]
            colour = ", colour" if sensor["sensor type"] & 1 else ""
            return Connected(
                sdk.get_camera_name()["camera name"],
                kind["serial number"],
                interface,
                firmware_of(kind),
                f"{width}x{height}, {bits} bit{colour}",
            )
    finally:
        with contextlib.suppress(ValueError):
            sdk.close_camera()


def firmware_of(kind: Mapping[str, Any]) -> str:
    """Return the names of a camera's devices with their firmware versions, from the SDK's camera type."""
    return ", ".join(f"{d['name']} {d['major']}.{d['minor']}" for d in kind["firmware version"])


def usb_trouble(devices: Path = Path("/sys/bus/usb/devices"), nodes: Path = Path("/dev/bus/usb")) -> str:
    """Return a message that says why a PCO camera on the USB cannot be opened, "" where there is none.

    Reads `devices` and `nodes`, which exist on Linux only.
    """
    for vendor_file in sorted(devices.glob("*/idVendor")):
        try:
            if vendor_file.read_text().strip() != USB_VENDOR:
                continue
            bus, number = (int((vendor_file.parent / name).read_text()) for name in ("busnum", "devnum"))
        except (OSError, ValueError):
            continue
        node = nodes / f"{bus:03d}" / f"{number:03d}"
        if not os.access(node, os.R_OK | os.W_OK):
            return (
                f"a PCO camera is on the USB, but this user may not open {node}: write the line {UDEV_RULE} "
                f"into {UDEV_FILE}, then unplug the camera and plug it in again"
            )
        return f"a PCO camera is on the USB at {node}, but cannot be opened: {SWITCH}"
    return ""
