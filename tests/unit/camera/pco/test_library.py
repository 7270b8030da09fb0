import builtins
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.camera.pco import library, locks
from recorder.camera.pco.library import connected, open_camera, usb_trouble, vendor
from recorder.cli.main import commands
from recorder.errors import CameraError
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig, installed
from tests.virtual_sc2.models import EDGE_55, PANDA_42


@pytest.fixture
def rig() -> Iterator[Rig]:
    with installed(VirtualCamera(EDGE_55), VirtualCamera(PANDA_42, in_use=True)) as rig:
        rig.cameras[1].model = PANDA_42
        yield rig


def test_connected_cameras_are_listed_with_the_process_that_uses_them(rig: Rig) -> None:
    edge, panda = connected()
    assert (edge.model, edge.serial, edge.interface) == ("pco.edge 5.5 M CLHS", 61_000_001, "CLHS")
    assert (edge.firmware, edge.sensor) == ("main uP 1.22", "2560x2160, 16 bit")
    assert f"in use by process {os.getpid()}" in panda.note
    assert not rig.cameras[0].is_open


def test_the_command_lists_them_too(rig: Rig) -> None:
    done = CliRunner().invoke(commands, ["cameras"], standalone_mode=False)
    assert done.exception is None
    assert "sensor    2560x2160, 16 bit" in done.output
    assert "close Camware" in done.output
    del rig


@pytest.mark.parametrize(
    ("serial", "interface", "message"),
    [
        (
            7,
            None,
            "camera.serial = 7: no such camera; connected: pco.edge 5.5 M CLHS 61000001 at CLHS, pco.panda",
        ),
        (None, "GigE", 'camera.interface = "GigE": no such camera'),
        # An id that is the same in every process: those that share the tests compare them.
        pytest.param(None, "USB 3.0", f"in use by process {os.getpid()}: close Camware", id="in use"),
    ],
)
def test_a_camera_that_is_not_found_is_reported_with_those_there_are(
    rig: Rig, serial: int | None, interface: Any, message: str
) -> None:
    with pytest.raises(CameraError, match=message.replace(".", r"\.")):
        open_camera(serial, interface)
    del rig


@pytest.mark.parametrize("interface_type", [12, 13, 15])
@pytest.mark.parametrize("interface", [None, "CLHS"])
def test_a_camera_is_opened_by_its_serial_number_at_any_kind_of_clhs(
    interface_type: int, interface: Any
) -> None:
    model = replace(EDGE_55, serial=7, interface=interface_type)
    with installed(VirtualCamera(EDGE_55), VirtualCamera(model)) as rig:
        camera = open_camera(7, interface)
        assert (camera.interface, camera.camera_serial) == ("CLHS", 7)
        assert rig.cameras[1].is_open
        camera.close()


def test_a_serial_number_at_another_interface_is_told() -> None:
    with installed(VirtualCamera(EDGE_55)) as rig:
        with pytest.raises(CameraError, match=r"connected: pco\.edge 5\.5 M CLHS 61000001 at CLHS"):
            open_camera(61_000_001, "USB 3.0")
        assert not rig.camera.is_open


@pytest.mark.parametrize("serial", [None, 61_000_001], ids=["any", "by its number"])
def test_a_camera_that_a_crash_left_locked_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serial: int | None
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in ("pco_shm_devices", "sem.KAYA_MASTERLOCK_G00", "sem.of_another_program"):
        (tmp_path / name).touch()
    monkeypatch.setattr(locks.why_in_use, "__defaults__", (tmp_path,))
    camera = VirtualCamera(EDGE_55, in_use=True, used_by=gone.pid)
    wanted = (
        f"left locked by process {gone.pid}, which is gone: close all programs that use PCO cameras, then rm "
        f"{tmp_path}/pco_shm_devices {tmp_path}/sem.KAYA_MASTERLOCK_G00, or restart the computer"
    )
    with installed(camera), pytest.raises(CameraError, match=re.escape(wanted)):
        open_camera(serial, None)


def test_locks_that_nobody_known_holds_are_told_too(tmp_path: Path) -> None:
    assert locks.why_busy(tmp_path) == ""
    (tmp_path / "sem.ME5_LOCKPORT_00_01").touch()
    assert f"rm {tmp_path}/sem.ME5_LOCKPORT_00_01" in locks.why_busy(tmp_path)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "pco":
            raise ImportError("No module named 'pco'")
        return before(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(CameraError, match=r"up to 3\.12 .* pip install pco"):
        vendor()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("libusb-1.0.so.0: cannot open shared object file", "apt install libusb-1.0-0"),
        ("libpco_sc2cam.so.1: file too short", "reinstall pco"),
    ],
)
def test_a_library_that_cannot_be_loaded_is_named(text: str, message: str) -> None:
    with pytest.raises(CameraError, match=message), library.loading():
        raise OSError(text)


def plug_in(folder: Path, vendor_id: str) -> tuple[Path, Path]:
    device = folder / "devices" / "2-1"
    device.mkdir(parents=True)
    for name, text in (("idVendor", vendor_id), ("busnum", "2"), ("devnum", "5")):
        (device / name).write_text(text + "\n")
    node = folder / "nodes" / "002" / "005"
    node.parent.mkdir(parents=True)
    return folder / "devices", folder / "nodes"


def test_a_camera_on_the_usb_that_nobody_may_open_asks_for_the_rule(tmp_path: Path) -> None:
    devices, nodes = plug_in(tmp_path, "1cb2")
    message = usb_trouble(devices, nodes)
    assert "002/005" in message
    assert 'ATTR{idVendor}=="1cb2"' in message
    (nodes / "002" / "005").touch()
    assert "close other programs" in usb_trouble(devices, nodes)


def test_other_things_on_the_usb_are_ignored(tmp_path: Path) -> None:
    assert usb_trouble(*plug_in(tmp_path, "046d")) == ""
    assert usb_trouble(tmp_path / "nothing") == ""
