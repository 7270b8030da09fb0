"""The preview page for everybody: an accessibility checker, the keyboard alone, touch alone."""

import asyncio
import sys
from importlib import resources
from pathlib import Path

import h5py
import pytest

from recorder.assembly import build_session
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from tests.system.browser import Tab, browser
from tests.system.displays import TOKEN, recording
from tests.system.test_remote import free_port

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

SIZES = [(1280, 800), (800, 1200), (390, 844)]


async def violations(tab: Tab) -> list[str]:
    """What the checker finds that is serious or critical, with the places."""
    if not await tab.evaluate("Boolean(window.axe)"):
        await tab.evaluate(resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8"))
    found = await tab.evaluate("""axe.run({ resultTypes: ["violations"] }).then(({ violations, passes }) =>
        passes.length < 10 ? ["nothing was checked"] :
        violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`))""")
    assert isinstance(found, list)
    return found


async def at_all_sizes(tab: Tab, state: str) -> None:
    for width, height in SIZES:
        await tab.become(width, height, touched=width < 1000)
        # Until the page has drawn itself anew.
        await tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await violations(tab) == [], (state, width)
        assert await tab.evaluate("document.documentElement.scrollWidth") == width, (state, width)


async def test_a_checker_finds_nothing_serious_in_any_state(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await dispatch.execute("region eye 100 100 200 200", "test")
        await dispatch.execute("mark licks", "test")
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("traces.size && state.head && $('labels').childElementCount")
        await at_all_sizes(tab, "running")
        await dispatch.execute("preview mode dff", "test")
        await tab.evaluate("box.focus(), box.value = 'preview ', suggest()")
        await tab.until("list.children.length > 3")
        assert await violations(tab) == []
        await tab.evaluate("picture.focus(), actions.quit()")
        await tab.until("$('ask').open && $('question').textContent.includes('is being saved')")
        await at_all_sizes(tab, "asked")
        await tab.press("Escape", "?")
        await tab.until("$('keys').open")
        await at_all_sizes(tab, "keys")
        await tab.press("Escape")
        await dispatch.execute("save off", "test")
        await tab.until("document.body.classList.contains('unsaved')")
        await at_all_sizes(tab, "not saving")
        await dispatch.execute("stop", "test")
        await tab.until("$('banner').textContent.startsWith('stopped')")
        await at_all_sizes(tab, "stopped")
        await tab.evaluate("connect = () => {}, socket.close()")
        await tab.until("document.body.classList.contains('disconnected')")
        await at_all_sizes(tab, "disconnected")


async def test_a_failure_stays_to_be_seen_when_the_recorder_has_gone(tmp_path: Path, program: str) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 48, "rate": 50.0, "faults": [{"kind": "disconnect", "at": 100}]},
        "pool": {"memory": "20MB"},
        "preview": {"on": True, "web": f"127.0.0.1:{(port := free_port())}", "token": TOKEN, "window": False},
    }
    session = build_session(validate(tree), dry_run=False)
    async with browser(program, tmp_path / "profile") as tab:
        async with session_context(session):
            await session.start()
            await tab.open(f"http://127.0.0.1:{port}/?token={TOKEN}")
            await tab.until(
                "$('banner').className === 'failed' && /since ..:..:../.test($('banner').textContent)"
            )
            assert await tab.evaluate("$('status').firstChild.textContent") == "failed"
            await at_all_sizes(tab, "failed")
            await session.close()
        await tab.until("$('banner').className === 'disconnected'")
        said = await tab.evaluate("$('banner').textContent")
        assert said.startswith("the recorder has ended; before: failed: ")
        assert await tab.evaluate("$('stop').disabled && $('mark').disabled && $('quit').disabled")
        # Another recorder at the same place, with another token, is not asked again and again.
        tree["camera"]["faults"] = []  # type: ignore[index]
        tree["preview"]["token"] = "another"  # type: ignore[index]
        other = build_session(validate(tree), dry_run=True)
        async with session_context(other):
            await tab.until("$('banner').textContent.startsWith('another recorder answers')")
            await other.close()


