"""The displays beside a recording: the page in a real browser, the window on a virtual display."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import h5py
import pytest

from recorder.assembly import build_session
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.session_context import session_context
from recorder.session.session import Session
from recorder.settings.model import validate
from tests.conftest import need
from tests.system.browser import browser, chromium
from tests.system.test_remote import free_port

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

TOKEN = "open-sesame"


@contextlib.asynccontextmanager
async def recording(folder: Path, **preview: Any) -> AsyncIterator[tuple[Dispatcher, str]]:
    """Record a simulated camera with displays, and see that no frame was lost and nothing left behind."""
    port = free_port()
    tree = {
        "recording": {"output": str(folder / "x.h5")},
        "camera": {"width": 640, "height": 540, "fifo": 300},
        "pool": {"memory": "200MB"},
        "preview": {"on": True, "web": f"127.0.0.1:{port}", "token": TOKEN, "window": False, **preview},
    }
    before = set(threading.enumerate())
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session, attended=True) as dispatch:
        await session.start()
        yield dispatch, f"http://127.0.0.1:{port}/"
        summary = await session.close()
    assert (summary.verdict, summary.lost) == ("complete", 0)
    # The loop's own end with it; the journal's end by themselves, soon.
    async with asyncio.timeout(5):
        while {t.name.rpartition("_")[0] for t in set(threading.enumerate()) - before} - {"asyncio"}:
            await asyncio.sleep(0.01)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def frames(session: Session) -> int:
    figures = session.statistics()
    assert figures is not None
    return figures.frames


async def goes_on(session: Session) -> None:
    """See that frames go on being written."""
    before = frames(session)
    await asyncio.sleep(0.5)
    assert frames(session) > before + 20


@pytest.fixture
def program() -> str:
    found = chromium()
    need(found, "Chromium")
    return str(found)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A virtual display; the number of its process."""
    import subprocess

    need(shutil.which("Xvfb"), "Xvfb")
    need(_has_tk(), "Tk for Python")
    read, write = os.pipe()
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


def _has_tk() -> bool:
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return False
    return True


