"""The preview window: the page in a window of a browser, on a virtual display."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import h5py
import pytest

from recorder.session.session import Session
from tests.conftest import need
from tests.system.displays import TOKEN, goes_on, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> Iterator[int]:
    """A virtual display, and a browser that anybody may run; the number of the display's process."""
    need(shutil.which("Xvfb"), "Xvfb")
    read, write = os.pipe()
    # Whoever tests may be root, whom a browser refuses its sandbox.
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin/google-chrome"
    wrapper.write_text(f'#!/bin/sh\nexec {program} --no-sandbox "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    yield server.pid
    server.kill()
    server.wait()


def window_processes() -> list[int]:
    """The browsers that this process has started and that still run; none has the token where all read it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
            if int(fields[1]) == os.getpid() and b"recorder-window-" in command and fields[0] != "Z":
                assert TOKEN.encode() not in command
                found.append(int(status.parent.name))
    return found


async def test_two_hundred_toggles_with_all_displays(tmp_path: Path, display: int) -> None:
    del display
    async with recording(tmp_path, window="auto") as (dispatch, address), aiohttp.ClientSession() as client:
        async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
            for _ in range(200):
                assert (await dispatch.execute("preview toggle", "test")).status == "ok"  # type: ignore[union-attr]
                await page.send_json({"ready": True})
                await asyncio.sleep(0.02)
        assert dispatch.session.preview.on
        await dispatch.execute("preview off", "test")
        await asyncio.sleep(0.1)
        assert len(window_processes()) <= 1
        run = dispatch.session.run
        assert run is not None
        assert run.parts is not None
        assert set(+run.parts.pool._owners) <= {"camera", "writer", "broadcaster"}
    assert window_processes() == []


async def until_window() -> int:
    async with asyncio.timeout(20):
        while not (found := window_processes()):
            await asyncio.sleep(0.05)
    return found[0]


async def until_off(session: Session) -> None:
    async with asyncio.timeout(20):
        while session.preview.on:
            await asyncio.sleep(0.05)


async def test_a_killed_window_turns_preview_off_and_comes_back(
    tmp_path: Path, display: int, caplog: pytest.LogCaptureFixture
) -> None:
    del display
    async with recording(tmp_path, window="auto") as (dispatch, _):
        session = dispatch.session
        first = await until_window()
        await asyncio.sleep(1.5)
        os.kill(first, signal.SIGKILL)
        await until_off(session)
        assert caplog.text.count("window: google-chrome ended with -9; preview is off") == 1
        await goes_on(session)
        await dispatch.execute("preview on", "test")
        assert await until_window() != first
        await goes_on(session)
    assert window_processes() == []


async def test_a_hung_window_holds_up_nobody(tmp_path: Path, display: int) -> None:
    del display
    async with recording(tmp_path, window="auto") as (dispatch, _):
        window = await until_window()
        await asyncio.sleep(1)
        os.killpg(window, signal.SIGSTOP)
        await asyncio.sleep(1)
        await goes_on(dispatch.session)
        seen = dispatch.session.preview.latest
        assert seen is not None
        await asyncio.sleep(0.5)
        later = dispatch.session.preview.latest
        assert later is not None
        assert later.number > seen.number
    assert window_processes() == []


async def test_a_display_taken_away_costs_no_frame(
    tmp_path: Path, display: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with recording(tmp_path, window="auto") as (dispatch, _):
        await until_window()
        await asyncio.sleep(1.5)
        os.kill(display, signal.SIGKILL)
        await until_off(dispatch.session)
        await goes_on(dispatch.session)
        # Without a display it cannot come back, and says so in a line.
        await dispatch.execute("preview on", "test")
        await until_off(dispatch.session)
        assert caplog.text.count("window: google-chrome ended with 1: ") == 1


async def test_the_window_is_the_page_also_where_no_page_was_asked_for(
    tmp_path: Path, display: int, caplog: pytest.LogCaptureFixture
) -> None:
    del display
    need(shutil.which("xdotool"), "xdotool")
    caplog.set_level("INFO")
    async with recording(tmp_path, window="auto", web=None, on=False) as (dispatch, _):
        assert "page: " not in caplog.text
        await dispatch.execute("preview on", "test")
        await until_window()
        assert "page: http://127.0.0.1:" in caplog.text
        async with asyncio.timeout(20):
            # Until the window is up and takes keys.
            while dispatch.seq == 1:
                process = await asyncio.create_subprocess_exec(
                    "xdotool", "mousemove", "300", "300", "key", "m"
                )
                assert await process.wait() == 0
                await asyncio.sleep(0.3)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["entry/marks"][0]["label"] == b"page1"
    assert list(Path(tempfile.gettempdir()).glob("recorder-window-*")) == []


async def test_a_rig_without_a_browser_is_told_where_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    caplog.set_level("INFO")
    async with recording(tmp_path, window=True, web=None) as (dispatch, _):
        async with asyncio.timeout(10):
            while "no window: there is no Chrome, Chromium or Edge here" not in caplog.text:
                await asyncio.sleep(0.02)
        assert "page: http://127.0.0.1:" in caplog.text
        assert dispatch.session.preview.on
