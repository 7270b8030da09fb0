"""Everything around a session: its journal, dispatcher, remote control server and displays."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

# Registers the commands.
from recorder.control import commands as _commands  # noqa: F401
from recorder.control import view_commands as _view_commands  # noqa: F401
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import Journal
from recorder.control.kept_regions import restore_regions
from recorder.errors import UsageError
from recorder.frontends.remote_server import serve_remote
from recorder.frontends.session_displays import Leader, open_displays
from recorder.session.session import Session
from recorder.session.status import Summary
from recorder.storage.layout import JOURNAL_SUFFIX


@contextlib.asynccontextmanager
async def session_context(
    session: Session, *, attended: bool = False, leader: Leader = "none"
) -> AsyncIterator[Dispatcher]:
    """Open the session's journal, remote control server and displays during `with`; yield its dispatcher.

    The journal stands beside the session's first file, and is removed at the end where the session made no
    file. `attended`: somebody sits at this computer; `leader`: whether another program leads the session.
    The caller starts and closes the session. Raises UsageError for an address or a name that cannot be
    used, StorageError where the journal cannot be made.
    """
    async with contextlib.AsyncExitStack() as stack:
        restore_regions(session)
        journal = await _open_journal(session, stack)

        async def note_end(summary: Summary) -> None:
            last = session.run.timeline.last if session.run else None
            await journal.end(session.runs, last.number if last else 0, summary.verdict)

        async def note_next_file(path: Path) -> None:
            await journal.go_on_in(path, session.runs)

        dispatch = Dispatcher(session, journal)
        session.on_end.append(note_end)
        session.on_next_file.append(note_next_file)
        session.observers.on_trigger = dispatch.capture
        session.on_remark = lambda text: dispatch.execute_soon(f"note {text}", "camera")
        try:
            async with (
                serve_remote(session.settings.remote, dispatch),
                open_displays(dispatch, attended=attended, leader=leader),
            ):
                yield dispatch
        finally:
            await dispatch.close()
            if not session.files.has_made_one:
                await journal.discard()


async def _open_journal(session: Session, stack: contextlib.AsyncExitStack) -> Journal:
    """Open the journal; where another recorder took the name this second, take the next one."""
    while True:
        path = session.path.with_suffix(JOURNAL_SUFFIX) if session.path else None
        try:
            return await stack.enter_async_context(Journal(path, session.settings))
        except UsageError:
            if path is None or not session.take_another_path():
                raise


def with_journal(summary: Summary, dispatch: Dispatcher) -> Summary:
    """Return the summary with the journal's path in it."""
    return replace(summary, journal=dispatch.journal.path)
