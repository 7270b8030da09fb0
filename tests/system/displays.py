"""A simulated camera that is recorded with displays, for the tests of page and window."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from recorder.assembly import build_session
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.session_context import session_context
from recorder.session.session import Session
from recorder.settings.model import validate
from tests.system.test_remote import free_port

TOKEN = "open-sesame"


@contextlib.asynccontextmanager
async def recording(folder: Path, **preview: Any) -> AsyncIterator[tuple[Dispatcher, str]]:
    """Record a simulated camera with displays, and see that no frame was lost and nothing left behind."""
    port = free_port()
    tree = {
        "recording": {"output": str(folder / "x.h5")},
        "camera": {"width": 640, "height": 540, "fifo": 300},
        "pool": {"memory": "400MB"},
        "preview": {"on": True, "web": f"127.0.0.1:{port}", "token": TOKEN, "window": False, **preview},
    }
    before = set(threading.enumerate())
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session, attended=True) as dispatch:
        await session.start()
        yield dispatch, f"http://127.0.0.1:{port}/"
        summary = await session.close()
    assert (summary.verdict, summary.lost) == ("complete", 0)
    # The loop's own end with it; the journal's end by themselves, soon.
    async with asyncio.timeout(5):
        while {t.name.rpartition("_")[0] for t in set(threading.enumerate()) - before} - {"asyncio"}:
            await asyncio.sleep(0.01)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def frames(session: Session) -> int:
    figures = session.statistics()
    assert figures is not None
    return figures.frames


async def goes_on(session: Session) -> None:
    """See that frames go on being written, however long the disk takes about others'."""
    before = frames(session)
    async with asyncio.timeout(15):
        while frames(session) <= before + 20:
            await asyncio.sleep(0.05)
