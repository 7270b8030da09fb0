"""The preview page in a real browser."""

import logging
import sys
from pathlib import Path

import h5py
import pytest

from tests.system.browser import browser
from tests.system.displays import TOKEN, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


async def test_the_page_shows_takes_levels_and_marks(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await tab.open(f"{address}?token={TOKEN}")
        first = await tab.until("state.head && state.head.number")
        await tab.until(f"state.head && state.head.number > {first}")

        # The camera's counter has one word; a frame is counted from 0 in its file.
        await tab.until("$('readout').textContent === `counter ${state.head.number}`")

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
        await tab.press("Tab")
        await tab.type("from_page")
        await tab.press("Enter")
        await tab.until("document.getElementById('log').textContent.includes('mark from_page on frame')")
        await tab.evaluate("document.getElementById('preview').click()")
        await tab.until("document.getElementById('veil').classList.contains('shown')")
        assert not dispatch.session.preview.on
        # What was read off a picture goes with it.
        await tab.until("state.head === null && $('readout').textContent === ''")
        await tab.until("state.history.length > 4")
        await tab.screenshot(tmp_path / "page.png")
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"from_page"]
        assert b"page" in {row["source"] for row in file["entry/commands"]}


BANNER = "document.getElementById('banner').textContent"
STATE = "$('status').firstChild.textContent"
STALE = "document.body.classList.contains('stale')"


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
        # The figures and the banner have one word for it.
        await tab.until(f"{BANNER}.startsWith('stopped; ') && {STALE} && {STATE} === 'stopped'")
        await tab.until("document.getElementById('log').textContent.includes('stopped; ')")
        await dispatch.execute("save on", "test")
        await dispatch.execute("start", "test")
        await tab.until(f"{BANNER} === '' && !{STALE} && {STATE} === 'running'")
        logging.getLogger("recorder.test").warning("lost 5 frames")
        told = "[...document.querySelectorAll('#log .refused')].map((line) => line.textContent)"
        await tab.until(f"{told}.some((text) => text.endsWith('lost 5 frames'))")
        # The recorder goes away, without a word.
        await tab.evaluate("socket.onmessage = null")
        await tab.until(f"{BANNER}.startsWith('no word from the recorder') && {STALE}")
        await tab.evaluate("socket.close()")
        await tab.until(f"{BANNER}.startsWith('no connection to the recorder')")
        await tab.until(f"{BANNER} === '' && !{STALE}")
        # What others do is told with their names, once; what is only asked for is not.
        await dispatch.execute("mark light", "remote")
        await dispatch.execute("exposure 4ms", "console")
        await dispatch.execute("status", "console")
        await dispatch.execute("exposre 4ms", "console")
        told = "[...document.querySelectorAll('#log div')].map((line) => line.textContent.slice(9))"
        await tab.until(f"{told}.some((line) => line.startsWith('console: exposre 4ms: '))")
        shown = await tab.evaluate(told)
        assert sum(line.startswith("remote: mark light on frame") for line in shown) == 1
        assert sum(line.startswith("console: exposure 4ms from frame") for line in shown) == 1
        assert not any("status" in line for line in shown)
        # Marks are drawn on the charts, also on a page that comes late.
        await tab.until("state.marks.map(([, label]) => label).join() === 'page1,page2,page3,light'")
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.marks.length === 4 && state.marks[3][0] > state.history[0][0]")
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
        await tab.drag((x0, y1), (x1, y1 + 80))
        await tab.until("traces.get('r1')?.points.length > 3")

        # Two fingers that go apart make the picture larger.
        for kind, apart in (("Start", 20), ("Move", 40), ("Move", 80)):
            await tab.touch(kind, (x0 - apart, y1), (x0 + apart, y1))
        await tab.touch("End")
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
        await tab.until("$('log').textContent.includes('mark licks left side on frame')")
        await tab.until("document.querySelector('#labels button')?.textContent === 'licks'")
        await tab.evaluate("document.querySelector('#labels button').click()")
        await tab.until("state.status.marks === 2")
        await tab.evaluate("$('next').click()")
        await tab.until("state.status.saving.startsWith('x_')")
        # What ends something is asked for once more.
        await tab.evaluate("$('save').click(), $('no').click()")
        await tab.evaluate("$('save').click()")
        assert session.saving
        await tab.evaluate("$('yes').click()")
        await tab.until("state.status.saving === '' && $('save').textContent === 'save on'")
        await tab.evaluate("$('save').click()")
        await tab.until("state.status.saving !== '' && $('save').textContent === 'save off'")
        await tab.evaluate("$('stop').click(), $('yes').click()")
        await tab.until("state.status.state === 'closed' && $('stop').disabled")
        await tab.evaluate("$('start').click()")
        await tab.until("state.status.state === 'running'")
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["text"] for row in file["entry/marks"]] == [b"left side", b""]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 1200), (390, 844)])
async def test_the_page_fits_its_screen(tmp_path: Path, program: str, width: int, height: int) -> None:
    async with recording(tmp_path) as (_, address), browser(program, tmp_path / "profile") as tab:
        await tab.become(width, height, touched=True)
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number")
        assert await tab.evaluate("document.documentElement.scrollWidth") == width
        # The picture, and what is needed in a hurry, are on the first screen.
        for name in ("picture", "stop", "save", "mark"):
            low = await tab.evaluate(f"$('{name}').getBoundingClientRect().bottom")
            assert 0 < low <= height, name
