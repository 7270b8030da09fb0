"""The pictures of the README, made from the program as it is.

python -m tests.pictures [FOLDER]

A session at a console in a pseudo-terminal, and its page in Chromium: console.png and page.jpg in FOLDER
(notes/pictures unless given).
"""

import argparse
import asyncio
import base64
import html
import re
import tempfile
from pathlib import Path

import pyte

from tests.system.browser import Tab, browser, chromium
from tests.system.screen import Screen

FOLDER = Path(__file__).parents[1] / "notes/pictures"

COLUMNS, LINES = 100, 24
PAGE_SIZE = (1280, 800)


# What is typed, and what is shown before the next line.
SESSION = (
    ("region eye 280 200 340 260", "region eye"),
    ("preview on", "preview on"),
    ("mark trial1 left eye", "mark"),
    ("exposure 8ms", "exposure"),
    ("save new second", "second.h5"),
    ("mark trial2", "mark"),
    ("marks", "trial2"),
)

# What xterm shows for the names of colours that pyte knows.
COLOURS = {
    "default": "#d8d8d8", "black": "#000000", "red": "#f06060", "green": "#7ad67a", "brown": "#e0c060",
    "blue": "#6a9fe8", "magenta": "#d080d0", "cyan": "#60c8c8", "white": "#d8d8d8",
    "brightblack": "#808080", "brightred": "#ff8080", "brightgreen": "#9cf09c", "brightbrown": "#ffe080",
    "brightblue": "#90bcff", "brightmagenta": "#f0a0f0", "brightcyan": "#90f0f0", "brightwhite": "#ffffff",
}  # fmt: skip


def colour(name: str) -> str:
    """Return a colour of pyte's as CSS writes it."""
    return COLOURS.get(name) or f"#{name}"


def as_html(screen: pyte.Screen) -> str:
    """Return what a terminal shows as a page."""
    lines = []
    for number in range(screen.lines):
        cells = []
        for column in range(screen.columns):
            cell = screen.buffer[number][column]
            front, back = colour(cell.fg), "#181818" if cell.bg == "default" else colour(cell.bg)
            if cell.reverse:
                front, back = back, front
            weight = ";font-weight:bold" if cell.bold else ""
            style = f"color:{front};background:{back}{weight}"
            cells.append(f'<span style="{style}">{html.escape(cell.data)}</span>')
        lines.append("".join(cells))
    text = "\n".join(lines)
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#181818"><pre style="display:'
        f'inline-block;margin:0;padding:10px;font:14px/17px DejaVu Sans Mono,monospace">{text}</pre>'
    )


async def picture_of(tab: Tab, path: Path, width: int, height: int) -> None:
    """Write what the tab shows, cut to a size; the ending chooses the format."""
    form = {"format": "png"} if path.suffix == ".png" else {"format": "jpeg", "quality": 80}
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    done = await tab.call("Page.captureScreenshot", clip=clip, **form)
    path.write_bytes(base64.b64decode(done["data"]))


async def make(folder: Path) -> None:
    """Make both pictures in a folder that exists."""
    program = chromium()
    if program is None:
        raise SystemExit("there is no Chromium on this computer")
    with tempfile.TemporaryDirectory() as work:
        settings = ("preview.web=127.0.0.1:0", "preview.window=false", "recording.pixel_size=6.5um")
        options = (word for setting in settings for word in ("--set", setting))
        terminal = Screen(Path(work), *options, size=(LINES, COLUMNS))
        try:
            terminal.until("http://")
            address = re.search(r"http://[^\s\x1b]+", terminal.shown)
            assert address is not None
            async with browser(program, Path(work) / "browser") as tab:
                for line, shown in SESSION:
                    terminal.type(line, shown)
                    await asyncio.sleep(0.7)
                    terminal.read()
                await tab.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=PAGE_SIZE[0], height=PAGE_SIZE[1], deviceScaleFactor=1, mobile=False,
                )  # fmt: skip
                await tab.open(address[0])
                # Traces have something to show.
                for _ in range(60):
                    await asyncio.sleep(0.2)
                    terminal.read()
                await picture_of(tab, folder / "page.jpg", *PAGE_SIZE)
                terminal.type("status", "camera")
                terminal.read(0.5)
                page = Path(work) / "console.html"
                page.write_text(as_html(terminal.screen), encoding="utf-8")
                await tab.open(page.as_uri())
                await asyncio.sleep(0.5)
                size = await tab.evaluate(
                    "(() => { const r = document.querySelector('pre')."
                    "getBoundingClientRect(); return [r.width, r.height]; })()"
                )
                await picture_of(tab, folder / "console.png", *size)
        finally:
            terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder: Path = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    asyncio.run(make(folder))


if __name__ == "__main__":
    main()
