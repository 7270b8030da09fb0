"""`recorder run --piped`: one camera of a rig, led by lines on standard input."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from recorder import assembly
from recorder.cli.options import load_settings
from recorder.frontends import headless, piped
from recorder.frontends.rig.camera_process import PASSWORDS
from recorder.frontends.session_context import session_context
from recorder.frontends.session_displays import Leader
from recorder.frontends.terminal import reserve_output, reserve_stdout
from recorder.session.status import Summary
from recorder.settings.model import Settings


def load_led(config: Path | None, overrides: Sequence[str]) -> Settings:
    """Load the settings of a session that another program leads; passwords come by the environment."""
    passwords = json.loads(os.environ.pop(PASSWORDS, "[]"))
    return load_settings(config, (*overrides, *passwords), {})


def record_piped(settings: Settings, name: str, *, attended: bool, page_of_rig: bool) -> int:
    """Run the session of camera `name` that another program leads, to its end; return the exit code.

    `attended`: somebody sits at this computer; `page_of_rig`: that program shows the page within its own.
    Raises RecorderError where there is no session at all.
    """
    leader: Leader = "shows the page" if page_of_rig else "tells of the page"
    if settings.camera.kind == "pco":
        reserve_output()
    reserve_stdout()

    async def whole_session() -> Summary:
        with piped.logged() as output:
            session = assembly.build_session(settings, dry_run=False)
            session.name = name
            async with session_context(session, attended=attended, leader=leader) as dispatch:
                with headless.handle_signals(session):
                    return await piped.run(session, dispatch, output)

    return asyncio.run(whole_session()).exit_code
