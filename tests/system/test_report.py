"""A report as its readers see it: in Chromium, wide, narrow and on paper, and by an accessibility checker."""

import re
import sys
from pathlib import Path

import pytest

from tests.system.browser import browser
from tests.system.conftest import LITTLE_MEMORY, Recorder
from tests.system.test_page_access import SIZES, violations

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


async def test_a_report_is_read_by_everybody(recorder: Recorder, tmp_path: Path, program: str) -> None:
    (tmp_path / "s.txt").write_text(
        "mark trial1 left eye\nstatus\nmeta operator Zoë\nexposure 2ms\nwait 300ms\nmark trial2\nquit\n"
    )
    done = recorder(
        *("run", "--headless", *LITTLE_MEMORY, "--script", "s.txt", "--output", "mouse.h5"),
        *("--set", 'camera.faults=[{kind="drop", at=10, count=2}]'),
        *("--set", "analysis.regions=true", "--set", "preview.regions.eye=[10, 10, 60, 60]"),
    )
    assert done.code == 3
    done = recorder("report", "mouse.h5", "--png", "mouse.png")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("mouse.report.html: ")
    async with browser(program, tmp_path / "profile") as tab:
        await tab.call("Network.enable")
        await tab.open((tmp_path / "mouse.report.html").as_uri())
        await tab.until("document.readyState === 'complete'")
        for width, height in SIZES:
            await tab.become(width, height, touched=width < 1000)
            assert await violations(tab) == [], width
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width
        # All pictures are there; on a narrow page a figure of its own, whose text has the page's size.
        natural = "[...document.images].map(({ complete, naturalWidth }) => complete ? naturalWidth : 0)"
        sizes = await tab.evaluate(natural)
        assert len(sizes) == 8
        assert all(sizes)
        narrow = await tab.evaluate("document.querySelector('picture img').naturalWidth")
        await tab.become(1280, 800)
        await tab.until("document.querySelector('picture img').complete")
        wide = await tab.evaluate("document.querySelector('picture img').naturalWidth")
        assert narrow < 400 < 1000 < wide
        # Nothing was asked for but the page itself.
        loaded = "performance.getEntriesByType('resource').map(({ name }) => name.slice(0, 5))"
        assert set(await tab.evaluate(loaded)) <= {"data:"}
        text = await tab.evaluate("document.body.textContent")
        for words in ("Frames lost", "trial2", "Zoë", "memory in use", 'kind = "simulated"'):
            assert words in text
        printed = await tab.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        assert len(printed["data"]) > 10_000


def test_one_line_where_there_is_nothing_to_report(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("hello")
    done = recorder("report", "a.h5")
    assert (done.code, done.out) == (2, "")
    says = "not an HDF5 file; expected a file that this recorder wrote"
    assert done.err == f"recorder: {(tmp_path / 'a.h5').resolve()}: {says}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_session_that_was_split_is_one_report(recorder: Recorder) -> None:
    recorder(
        *("run", "--headless", *LITTLE_MEMORY, "--frames", 60, "--output", "x.h5"),
        *("--set", "recording.split=25", "--set", "camera.width=64", "--set", "camera.height=32"),
    )
    done = recorder("report", "x.commands.jsonl")
    assert re.fullmatch(r"\S*x\.report\.html: 60 frames in 3 files, complete\n", done.out)
