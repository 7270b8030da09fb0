"""`recorder run --piped`: one camera of a rig, led by lines on standard input."""

import asyncio

from recorder import assembly
from recorder.frontends import headless, piped
from recorder.frontends.session_context import session_context
from recorder.frontends.session_displays import Leader
from recorder.frontends.terminal import reserve_output, reserve_stdout
from recorder.session.status import Summary
from recorder.settings.model import Settings


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
