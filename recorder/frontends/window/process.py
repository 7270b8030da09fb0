"""Run the preview window in a process of its own: where it hangs or dies, nothing else is affected."""

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

from recorder.frontends.display_connection import DisplayConnection, SessionAccess
from recorder.settings.model import PreviewSettings

log = logging.getLogger(__name__)

# Where no picture comes for so long, the figures are sent without one.
STATUS_S = 1.0

# How long the window may take to close by itself.
CLOSE_S = 1.0


def why_no_window(settings: PreviewSettings, *, attended: bool) -> str:
    """Return why no window can or shall be opened here, "" where it can; `attended`: somebody sits here."""
    if settings.window is False:
        return "preview.window = false"
    if settings.window == "auto" and not attended:
        return "nobody sits at this computer"
    if sys.platform not in {"win32", "darwin"} and not os.environ.get("DISPLAY"):
        return "there is no display (DISPLAY is not set)"
    if importlib.util.find_spec("tkinter") is None:
        return "this Python comes without tkinter (Debian and Ubuntu: apt install python3-tk)"
    return ""


@contextlib.asynccontextmanager
async def open_window(access: SessionAccess) -> AsyncIterator[None]:
    """Show a window whenever preview is on, during `with`; where it fails, preview is off, as is logged."""
    showing = asyncio.ensure_future(_keep_showing(access))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _keep_showing(access: SessionAccess) -> None:
    """Open the window each time the preview is switched on, until cancelled."""
    preview = access.preview
    while True:
        await preview.until_on()
        try:
            reason = await _Window(access).show()
        except Exception as error:
            # No program, a broken pipe, a message that makes no sense: only the window is lost.
            reason = f"{type(error).__name__}: {error}"
        if preview.on:
            preview.switch(False)
            if reason:
                log.warning("window: %s; preview is off, the recording goes on", reason)
            else:
                log.info("the window was closed, preview is off")


class _Window:
    """One life of the window's process."""

    def __init__(self, access: SessionAccess) -> None:
        self._access, self._preview = access, access.preview
        self._display = DisplayConnection(access, "window", _show_nothing)
        self._was_closed = False

    async def show(self) -> str:
        """Run the process until it ends; return what went wrong, "" where the operator closed it."""
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        # A Ctrl-C at the console is not meant for the window.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "recorder.frontends.window.app"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **own_group,
        )
        feeding = asyncio.ensure_future(self._feed(process))
        reading_errors = asyncio.ensure_future(_last_line(process))
        try:
            await self._listen(process)
            code = await process.wait()
            last_error = await reading_errors
            return "" if self._was_closed else last_error or f"its process ended with {code}"
        finally:
            for task in (feeding, reading_errors):
                task.cancel()
            await _end(process)
            await asyncio.gather(feeding, reading_errors, return_exceptions=True)
            await self._display.close()

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        """Send a picture whenever the window has drawn the last; hide the window while preview is off."""
        if process.stdin is None:
            raise AssertionError("a process with a pipe has it")
        while True:
            if not self._preview.on:
                await _send(process.stdin, {"shown": False})
                await self._preview.until_on()
                await _send(process.stdin, {"shown": True})
            await self._display.ready()
            try:
                async with asyncio.timeout(STATUS_S):
                    message = await self._display.picture()
            except TimeoutError:
                await _send(process.stdin, {"status": self._access.status()})
                continue
            await _send(process.stdin, {"status": self._access.status(), "picture": len(message)}, message)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Carry out the window's messages until it ends."""
        if process.stdout is None:
            raise AssertionError("a process with a pipe has it")
        while line := await process.stdout.readline():
            message = json.loads(line)
            await self._display.receive(message)
            if message.get("closed"):
                self._was_closed = True


async def _show_nothing(result: dict[str, Any]) -> None:
    """Leave an answer to the console or the log, which have it already."""


async def _send(pipe: asyncio.StreamWriter, head: dict[str, Any], body: bytes = b"") -> None:
    text = json.dumps(head).encode()
    pipe.write(b"".join((struct.pack("<I", len(text)), text, body)))
    await pipe.drain()


async def _last_line(process: asyncio.subprocess.Process) -> str:
    """Return the last line that the process wrote on standard error."""
    last = ""
    if process.stderr is not None:
        async for line in process.stderr:
            last = line.decode(errors="replace").strip() or last
    return last


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process: ask it to close, then kill it."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
