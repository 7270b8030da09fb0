"""The log of the preview page, and the keys that answer its questions, in a real browser."""

import sys
from pathlib import Path

import pytest

from tests.system.browser import browser
from tests.system.displays import TOKEN, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

# How far above its last line the log stands, once the browser has laid out and drawn what was done to it.
ABOVE_END = """new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() =>
    done($('log').scrollHeight - $('log').clientHeight - $('log').scrollTop), 50))))"""


async def test_the_log_follows_until_its_reader_scrolls_up(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (_, address), browser(program, tmp_path / "profile") as tab:
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.status.rate")
        await tab.evaluate("for (let i = 0; i < 60; i++) log(`line ${i}`)")
        assert await tab.evaluate(ABOVE_END) <= 1
        # What layout does to it is no reader's will: a height that changes, alone, and with a line before it.
        for change in (
            "$('log').style.flex = '0 0 50px'",
            "log('a line'), $('log').style.flex = '0 0 30px', log('more')",
            "$('log').style.flex = ''",
            "log('a line'), $('log').style.fontSize = '20px'",
            "$('log').style.fontSize = '', log('a line')",
        ):
            await tab.evaluate(change)
            assert await tab.evaluate(ABOVE_END) <= 1, change
            await tab.evaluate("log('another line')")
            assert await tab.evaluate(ABOVE_END) <= 1, change
        x, y = await tab.evaluate(
            "(() => { const { left, top, height } = $('log').getBoundingClientRect();"
            "return [left + 50, top + height / 2]; })()"
        )

        async def turn(wheel: int) -> None:
            await tab.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=wheel)

        await turn(-200)
        await tab.until("!follows")
        before = await tab.evaluate("$('log').scrollTop")
        await tab.evaluate("log('another line'), $('log').style.flex = '0 0 60px'")
        await tab.evaluate(ABOVE_END)
        assert await tab.evaluate("$('log').scrollTop") == before
        await turn(5000)
        await tab.until("follows")
        # By the keyboard.
        await tab.evaluate("$('log').focus()")
        await tab.press("PageUp")
        await tab.until("!follows")
        await tab.press("End")
        await tab.until("follows")
        await tab.evaluate("log('the last line')")
        assert await tab.evaluate(ABOVE_END) <= 1


async def test_a_key_that_answers_is_no_letter_in_a_box(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:

        async def hold(key: str, text: str) -> None:
            """Have a key that is down already come twice more."""
            for _ in range(2):
                await tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, autoRepeat=True)

        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && !$('exposure').disabled")
        await tab.press("e", *"20s", "Enter")
        await tab.until("$('ask').open")
        # The Enter that asked is held down: it answers nothing. The answer is held down: it is typed nowhere.
        await hold("Enter", "\r")
        assert await tab.evaluate("$('ask').open")
        await tab.press("n")
        await hold("n", "n")
        await tab.until("!$('ask').open && $('log').textContent.includes('> n')")
        assert await tab.evaluate("[document.activeElement.id, $('exposure').value]") == ["exposure", "20s"]
        await tab.press("n")
        assert await tab.evaluate("$('exposure').value") == "20sn"

        await tab.press("Escape", "/", *"quit", "Enter")
        await tab.until("$('ask').open")
        await tab.press("n")
        await tab.until("!$('ask').open")
        assert await tab.evaluate("[document.activeElement.id, $('command').value]") == ["command", ""]
        # Enter on the button that says no ends the question, and begins nothing in the box.
        await tab.press(*"quit", "Enter")
        await tab.until("$('ask').open")
        await tab.press("Enter")
        await hold("Enter", "\r")
        await tab.until("!$('ask').open")
        assert not dispatch.session.leaving.is_set()
