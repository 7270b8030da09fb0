"""`recorder view`: the page on recordings in files in a real browser, and the program as its users run it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recorder.files.probe import probing
from recorder.frontends.view.displays import opened, serving
from tests.system.browser import Tab, browser
from tests.system.conftest import COMMAND, LITTLE_MEMORY, Recorder
from tests.system.test_page_access import SIZES, violations

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

TOML = """
[camera]
width = 640
height = 540
faults = [{ kind = "drop", at = 41, count = 5 }]
fifo = 300
[preview]
regions = { eye = [100, 100, 200, 200] }
[analysis]
regions = true
"""

# Counters of frames, of which 5 are missing.
SCRIPT = "at frame 21 mark first left eye\nat frame 70 mark second\nat frame 80 mark third\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 100 frames with marks, a loss and a region."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "rig.toml").write_text(TOML)
    (folder / "marks.txt").write_text(SCRIPT)
    arguments = ("--headless", "--frames", "100", "--output", "mouse.h5", "--script", "marks.txt")
    command = [*COMMAND, "run", "rig.toml", *arguments, *LITTLE_MEMORY]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert "5 of 105" in done.stdout, done
    return folder / "mouse.h5"


@pytest.fixture
def mouse(recorded: Path, tmp_path: Path) -> Path:
    """That recording, in a folder of the test's own."""
    (tmp_path / "mouse.h5").hardlink_to(recorded)
    return tmp_path / "mouse.h5"


@contextlib.asynccontextmanager
async def shown(path: Path, program: str) -> AsyncIterator[Tab]:
    """Have a tab show the page of a file."""
    with probing() as probe, opened([path], probe) as recording:
        async with (
            serving(recording, probe, "127.0.0.1:0", "") as (address, _),
            browser(program, path.parent / "profile") as tab,
        ):
            await tab.open(address.here)
            await tab.until("state.head && state.overview && picture.width > 600")
            yield tab


INDEX = "state.head.index"
BANNER = "$('banner').textContent"


async def test_all_of_a_recording_is_reached_with_the_keyboard_alone(mouse: Path, program: str) -> None:
    async with shown(mouse, program) as tab:
        assert await tab.evaluate("[state.head.index, state.head.number]") == [0, 1]
        await tab.press("n")
        await tab.until(f"{INDEX} === 20 && $('readout').textContent.includes('first: this frame')")
        assert "frame 20 of 100" in await tab.evaluate("$('where').textContent")
        await tab.press("ArrowRight")
        await tab.until(f"{INDEX} === 21 && $('readout').textContent.includes('first +10 ms')")
        await tab.press("ArrowRight", shift=True)
        await tab.until(f"{INDEX} === 31")
        await tab.press("b")
        await tab.until(f"{INDEX} === 20")
        # The frame behind a gap says so, those beside it do not.
        for keys, index in (("n", 64), ("b", 20)):
            await tab.press(keys)
            await tab.until(f"{INDEX} === {index}")
        for _ in range(2):
            await tab.press("ArrowRight", shift=True)
        await tab.until(f"{INDEX} === 40 && {BANNER} === '5 frames lost right before this one: counter gap'")
        await tab.press("ArrowLeft")
        await tab.until(f"{INDEX} === 39 && {BANNER} === ''", seconds=10)
        await tab.press("End")
        await tab.until(f"{INDEX} === 99")
        await tab.press("Home")
        await tab.until(f"{INDEX} === 0")
        await tab.press("PageDown")
        await tab.until(f"{INDEX} === 95")
        await tab.press("PageUp")
        await tab.until(f"{INDEX} === 0")
        await tab.press(",", ",")
        await tab.until("state.status.speed === 0.25")
        await tab.press(".", *",,,,", " ")
        await tab.until(f"state.status.plays && state.status.speed === 1 / 32 && {INDEX} > 1")
        await tab.press(" ")
        at = await tab.until(f"!state.status.plays && {INDEX}")
        await tab.press("ArrowLeft", shift=True)
        await tab.until(f"{INDEX} < {at}")
        # The slider has the same keys, and a button its space.
        await tab.tab_to("position")
        await tab.press("Home", "ArrowRight")
        await tab.until(f"{INDEX} === 1")
        assert await tab.evaluate("$('position').getAttribute('aria-valuetext')") == "frame 1, 0.010 s"
        await tab.press("s")
        await tab.until("$('log').textContent.includes('mouse_frame2.tif')")
        # The picture is moved with Ctrl; a region is drawn, moved and dropped.
        await tab.press("+", "+")
        await tab.until("state.head.region[2] < 500")
        x = await tab.evaluate("state.head.region[0]")
        arrow = {"key": "ArrowRight", "windowsVirtualKeyCode": 39, "modifiers": 2}
        await tab.call("Input.dispatchKeyEvent", type="keyDown", **arrow)
        await tab.until(f"state.head.region[0] > {x} && {INDEX} === 1")
        await tab.press("w", "r", "ArrowLeft", "Enter")
        await tab.until("state.head.regions.length === 2")
        await tab.until("Object.keys(state.traces).length === 2 && state.traces.r1.known > 50")
        assert await tab.evaluate(INDEX) == 1
        await tab.press("?")
        await tab.until("$('keys').open && $('key-list').textContent.includes('the next mark')")
    assert (mouse.parent / "mouse_frame2.tif").exists()


