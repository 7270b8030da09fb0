"""The console: a prompt under a scrolling log, with a toolbar that shows how the recording goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples

from recorder.control.command_types import CommandResult, Conversation
from recorder.control.completion import complete
from recorder.control.dispatcher import Dispatcher, log_unseen
from recorder.frontends.above_prompt import text_columns
from recorder.frontends.console_text import ConsoleAnswers, table_text, welcome
from recorder.frontends.inline_preview import InlinePreview
from recorder.frontends.live_status import live_status
from recorder.frontends.prompt import REFRESH_S, asking, at_terminal, make_prompt
from recorder.frontends.rate_meter import RateMeter
from recorder.frontends.toolbar import toolbar
from recorder.session.session import Session
from recorder.session.status import FinishReason, Summary


async def run(
    session: Session, dispatch: Dispatcher, script: Callable[[], Awaitable[None]] | None, *, on_stderr: bool
) -> None:
    """Begin a run and take commands until the session is left or its run ends by itself.

    A `script` is carried out beside what is typed. `on_stderr`: the prompt is on standard error. The caller
    closes the session.
    """
    recent = RateMeter()
    last: StyleAndTextTuples = []

    def shown() -> StyleAndTextTuples:
        app = get_app()
        columns, text = app.output.get_size().columns, app.current_buffer.text
        if not here.is_stalled:
            camera, picture = session.settings.camera.kind, session.preview.latest
            last[:] = toolbar(live_status(session, recent), picture, columns, text, camera)
        return [*last]

    prompt = make_prompt(lambda text: complete(text, session), shown, on_stderr=on_stderr)
    here = InlinePreview(session, prompt)
    # Answers and logged lines go where the prompt is.
    with at_terminal(prompt) as above:
        logging.basicConfig(level=logging.INFO, handlers=[above], force=True)
        answers = ConsoleAnswers(above.show, text_columns)
        dispatch.on_answer = answers.on_answer
        dispatch.displays.here = here

        async def show_end(summary: Summary) -> None:
            # What ends the session too is told when the console is gone.
            if _stays_open(session, summary) and not answers.is_left:
                answers.show_end(summary)

        session.on_end.append(show_end)
        typing = asyncio.ensure_future(_take_lines(prompt, session, dispatch))
        ending = asyncio.ensure_future(_ended(session))
        scripting: asyncio.Future[None] | None = None
        try:
            await session.start()
            if text := welcome(session):
                above.show(text)
            if session.preview.on and dispatch.displays.summary:
                above.show(table_text(dispatch.displays.where(), text_columns()))
            scripting = asyncio.ensure_future(script()) if script else None
            await asyncio.wait([typing, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            answers.close()
            session.on_end.remove(show_end)
            dispatch.on_answer = log_unseen
            dispatch.displays.here = None
            await here.close()
            # No prompt stays behind that nobody types at.
            prompt.app.erase_when_done = True
            tasks = [task for task in (typing, ending, scripting) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _ended(session: Session) -> None:
    """Return once the session is left, or a run has ended in a way that ends the console too."""
    while not session.leaving.is_set():
        summary = await session.stopped() if session.runs else None
        if summary is not None and not _stays_open(session, summary):
            return
        try:
            async with asyncio.timeout(REFRESH_S):
                await session.leaving.wait()
        except TimeoutError:
            pass


def _stays_open(session: Session, summary: Summary) -> bool:
    """Return whether the prompt stays after this run: a stop, a full camera memory, a start that failed."""
    settings = session.settings
    if summary.reason is FinishReason.LIMIT:
        into_memory = getattr(settings.camera, "memory", "fifo") != "fifo"
        return into_memory and settings.recording.frames is None and settings.recording.duration is None
    failed_to_start = session.runs > 1 and summary.reason is None
    return summary.reason is FinishReason.STOPPED or failed_to_start


async def _take_lines(prompt: PromptSession[str], session: Session, dispatch: Dispatcher) -> None:
    """Carry out what is typed, each line in a task of its own, so that a slow one does not delay the next."""
    tasks: set[asyncio.Task[CommandResult | None]] = set()
    conversation = Conversation("console")

    while not session.leaving.is_set():
        try:
            line = await prompt.prompt_async(asking(conversation), handle_sigint=False)
        except KeyboardInterrupt:
            conversation.ask("", "")
            continue
        except EOFError:
            line = "quit"
        task = asyncio.create_task(dispatch.converse(line, conversation))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