async def test_the_page_works_with_the_keyboard_alone(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        session = dispatch.session
        preview = session.preview
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number && !$('stop').disabled")
        # In the order of the page, each with a frame around it.
        seen = []
        for _ in range(9):
            await tab.press("Tab")
            seen.append(await tab.evaluate("document.activeElement.id"))
            assert await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert seen == ["picture", "nearer", "farther", "stop", "save", "next", "label", "mark", "exposure"]

        # Letters in a box are letters, and act outside of one.
        await tab.press("Escape", "l", *"spaw c", "Enter")
        await tab.until("state.status.marks === 1")
        await tab.press("Escape", "m")
        await tab.until("state.status.marks === 2")
        await tab.press("e", *"4ms", "Enter")
        await tab.until("state.status.exposure === '4ms'")
        assert preview.on
        assert not list(tmp_path.glob("*.tif"))
        await tab.press("Escape")

        # Zoom, the part shown, a region, the levels, a crosshair.
        await tab.press("+", "+")
        x = await tab.until("state.head.region[2] < 500 && state.head.region[0]")
        await tab.press("ArrowRight")
        await tab.until(f"state.head.region[0] > {x}")
        await tab.press("-", "w")
        await tab.until("state.head.region[2] === 640")
        await tab.press("r", "ArrowLeft", "ArrowUp")
        await tab.press("ArrowRight", "ArrowDown", shift=True)
        await tab.press("Enter")
        await tab.until("state.head.regions.length === 1")
        assert preview.regions == {"r1": (240 - 16, 203 - 14, 400, 338)}
        await tab.press("r", "Escape")
        assert await tab.evaluate("state.drawn === null && !state.drawing")
        await tab.press("c")
        await tab.until("state.head.profiles")
        await tab.press("ArrowLeft", shift=True)
        await tab.until("state.head.probe[0] === 320 - 16")
        await tab.tab_to("low")
        await tab.evaluate("document.activeElement.select()")
        await tab.press(*"100", "Enter")
        await tab.until("state.head.low === 100")

        # Nothing acts behind a list of keys, and no is what Escape says.
        await tab.press("Escape", "?", "m", "Escape")
        await tab.tab_to("save")
        await tab.press("Enter")
        assert await tab.evaluate("$('ask').open && document.activeElement.id") == "no"
        await tab.press("Escape", "Enter", "y")
        await tab.until("state.status.saving === ''")
        assert await tab.evaluate("state.status.marks") == 2
        await tab.press("Enter")
        await tab.until("state.status.saving !== ''")
        await tab.tab_to("next")
        await tab.press("Enter")
        await tab.until("state.status.saving.startsWith('x_')")
        await tab.tab_to("stop")
        await tab.press("Enter", "y")
        await tab.until("state.status.state === 'closed' && !$('start').disabled")
        await tab.tab_to("start")
        await tab.press("Enter")
        await tab.until("state.status.state === 'running'")
        await tab.tab_to("quit")
        await tab.press("Enter")
        await tab.until("$('ask').open")
        await tab.press("Escape", "m")
        await tab.until("state.status.marks === 3")
        assert session.running
        assert not session.leaving.is_set()
        await tab.press("Enter")
        await tab.until("$('ask').open")
        await tab.press("Tab", "Tab", "Tab", "y")
        async with asyncio.timeout(10):
            await session.leaving.wait()
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"spaw", b"page1"]


async def test_the_page_works_by_touch_alone(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        session = dispatch.session
        await tab.become(800, 1200, touched=True)
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number && !$('stop').disabled")
        # All of it is on one screen, and large enough for a finger.
        assert await tab.evaluate("document.documentElement.scrollHeight") <= 1200
        small = await tab.evaluate(
            "[...document.querySelectorAll('button, input, select')].filter((it) => it.checkVisibility() &&"
            "Math.min(it.offsetWidth, it.offsetHeight) < 44).map((it) => it.id)"
        )
        assert small == []
        await tab.tap("#label")
        await tab.call("Input.insertText", text="licks left")
        await tab.tap("#mark")
        await tab.until("document.querySelector('#labels button')?.textContent === 'licks'")
        await tab.tap("#labels button")
        await tab.until("state.status.marks === 2 && $('told').textContent.startsWith('mark licks on frame')")
        await tab.tap("#exposure")
        await tab.call("Input.insertText", text="4ms")
        await tab.tap("#expose")
        await tab.until("state.status.exposure === '4ms'")

        await tab.tap("#nearer")
        await tab.until("state.head.region[2] < 600")
        x, y, scale = await tab.evaluate(
            "(() => { const { left, top, width, height } = picture.getBoundingClientRect();"
            "return [left + width / 2, top + height / 2, place().scale]; })()"
        )
        before = await tab.evaluate("state.head.region[0]")
        await tab.drag((x, y), (x - 40, y))
        await tab.until(f"state.head.region[0] === Math.round({before} + 40 / {scale})")
        await tab.tap("#whole")
        await tab.until("state.head.region[2] === 640")
        await tab.tap("#draw")
        await tab.drag((x, y), (x + 60, y + 60))
        await tab.until("state.head.regions.length === 1")
        await tab.tap("#regions button")
        await tab.until("state.head.regions.length === 0")
        at, left, top = await tab.evaluate(
            "(() => { const b = histogram.getBoundingClientRect(), a = histogramAxis(); return ["
            "b.left + b.width * (state.head.high - a.left) / (a.right - a.left), b.left + b.width / 2,"
            "b.top + b.height / 2]; })()"
        )
        await tab.drag((at, top), (left, top))
        await tab.until("typeof state.head.high === 'number' && $('high').value === String(state.head.high)")
        assert isinstance(session.preview.levels, tuple)

        await tab.tap("#next")
        await tab.until("state.status.saving.startsWith('x_')")
        await tab.tap("#save")
        await tab.tap("#yes")
        await tab.until("state.status.saving === '' && $('save').textContent === 'save on'")
        await tab.tap("#save")
        await tab.until("state.status.saving !== ''")
        await tab.tap("#stop")
        await tab.tap("#no")
        await tab.tap("#stop")
        await tab.tap("#yes")
        await tab.until("state.status.state === 'closed' && !$('start').disabled")
        await tab.tap("#start")
        await tab.until("state.status.state === 'running'")
        await tab.tap("#quit")
        await tab.until("$('ask').open")
        await tab.tap("#no")
        assert not session.leaving.is_set()
        await tab.tap("#quit")
        await tab.until("$('ask').open")
        await tab.tap("#yes")
        async with asyncio.timeout(10):
            await session.leaving.wait()
    with h5py.File(tmp_path / "x.h5") as file:
        assert [(row["label"], row["text"]) for row in file["entry/marks"]] == [
            (b"licks", b"left"),
            (b"licks", b""),
        ]