def window_processes() -> list[int]:
    """The window programs that this process has started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
            if (
                int(fields[1]) == os.getpid()
                and b"recorder.frontends.window.app" in command
                and fields[0] != "Z"
            ):
                found.append(int(status.parent.name))
    return found


async def test_the_page_shows_takes_levels_and_marks(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await tab.open(f"{address}?token={TOKEN}")
        first = await tab.until("state.head && state.head.number")
        await tab.until(f"state.head && state.head.number > {first}")

        # What the canvas shows is the picture, and it changes.
        look = """(() => { const c = document.getElementById('picture'), d = c.getContext('2d')
            .getImageData(c.width / 2 - 50, c.height / 2 - 50, 100, 100).data;
            return d.reduce((a, v) => (a * 31 + v) % 1000003, 7); })()"""
        shown = await tab.evaluate(look)
        await tab.until(f"{look} !== {shown}")

        # A level is dragged: the picture follows it.
        grip = await tab.evaluate(
            "(() => { const b = document.getElementById('histogram').getBoundingClientRect();"
            "const a = histogramAxis(), at = (state.head.high - a.left) / (a.right - a.left);"
            "return [b.left, b.top + b.height / 2, b.width, at]; })()"
        )
        x = grip[0] + grip[2] * grip[3]
        await tab.mouse("mousePressed", x, grip[1])
        await tab.mouse("mouseMoved", grip[0] + grip[2] * 0.5, grip[1], buttons=1)
        await tab.mouse("mouseReleased", grip[0] + grip[2] * 0.5, grip[1])
        levels = dispatch.session.preview.levels
        assert isinstance(levels, tuple)
        await tab.until(f"state.head.high === {levels[1]}")

        # The command line, with completion, marks a frame.
        await tab.evaluate("document.getElementById('command').focus()")
        await tab.type("ma")
        await tab.until("document.querySelector('#words li')?.dataset.word === 'mark'")
        await tab.press("Tab", 9)
        await tab.type("from_page")
        await tab.press("Enter", 13)
        await tab.until("document.getElementById('log').textContent.includes('mark from_page on frame')")
        await tab.evaluate("document.getElementById('preview').click()")
        await tab.until("document.getElementById('veil').classList.contains('shown')")
        assert not dispatch.session.preview.on
        await tab.until("state.history.length > 4")
        await tab.screenshot(tmp_path / "page.png")
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"from_page"]
        assert b"page" in {row["source"] for row in file["entry/commands"]}


BANNER = "document.getElementById('banner').textContent"
STALE = "document.getElementById('view').classList.contains('stale')"


async def test_nothing_stale_looks_live(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        session = dispatch.session
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number")
        await tab.until(f"{BANNER} === '' && !{STALE}")
        # Marks are counted by the recorder: a page that is loaded again goes on with them.
        for number in (1, 2):
            await tab.evaluate("document.getElementById('mark').click()")
            await tab.until(f"document.getElementById('log').textContent.includes('mark page{number} on')")
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.status.marks === 2")
        await tab.evaluate("document.getElementById('mark').click()")
        await tab.until("document.getElementById('log').textContent.includes('mark page3 on')")

        await dispatch.execute("save off", "test")
        await tab.until(f"{BANNER}.startsWith('not saving') && /since ..:..:../.test({BANNER})")
        await dispatch.execute("stop", "test")
        await tab.until(f"{BANNER}.startsWith('stopped; ') && {STALE}")
        await tab.until("document.getElementById('log').textContent.includes('stopped; ')")
        await dispatch.execute("save on", "test")
        await dispatch.execute("start", "test")
        await tab.until(f"{BANNER} === '' && !{STALE}")
        logging.getLogger("recorder.test").warning("lost 5 frames")
        told = "[...document.querySelectorAll('#log .refused')].map((line) => line.textContent)"
        await tab.until(f"{told}.some((text) => text.endsWith('lost 5 frames'))")
        # The recorder goes away, without a word.
        await tab.evaluate("socket.onmessage = null")
        await tab.until(f"{BANNER}.startsWith('no word from the recorder') && {STALE}")
        await tab.evaluate("socket.close()")
        await tab.until(f"{BANNER}.startsWith('no connection to the recorder')")
        await tab.until(f"{BANNER} === '' && !{STALE}")
        await session.close()


async def test_regions_are_drawn_on_the_page_and_have_traces_against_a_baseline(
    tmp_path: Path, program: str
) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        preview = dispatch.session.preview
        await tab.open(f"{address}?token={TOKEN}")
        # Until a picture is drawn, the canvas has another size.
        await tab.until("state.head && state.status.preview && picture.width > 600")
        box = await tab.evaluate(
            "(() => { const b = picture.getBoundingClientRect(), a = place(), r = picture.width / b.width;"
            "return [b.left + a.left / r, b.top + a.top / r, a.scale / r]; })()"
        )
        x0, y0, x1, y1 = (box[i % 2] + at * box[2] for i, at in enumerate((100, 120, 220, 200)))
        await tab.evaluate("document.getElementById('region').value = 'eye'")
        await tab.mouse("mousePressed", x0, y0, modifiers=8)
        await tab.mouse("mouseMoved", x1, y1, modifiers=8, buttons=1)
        await tab.mouse("mouseReleased", x1, y1, modifiers=8)
        await tab.until("traces.get('eye')?.points.length > 3")
        assert preview.regions["eye"] == pytest.approx((100, 120, 220, 200), abs=2)
        assert dispatch.session.settings.preview.regions == preview.regions

        # By touch: the button, then a finger; without a name the recorder takes the next free one.
        await tab.evaluate("document.getElementById('draw').click()")
        for kind, at in (("Start", (x0, y1)), ("Move", (x1, y1 + 80)), ("End", None)):
            touched = [{"x": at[0], "y": at[1]}] if at else []
            await tab.call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=touched)
        await tab.until("traces.get('r1')?.points.length > 3")

        # Two fingers that go apart make the picture larger.
        for apart in (20, 40, 80):
            points = [{"x": x0 + side * apart, "y": y1, "id": i} for i, side in enumerate((-1, 1))]
            kind = "touchStart" if apart == 20 else "touchMove"
            await tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        await tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        await tab.until("state.head.region[2] < 300")
        await tab.evaluate("document.getElementById('whole').click()")
        await tab.until("state.head.region[2] === 640")

        # A crosshair with the values along its lines.
        await tab.mouse("mouseMoved", x0, y0)
        await tab.evaluate("$('profiles').click()")
        sizes = await tab.until("state.head.profiles && state.head.profiles.map((line) => line.length)")
        assert sizes == [640, 540]
        await tab.evaluate("$('profiles').click()")
        await tab.until("state.head.profiles === null")

        await tab.evaluate("$('baseline').value = '0.3s', $('take').click()")
        await tab.evaluate("$('mode').value = 'dff', $('mode').dispatchEvent(new Event('change'))")
        await tab.until("state.head.mode === 'dff' && state.head.colours === 'diverging'")
        await tab.until("state.head.low === -state.head.high && state.head.unit === '%'")
        await tab.until("traces.get('eye')?.points.length > 3 && Math.abs(traces.get('eye').mean) < 100")
        await tab.until("document.getElementById('against').textContent.includes('mean of 300ms')")
        await tab.evaluate("document.querySelector('#regions button').click()")
        await tab.until("document.querySelectorAll('#regions li').length === 1")
        assert list(preview.regions) == ["r1"]
    with h5py.File(tmp_path / "x.h5") as file:
        lines = [row["command"].decode() for row in file["entry/commands"]]
    assert [line.split()[0] for line in lines] == ["region", "region", "baseline", "preview", "region"]


async def test_the_page_records_stops_and_marks_by_its_buttons(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        session = dispatch.session
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number && !$('stop').disabled")
        await tab.evaluate("$('label').value = 'licks left side', $('mark').click()")
        await tab.until("$('log').textContent.includes('mark licks on frame')")
        await tab.until("document.querySelector('#labels button')?.textContent === 'licks'")
        await tab.evaluate("document.querySelector('#labels button').click()")
        await tab.until("state.status.marks === 2")
        await tab.evaluate("$('next').click()")
        await tab.until("state.status.saving.startsWith('x_')")
        # What ends something is asked for once more.
        await tab.evaluate("$('save').click()")
        assert session.saving
        await tab.evaluate("$('save').click()")
        await tab.until("state.status.saving === '' && $('save').textContent === 'save on'")
        await tab.evaluate("$('save').click()")
        await tab.until("state.status.saving !== '' && $('save').textContent === 'save off'")
        await tab.evaluate("$('stop').click(), $('stop').click()")
        await tab.until("state.status.state === 'closed' && $('stop').disabled")
        await tab.evaluate("$('start').click()")
        await tab.until("state.status.state === 'running'")
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["text"] for row in file["entry/marks"]] == [b"left side", b""]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 1200), (390, 844)])
async def test_the_page_fits_its_screen(tmp_path: Path, program: str, width: int, height: int) -> None:
    async with recording(tmp_path) as (_, address), browser(program, tmp_path / "profile") as tab:
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True
        )
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number")
        assert await tab.evaluate("document.documentElement.scrollWidth") == width
        # The picture, and what is needed in a hurry, are on the first screen.
        for name in ("picture", "stop", "save", "mark"):
            low = await tab.evaluate(f"$('{name}').getBoundingClientRect().bottom")
            assert 0 < low <= height, name


async def test_a_stopped_browser_holds_up_nobody(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recorder.frontends.page.server.HEARTBEAT_S", 1.0)
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number")
        os.killpg(tab.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(2)
            await goes_on(dispatch.session)
            async with aiohttp.ClientSession() as client:
                other = f"{address}ws?token={TOKEN}"
                async with client.ws_connect(other) as page:
                    await page.send_json({"ready": True})
                    kinds = {(await page.receive(timeout=5)).type for _ in range(4)}
                    assert aiohttp.WSMsgType.BINARY in kinds
            assert caplog.text.count("a browser does not answer any more") == 1
        finally:
            os.killpg(tab.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {}),
        ("?token=wrong", {}),
        (f"?token={TOKEN}", {"Host": "evil.example"}),
        (f"?token={TOKEN}", {"Origin": "http://evil.example"}),
        ("ws", {}),
        ("ws?token=wrong", {}),
        (f"ws?token={TOKEN}", {"Origin": "http://evil.example"}),
        (f"ws?token={TOKEN}", {"Host": "evil.example:80"}),
        (f"ws?token={TOKEN}", {"Origin": "null"}),
        (f"?token={TOKEN}", {"Host": "[::"}),
        (f"?token={TOKEN}", {"Origin": "http://[x"}),
    ],
)
async def test_strangers_are_turned_away(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        if path.startswith("ws"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(address + path, headers=headers)
            assert refused.value.status == 403
        else:
            async with client.get(address + path, headers=headers) as answer:
                assert answer.status == 403
                assert "canvas" not in await answer.text()
        assert dispatch.seq == 0


async def test_a_page_that_goes_away_takes_no_command_with_it(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        for i in range(30):
            page = await client.ws_connect(f"{address}ws?token={TOKEN}")
            await page.send_json({"command": f"save new part{i:02}", "id": 1})
            await asyncio.sleep(i * 0.0007)
            # Not a word of farewell.
            connection = page._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()
            page._response.close()
        await asyncio.sleep(1)
        await goes_on(dispatch.session)
    files = sorted(tmp_path.glob("*.h5"))
    assert len(files) > 5
    numbers: list[int] = []
    for path in files:
        with h5py.File(path) as file:
            assert file["entry/verdict"][()] == b"complete", path
            numbers += file["entry/instrument/detector/frame_number"][:].tolist()
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_half_a_character_is_no_reason_to_fall_silent(tmp_path: Path) -> None:
    async with (
        recording(tmp_path) as (_, address),
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{address}ws?token={TOKEN}") as page,
    ):
        await page.send_str('{"command": "note \\ud800", "id": 1}')
        while (answer := await page.receive_json(timeout=5)).get("id") != 1:
            pass
        assert answer["status"] == "ok"


async def test_too_many_connections_are_closed_at_once(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        closed = 0
        for reader, writer in opened:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(0.02):
                    closed += await reader.read(1) == b""
            writer.close()
        assert closed >= 30
        await goes_on(dispatch.session)


async def test_nonsense_from_a_page_closes_it_and_nothing_else(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        for nonsense in (
            "{",
            "[]",
            '{"levels": [9, 1]}',
            '{"region": [1e9, 0, 1, 1]}',
            '{"probe": "x"}',
            "x" * 5000,
        ):
            async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
                await page.send_str(nonsense)
                while (message := await page.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                    assert "status" in json.loads(message.data) or "history" in json.loads(message.data)
                assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
            await page.send_json({"command": "exposre 5ms", "id": 1})
            while (answer := await page.receive_json(timeout=5)).get("id") != 1:
                pass
            assert answer["status"] == "refused"
        assert dispatch.session.preview.levels == "auto"
        assert dispatch.session.preview.region is None


async def test_no_more_pages_than_allowed(tmp_path: Path) -> None:
    async with recording(tmp_path) as (_, address), aiohttp.ClientSession() as client:
        pages = [await client.ws_connect(f"{address}ws?token={TOKEN}") for _ in range(8)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(f"{address}ws?token={TOKEN}")
        assert refused.value.status == 503
        for page in pages:
            await page.close()


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
        assert caplog.text.count("window: its process ended with -9; preview is off") == 1
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
        os.kill(window, signal.SIGSTOP)
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
    tmp_path: Path, display: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recording(tmp_path, window="auto") as (dispatch, _):
        await until_window()
        await asyncio.sleep(1.5)
        os.kill(display, signal.SIGKILL)
        await until_off(dispatch.session)
        await goes_on(dispatch.session)
        assert caplog.text.count("preview is off, the recording goes on") == 1
        # Without a display it cannot come back, and says so in a line. Another test may have its number now.
        monkeypatch.setenv("DISPLAY", ":65000")
        await dispatch.execute("preview on", "test")
        await until_off(dispatch.session)
        assert "window: there is no display to show it on" in caplog.text


async def test_keys_and_mouse_in_the_window_act(tmp_path: Path, display: int) -> None:
    del display
    need(shutil.which("xdotool"), "xdotool")

    async def do(*arguments: str) -> None:
        process = await asyncio.create_subprocess_exec("xdotool", *arguments)
        assert await process.wait() == 0

    async with recording(tmp_path, window="auto") as (dispatch, _):
        preview = dispatch.session.preview
        await until_window()
        async with asyncio.timeout(20):
            # Until the window is up and takes keys.
            while dispatch.seq == 0:
                await do("mousemove", "300", "300", "key", "m")
                await asyncio.sleep(0.2)
            while preview.region is None:
                await do("mousemove", "400", "300", "click", "4")
                await asyncio.sleep(0.2)
            while preview.levels == "auto":
                await do(
                    "mousemove", "1008", "200", "mousedown", "1", "mousemove", "930", "200", "mouseup", "1"
                )
                await asyncio.sleep(0.2)
            while preview.region is not None:
                await do("key", "Escape")
                await asyncio.sleep(0.2)
        levels = preview.levels
        assert isinstance(levels, tuple)
        await asyncio.sleep(0.3)
        assert preview.latest is not None
        assert (preview.latest.low, preview.latest.high) == levels
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["entry/marks"][0]["label"] == b"window1"
        assert file["entry/marks"][0]["source"] == b"window"
