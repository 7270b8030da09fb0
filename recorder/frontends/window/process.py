"""Run the preview window: the page in a window of a browser of this computer, while preview is on."""

import asyncio
import contextlib
import html
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from recorder.errors import UsageError
from recorder.frontends.display_connection import PageAddress
from recorder.frontends.window.browsers import arguments, find_browser, readable_folder
from recorder.preview.live import Preview
from recorder.settings.model import PreviewSettings

log = logging.getLogger(__name__)

# Where the page is served for the window alone: any free port, for this computer.
OWN_ADDRESS = "127.0.0.1:0"

# How long the window may take to close by itself.
CLOSE_S = 2.0

# What a browser puts before its messages: process, thread, time, level, place.
_BEFORE_MESSAGE = re.compile(r"^\[[^\]]*\]\s*")

# Serves the page at an address during `with`, and yields where it is found.
Serve = Callable[[str], AbstractAsyncContextManager[PageAddress]]


def has_display() -> bool:
    """Return whether this computer seems to have a display that we may use."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in {"win32", "darwin"} or bool(shown)


def is_window_wanted(setting: bool | Literal["auto"], *, attended: bool) -> bool:
    """Return whether there is to be a window; `attended`: somebody sits at this computer."""
    return attended and has_display() if setting == "auto" else setting


def why_no_window(settings: PreviewSettings, *, attended: bool) -> str:
    """Return why no window can or shall be opened here, "" where it can; `attended`: somebody sits here."""
    if settings.window is False:
        return "preview.window = false"
    if settings.window == "auto" and not attended:
        return "nobody sits at this computer"
    if not has_display():
        return "there is no display (DISPLAY is not set)"
    if find_browser() is None:
        return "there is no Chrome, Chromium or Edge here"
    return ""


@contextlib.asynccontextmanager
async def keep_window(preview: Preview, page: str | None, serve: Serve) -> AsyncIterator[None]:
    """Show the page in a window whenever preview is switched on, during `with`.

    `page` is its address, None where it is not served yet: then `serve` does, for the first window. Where the
    window fails, that is logged and preview is off.
    """
    showing = asyncio.ensure_future(_keep_showing(preview, page, serve))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _keep_showing(preview: Preview, page: str | None, serve: Serve) -> None:
    """Open the window each time the preview is switched on, until cancelled."""
    await preview.until_on()
    async with contextlib.AsyncExitStack() as stack:
        try:
            address = page or (await stack.enter_async_context(serve(OWN_ADDRESS))).here
        except UsageError as error:
            log.warning("no window: %s", error)
            return
        program = find_browser()
        if program is None:
            log.warning("no window: there is no Chrome, Chromium or Edge here; open the page in any browser")
            await asyncio.Event().wait()
            return
        while True:
            await preview.until_on()
            try:
                reason = await show_page(program, address)
            except Exception as error:
                # Whatever goes wrong with it, only the window is lost.
                reason = f"{type(error).__name__}: {error}"
            if preview.on:
                preview.switch(False)
                if reason:
                    log.warning("window: %s; preview is off, the recording goes on", reason)
                else:
                    log.info("the window was closed, preview is off")


async def show_page(program: str, page: str) -> str:
    """Run the browser until it ends; return what went wrong, "" where the operator closed the window."""
    folder = Path(tempfile.mkdtemp(prefix="recorder-window-", dir=readable_folder(program)))
    try:
        # The token stands in a file that is ours alone: all users can read the arguments of a program.
        start = folder / "open.html"
        start.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(page)}">',
            encoding="utf-8",
        )
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        # A Ctrl-C at the console is not meant for the window.
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments(start, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **own_group,
        )
        reading_errors = asyncio.ensure_future(_last_line(process))
        try:
            code = await process.wait()
            if code == 0:
                return ""
            reason = await reading_errors if code > 0 else ""
            return f"{Path(program).name} ended with {code}{reason and f': {reason}'}"
        finally:
            await _end(process)
            reading_errors.cancel()
            await asyncio.gather(reading_errors, return_exceptions=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _last_line(process: asyncio.subprocess.Process) -> str:
    """Return the last line that the process wrote on standard error."""
    last = ""
    if process.stderr is not None:
        async for line in process.stderr:
            last = _BEFORE_MESSAGE.sub("", line.decode(errors="replace").strip()) or last
    return last


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process: ask it to close, then kill it."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(CLOSE_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            # Those that the browser started do not end with one that was stopped.
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
