"""What of the preview page is in sight on screens of several sizes, with all that can be shown at once."""

import sys
from pathlib import Path

import pytest

from tests.system.browser import Tab, browser
from tests.system.displays import TOKEN, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

# Boxes whose placeholder is wider than what they show of it.
CUT = """[...document.querySelectorAll("[placeholder]")].filter((it) => it.checkVisibility()).filter((it) => {
    const pen = document.createElement("canvas").getContext("2d"), style = getComputedStyle(it);
    pen.font = style.font;
    const room = it.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return pen.measureText(it.placeholder).width > room;
}).map((it) => it.placeholder)"""

# How many lines of its letters the log shows.
LINES = "$('log').clientHeight / parseFloat(getComputedStyle($('log')).lineHeight)"

# Where the rows of the list of regions are, when they have these means.
ROWS = """((...means) => {
    const regions = state.head.regions.map((region, i) => ({ ...region, mean: means[i] }));
    showRegions({ ...state.head, regions });
    return [...$("regions").children].map((row) => row.getBoundingClientRect().top);
})"""


async def become(tab: Tab, width: int, height: int, *, touched: bool = False) -> None:
    await tab.become(width, height, touched=touched)
    # Until the page has drawn itself anew.
    await tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_all_at_once_is_in_sight(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        for line in (
            "region eye 100 100 200 200",
            "region whiskers 300 120 420 240",
            "region paw 250 300 400 420",
        ):
            await dispatch.execute(line, "test")
        for line in ("mark licks", "mark trial1", "baseline 0.3s"):
            await dispatch.execute(line, "test")
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.regions.length === 3")
        await dispatch.execute("preview mode dff", "test")
        await tab.until(
            "state.head.mode === 'dff' && $('against').textContent && $('labels').childElementCount === 2"
        )
        # A column that fits has no scroll bar, and the command line is below it on any screen.
        for width, height in ((1280, 800), (1280, 600)):
            await become(tab, width, height)
            for name in ("command", "quit"):
                assert await tab.evaluate(f"$('{name}').getBoundingClientRect().bottom") <= height, (
                    name,
                    height,
                )
            assert await tab.evaluate(LINES) >= 5, height
            assert await tab.evaluate("$('controls').scrollHeight === $('controls').clientHeight"), height
        await become(tab, 1280, 800)
        assert await tab.evaluate("$('tools').scrollHeight === $('tools').clientHeight")
        for width, height in ((1280, 800), (800, 1200), (390, 844)):
            await become(tab, width, height, touched=width < 1000)
            assert await tab.evaluate(CUT) == [], width
            # A row for each region, where it stays whatever its figure.
            rows = await tab.evaluate(f"{ROWS}(0.5, -1.25, 3)")
            assert len(set(rows)) == 3, width
            assert await tab.evaluate(f"{ROWS}(-123.456, null, 0)") == rows, width
        figures = "[...document.querySelectorAll('#regions .mean')].map((it) => it.textContent)"
        assert await tab.evaluate(f"{ROWS}(0.5, -1, 3), {figures}") == ["0.50 %", "-1.00 %", "3.00 %"]
        # On a telephone a banner has several lines: none of its buttons is under it.
        await dispatch.execute("save off", "test")
        await tab.until("$('banner').textContent.startsWith('not saving')")
        low = await tab.evaluate("$('banner').getBoundingClientRect().bottom")
        assert await tab.evaluate("$('nearer').getBoundingClientRect().top") >= low
