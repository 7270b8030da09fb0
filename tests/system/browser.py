"""A headless Chromium, driven through its own debugging protocol."""

import asyncio
import base64
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "PageUp": 33,
    "PageDown": 34,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, pid: int) -> None:
        self._socket, self.pid = socket, pid
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=20)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    async def open(self, address: str) -> None:
        await self.call("Page.enable")
        await self.call("Page.navigate", url=address)

    async def evaluate(self, script: str) -> Any:
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def until(self, script: str, seconds: float = 15) -> Any:
        """Wait until the script gives something true, and return it."""
        deadline = asyncio.get_running_loop().time() + seconds
        # Also while the page is not there yet.
        script = f"(() => {{ try {{ return {script}; }} catch {{ return null; }} }})()"
        while not (value := await self.evaluate(script)):
            assert asyncio.get_running_loop().time() < deadline, f"never true: {script}"
            await asyncio.sleep(0.1)
        return value

    async def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, **more)

    async def type(self, text: str) -> None:
        for key in text:
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=key)
            await self.call("Input.dispatchKeyEvent", type="keyUp")

    async def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys one after the other: a character, or a name of KEYS."""
        for key in keys:
            about = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, 0), "modifiers": 8 * shift}
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    async def tab_to(self, name: str) -> None:
        """Press Tab until the element with this id has the focus."""
        for _ in range(60):
            if await self.evaluate("document.activeElement.id") == name:
                return
            await self.press("Tab")
        raise AssertionError(f"Tab never leads to {name}")

    async def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Touch the page: Start, Move, or End without points."""
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        await self.call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=places)

    async def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw one finger over the page."""
        await self.touch("Start", begin)
        await self.touch("Move", end)
        # A finger that is torn away flings, and the touch after that only ends the flight.
        await asyncio.sleep(0.1)
        await self.touch("End")

    async def tap(self, selector: str) -> None:
        """Touch the middle of an element, scrolled to where it is seen."""
        x, y = await self.evaluate(
            f"(() => {{ const it = document.querySelector('{selector}'); it.scrollIntoView();"
            "const { left, top, width, height } = it.getBoundingClientRect();"
            "return [left + width / 2, top + height / 2]; })()"
        )
        await self.touch("Start", (x, y))
        await self.touch("End")

    async def become(self, width: int, height: int, *, touched: bool = False) -> None:
        """Have the page shown on a screen of this size."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touched,
        )
        await self.call("Emulation.setTouchEmulationEnabled", enabled=touched)

    async def screenshot(self, path: Path) -> None:
        done = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(done["data"]))


@contextlib.asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Tab]:
    """Open a browser with an empty page."""
    process = await asyncio.create_subprocess_exec(
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        "--remote-allow-origins=*", "--window-size=1280,800", f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        address = ""
        async with asyncio.timeout(30):
            while not address:
                line = (await process.stderr.readline()).decode()
                if found := re.search(r"ws://([\d.:]+)/", line):
                    address = found[1]
        drain = asyncio.ensure_future(process.stderr.read())
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json") as answer:
                pages = json.loads(await answer.text())
            page = next(page for page in pages if page["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket, process.pid)
        drain.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