async def test_the_time_line_is_clicked_dragged_and_hovered(mouse: Path, program: str) -> None:
    async with shown(mouse, program) as tab:
        assert await tab.evaluate("[state.overview.marks.length, state.overview.losses.length]") == [3, 1]
        # The region's means are those in the file, of every frame.
        await tab.until("state.traces.eye.known === 100 && $('sampled').textContent === 'eye: every frame'")
        places = await tab.evaluate(
            "(() => { const b = timeline.getBoundingClientRect(), r = timeline.width / b.width;"
            "return places.map(({ at, frame, words }) => [b.left + at / r, b.top + 30, frame, words]); })()"
        )
        assert sorted(place[2] for place in places) == [20, 40, 64, 74]
        for x, y, frame, words in places:
            await tab.mouse("mouseMoved", x + 2, y)
            await tab.until(f"!$('tip').hidden && $('tip').textContent.includes({json.dumps(words)})")
            await tab.mouse("mousePressed", x + 2, y)
            await tab.mouse("mouseReleased", x + 2, y)
            await tab.until(f"{INDEX} === {frame}")
        # Between the marks it is the moment, also while it is dragged.
        left, top, width = await tab.evaluate(
            "(() => { const b = timeline.getBoundingClientRect(); return [b.left, b.top + 30, b.width]; })()"
        )
        await tab.mouse("mousePressed", left + width * 0.3, top)
        first = await tab.until(f"{INDEX} > 21 && {INDEX} < 40 && {INDEX}")
        await tab.mouse("mouseMoved", left + width * 0.97, top, buttons=1)
        await tab.mouse("mouseReleased", left + width * 0.97, top)
        await tab.until(f"{INDEX} > {first} + 40")
        # The wheel shows a part of the time, around the frame, and all again.
        await tab.evaluate("$('back').prepend(new Option('0.5 s', '0.5'))")
        wheel = {"type": "mouseWheel", "x": left + width / 2, "y": top, "deltaX": 0}
        await tab.call("Input.dispatchMouseEvent", **wheel, deltaY=-100)
        await tab.until(
            "span[1] - span[0] === 0.5 && span[0] <= state.head.time_s && state.head.time_s <= span[1]"
        )
        await tab.call("Input.dispatchMouseEvent", **wheel, deltaY=100)
        await tab.until("span[0] === 0 && span[1] > 1")
        # The slider, by touch.
        await tab.become(390, 844, touched=True)
        await tab.evaluate("$('position').scrollIntoView()")
        left, top, width = await tab.evaluate(
            "(() => { const b = $('position').getBoundingClientRect();"
            "return [b.left, b.top + b.height / 2, b.width]; })()"
        )
        await tab.drag((left + width * 0.9, top), (left + width * 0.25, top))
        await tab.until(f"{INDEX} > 15 && {INDEX} < 35")
        # A part of the time, around the frame.
        await tab.evaluate("$('back').value = '10', drawTimeline()")
        await tab.tap("#play")
        await tab.until("state.status.plays")
        await tab.tap("#play")
        await tab.until("!state.status.plays")
        await tab.tap("#later")
        await tab.until(f"[64, 74].includes({INDEX})")


