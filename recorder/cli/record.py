"""One session from its settings to its summary: what `run` and `replay` share."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from recorder import assembly
from recorder.cli import profiling
from recorder.control.dispatcher import Dispatcher
from recorder.errors import RecorderError, UsageError
from recorder.frontends import headless
from recorder.frontends.printing import print_error, print_json
from recorder.frontends.session_context import session_context, with_journal
from recorder.frontends.terminal import (
    SafeConsole,
    log_to,
    print_summary,
    reserve_output,
    reserve_stdout,
)
from recorder.session.status import Summary
from recorder.settings.model import Settings


def record(
    settings: Settings,
    script: Callable[[Dispatcher], Awaitable[None]] | None,
    dry_run: bool,
    as_json: bool,
    profile: Path | None,
    is_headless: bool,
) -> int:
    """Run a session to its end, print its summary, and return the exit code; runs the event loop meanwhile.

    `script` gives lines to the session's dispatcher once its first run has begun. Raises RecorderError where
    nothing was recorded, UsageError before anything was touched.
    """
    if as_json:
        reserve_stdout()
    if settings.camera.kind == "pco":
        reserve_output()
    console = SafeConsole(stderr=True)
    log_to(console)

    async def whole_session() -> Summary:
        session = assembly.build_session(settings, dry_run=dry_run)
        async with session_context(session, attended=not is_headless) as dispatch:
            give_lines = partial(script, dispatch) if script else None
            try:
                if is_headless:
                    await headless.run(session, console, give_lines)
                else:
                    with headless.handle_signals(session):
                        # Imported only for those at a prompt: it takes a fifth of a second.
                        from recorder.frontends import repl  # noqa: PLC0415

                        await repl.run(session, dispatch, give_lines, on_stderr=as_json)
            finally:
                # Whatever ended it: files are closed in order.
                summary = await session.close()
            return with_journal(summary, dispatch)

    with profiling.profiled(profile):
        try:
            summary = asyncio.run(whole_session())
        except UsageError:
            raise
        except RecorderError as error:
            if as_json:
                print_json(Summary.of_nothing(str(error)).for_json())
            raise
    if as_json:
        if summary.verdict == "failed":
            print_error(summary.cause, is_failure=True)
        print_json(summary.for_json())
    else:
        print_summary(summary)
    return summary.exit_code
