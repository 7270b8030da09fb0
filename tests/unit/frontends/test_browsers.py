import os
import sys
from pathlib import Path

import pytest

from recorder.frontends.window.browsers import arguments, find_browser, readable_folder
from recorder.frontends.window.process import is_window_wanted


def program(folder: Path, name: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / name
    made.touch()
    made.chmod(0o755)
    return str(made)


@pytest.mark.skipif(sys.platform == "win32", reason="PATH of POSIX")
def test_a_browser_is_found_by_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() is None
    chromium = program(tmp_path, "chromium")
    program(tmp_path, "firefox")
    assert find_browser() == chromium
    assert find_browser() != program(tmp_path, "microsoft-edge")
    assert find_browser() == str(tmp_path / "microsoft-edge")


def test_windows_has_edge_where_no_path_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    # As a name of one folder on other systems.
    edge = os.path.join(tmp_path, r"Microsoft\Edge\Application\msedge.exe")  # noqa: PTH118
    monkeypatch.setenv("PROGRAMFILES(X86)", str(tmp_path))
    Path(edge).parent.mkdir(parents=True, exist_ok=True)
    Path(edge).touch()
    assert find_browser() == edge


def test_a_snap_reads_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert readable_folder("/usr/bin/google-chrome") is None
    assert readable_folder("/snap/bin/chromium") is None
    common = tmp_path / "snap/chromium/common"
    common.mkdir(parents=True)
    assert readable_folder("/snap/bin/chromium") == common


def test_a_window_of_our_own_tells_nobody_the_token(tmp_path: Path) -> None:
    told = arguments(tmp_path / "open.html", tmp_path)
    assert told[0] == f"--app=file://{tmp_path}/open.html"
    assert f"--user-data-dir={tmp_path / 'profile'}" in told


def test_a_window_wants_a_display_and_somebody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not is_window_wanted("auto", attended=True)
    assert is_window_wanted(True, attended=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert is_window_wanted("auto", attended=True)
    assert not is_window_wanted("auto", attended=False)
    assert not is_window_wanted(False, attended=True)