async def test_a_checker_finds_nothing_serious_on_a_file(mouse: Path, program: str) -> None:
    async with shown(mouse, program) as tab:
        await tab.evaluate("go({ frame: 40 })")
        await tab.until(f"{BANNER}.startsWith('5 frames lost')")
        for width, height in SIZES:
            await tab.become(width, height, touched=width < 1000)
            await tab.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            assert await violations(tab) == [], width
            assert await tab.evaluate("document.documentElement.scrollWidth") == width
            # The picture and what moves it are on the first screen.
            for name in ("picture", "play", "position", "timeline"):
                low = await tab.evaluate(f"$('{name}').getBoundingClientRect().bottom")
                assert 0 < low <= height, (name, width)
            if width < 1000:
                small = await tab.evaluate(
                    "[...document.querySelectorAll('button, input:not([type=range]), select')].filter((it) =>"
                    "it.checkVisibility() && Math.min(it.offsetWidth, it.offsetHeight) < 44)"
                    ".map((it) => it.id)"
                )
                assert small == [], width
        await tab.evaluate("connect = () => {}, socket.close()")
        await tab.until("document.body.classList.contains('disconnected') && $('play').disabled")
        assert await violations(tab) == []


async def test_a_recording_is_replayed_while_it_is_made(tmp_path: Path, program: str) -> None:
    recording = [*COMMAND, "run", "--headless", "--json", "--output", "x.h5", "--duration", "100s"]
    settings = ["--set", "camera.fifo=300", *LITTLE_MEMORY]
    quiet: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": asyncio.subprocess.DEVNULL,
        "cwd": tmp_path,
    }
    recorder = await asyncio.create_subprocess_exec(*recording, *settings, **quiet)
    try:
        while not (tmp_path / "x.h5").exists():
            await asyncio.sleep(0.05)
        viewer = await asyncio.create_subprocess_exec(*COMMAND, "view", "x.h5", "--no-window", **quiet)
        assert viewer.stdout is not None
        try:
            address = (await viewer.stdout.readline()).decode().strip()
            assert address.startswith("http://127.0.0.1:")
            async with browser(program, tmp_path / "profile") as tab:
                await tab.open(address)
                # It takes what others leave over, and that may be little.
                until = partial(tab.until, seconds=40)
                first = await until(f"state.status.at_edge && {INDEX} > 20 && {INDEX}")
                await until(f"{INDEX} > {first}")
                await tab.press("ArrowLeft")
                await until("!state.status.at_edge")
                await tab.press("Home")
                await until(f"{INDEX} === 0")
                await tab.press(" ")
                await until(f"state.status.plays && {INDEX} > 0")
                await tab.evaluate("$('edge').click()")
                await until(f"state.status.at_edge && {INDEX} > {first}")
                recorder.send_signal(signal.SIGINT)
                await until("!state.status.grows && $('edge').hidden && state.status.verdict")
                told = await tab.evaluate("[state.status.verdict, $('log').textContent]")
                assert told[0] == "interrupted"
                assert told[1].endswith("the recording does not grow any more: it ended: interrupted")
        finally:
            # Ctrl-C is how it ends.
            viewer.send_signal(signal.SIGINT)
            assert await viewer.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            recorder.send_signal(signal.SIGINT)
        assert recorder.stdout is not None
        summary = json.loads(await recorder.stdout.read())
        await recorder.wait()
    assert summary["lost"] == 0


def test_what_cannot_be_viewed_is_said_in_a_line(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "notes.h5").write_text("hello")
    for arguments, words in (
        (["notes.h5"], "not an HDF5 file"),
        (["mouse.h5"], "no such file"),
        (["notes.h5", "--address", "8080"], "--address 8080: must be HOST:PORT"),
        (["notes.h5", "--token", "a b"], "--token: must be made of letters"),
        ([], "Missing argument"),
    ):
        done = recorder("view", *arguments)
        assert done.code in {1, 2}
        assert words in done.err
        assert done.err.count("\n") == 1, done.err


async def test_closing_the_window_ends_it(tmp_path: Path, mouse: Path) -> None:
    # A browser that shows nothing, and is closed by whoever looks at it.
    fake = tmp_path / "bin" / "google-chrome"
    fake.parent.mkdir()
    fake.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/opened\nwhile [ ! -e {tmp_path}/closed ]; do sleep 0.05; done\n"
    )
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}", "DISPLAY": ":99"}
    viewer = await asyncio.create_subprocess_exec(
        *COMMAND, "view", str(mouse), env=environment, stdout=subprocess.PIPE
    )
    assert viewer.stdout is not None
    assert (await viewer.stdout.readline()).startswith(b"http://127.0.0.1:")
    while not (tmp_path / "opened").exists():
        await asyncio.sleep(0.05)
    assert viewer.returncode is None
    (tmp_path / "closed").touch()
    assert await viewer.wait() == 0
    assert await viewer.stdout.read() == b""
