"""The page over all cameras in a browser, from the first picture to a camera that is killed."""

import os
import signal
import sys
from pathlib import Path

import pytest

from recorder.units import parse_seconds
from tests.system.browser import browser
from tests.system.test_page_access import at_all_sizes
from tests.system.test_remote import free_port
from tests.system.test_rig import RIG, Running, frames, until

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

IN_FRAME = "document.querySelector('#camera-{name} iframe').contentDocument"


async def test_all_cameras_are_seen_and_led_by_one_page(tmp_path: Path, program: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    keys = f'web = "{address}"\ntoken = "open-sesame"\n'
    password = 'settings.preview.token = "s3same"\n'
    (tmp_path / "rig.toml").write_text(RIG.replace("[rig]\n", f"[rig]\n{keys}") + password)
    rig = Running(tmp_path, "--duration", "10min")
    try:
        rig.until_it_records("left", "right")
        for name in ("left", "right"):
            assert b"s3same" not in Path(f"/proc/{rig.process_of(name)}/cmdline").read_bytes()
        async with browser(program, tmp_path / "profile") as tab:
            await tab.become(1280, 800)
            await tab.open(f"http://{address}/?token=open-sesame")
            await tab.until("document.querySelectorAll('.camera iframe').length == 2")
            # As its user does: a line for all, a line for one, a mark by its key.
            await tab.evaluate("run('preview on')")
            for name in ("left", "right"):
                inside = IN_FRAME.format(name=name)
                await tab.until(f"{inside}.getElementById('readout').textContent.includes('counter')")
                assert not await tab.evaluate(f"{inside}.getElementById('talk').checkVisibility()")
            await tab.press("/")
            await tab.type("left: exposure 2ms")
            await tab.press("Enter", "Escape", "m")
            await tab.until("$('log').textContent.includes('mark rig1')")
            assert "right: exposure" not in await tab.evaluate("$('log').textContent")
            exposure = await tab.until("state.status.cameras.left.live.exposure == '2ms' && '2ms'")
            assert parse_seconds(exposure) == 0.002
            assert await tab.evaluate("state.status.cameras.right.live.exposure") != "2ms"
            await at_all_sizes(tab, "running")
            await tab.become(1280, 800)
            # One that crashes is named, with what to do; the other is led on.
            os.kill(rig.process_of("right"), signal.SIGKILL)
            await tab.until("$('log').textContent.includes('recorder recover')")
            await tab.until("document.querySelectorAll('.camera iframe').length == 1")
            assert "SIGKILL" in await tab.evaluate("$('camera-right').textContent")
            await tab.until("Boolean(document.querySelector('#status .alarm'))")
            await at_all_sizes(tab, "one killed")
            before = frames(tmp_path / "x_left.h5")
            until(lambda: frames(tmp_path / "x_left.h5") > before + 20)
            await tab.evaluate("actions.quit()")
            await tab.until("$('ask').open && $('question').textContent.includes('left is being saved')")
            await tab.press("y")
            await tab.until("document.body.classList.contains('disconnected')")
        code, told, _ = rig.finish()
    finally:
        rig.run.kill()
        rig.run.communicate()
    assert (code, told["verdict"]) == (1, "failed")
    assert told["cameras"]["left"]["lost"] == 0
    assert told["cameras"]["left"]["marks"] == 1
    for path in tmp_path.glob("x*"):
        assert not {word for word in (b"s3same", b"open-sesame") if word in path.read_bytes()}, path
