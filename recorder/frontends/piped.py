"""A session that another program has started and leads, by lines of JSON on standard input and output.

-> {"id": 7, "line": "mark trial3", "source": "console", "conversation": 0, "at_ns": 81234567890123}
<- {"event": "answer", "id": 7, "status": "ok", "message": "mark trial3 on frame 512 (counter 513)", ...}

`at_ns` is when the line was given, by the clock that all programs of a computer have in common
(`time.perf_counter_ns`); without it the line counts as given when it comes. Nothing runs before `start`.
`over` follows an answer once what the line began is over, such as a run that `stop` ends. `{"interrupt":
1}` is Ctrl-C, 2 the second one. Unasked come `page` (its address), `figures` twice a second, and `log`,
`told` (what others did), `file`, `end` of a run, and at last `summary`. Where standard input ends, so does
the session, in order: nobody could end it otherwise.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from recorder.control.command_types import Conversation
from recorder.control.dispatcher import Answer, Dispatcher
from recorder.errors import RecorderError
from recorder.frontends.live_status import live_status
from recorder.frontends.rate_meter import RateMeter
from recorder.frontends.session_context import with_journal
from recorder.frontends.terminal import summary_text
from recorder.frontends.terminal_writer import TerminalWriter
from recorder.session.session import Session
from recorder.session.status import FinishReason, Summary

log = logging.getLogger(__name__)

FIGURES_S = 0.5

# The most that is read at once.
READ_BYTES = 2**16

# The line that the code running now is about.
_line_id: ContextVar[object] = ContextVar("line_id", default=None)


class Output(logging.Handler):
    """Writes lines of JSON on a thread of its own, so that a reader who does not read holds up nobody."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._writer = TerminalWriter(sys.stdout)

    def send(self, event: str, **fields: object) -> None:
        """Have an event written after those before it; from any thread."""
        # All that is no ASCII is escaped.
        self._writer.write(json.dumps({"event": event, **fields}, default=str) + "\n")

    @property
    def is_behind(self) -> bool:
        """Whether what was sent has not been read yet."""
        return self._writer.is_behind

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record of the log."""
        self.send("log", level=record.levelname.lower(), text=record.getMessage())

    def close(self) -> None:
        """Wait a moment until all is written."""
        self._writer.close()
        super().close()


class _Lines:
    """What comes on standard input, line by line; `done` is set at its end. On the event loop's thread."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Windows has no other way to wait for a pipe; reading may never return, and nobody waits for it.
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError, RuntimeError):  # the loop is closed
            while data := os.read(0, READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._loop.call_soon_threadsafe(self.queue.put_nowait, line)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.ended.set)


@contextlib.contextmanager
def logged() -> Iterator[Output]:
    """Have standard output for lines of JSON, the log among them, during `with`."""
    output = Output()
    logging.basicConfig(level=logging.INFO, handlers=[output], force=True)
    try:
        yield output
    finally:
        logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()], force=True)
        output.close()


async def run(session: Session, dispatch: Dispatcher, output: Output) -> Summary:
    """Carry out what comes on standard input until the session is left; close it.

    Sends its summary, and returns it.
    """

    async def send_end(summary: Summary) -> None:
        output.send("end", run=session.runs, running=False, **_fields(summary))

    async def send_file(path: Path) -> None:
        output.send("file", path=str(path))

    lines, recent = _Lines(), RateMeter()
    dispatch.on_answer = lambda answer: _send_answer(output, answer, session)
    session.on_end.append(send_end)
    session.on_next_file.append(send_file)
    taking = asyncio.ensure_future(_take_lines(lines, dispatch, output))
    ended, leaving = asyncio.ensure_future(lines.ended.wait()), asyncio.ensure_future(session.leaving.wait())
    if dispatch.displays.page_here:
        output.send("page", told=dispatch.displays.page, here=dispatch.displays.page_here)
    output.send("ready")
    try:
        while not (ended.done() or leaving.done()):
            _send_figures(output, session, recent)
            await asyncio.wait([ended, leaving], timeout=FIGURES_S, return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done():
            session.leaving.set()
            session.stop(FinishReason.ABANDONED)
            log.warning("the program that gave the commands has ended: stopping")
    finally:
        try:
            summary = with_journal(await session.close(), dispatch)
        except RecorderError as error:
            summary = Summary.of_nothing(str(error))
        for task in (taking, ended, leaving):
            task.cancel()
        await asyncio.gather(taking, ended, leaving, return_exceptions=True)
    output.send("summary", run=session.runs, running=False, **_fields(summary))
    return summary


def _fields(summary: Summary) -> dict[str, Any]:
    """Return what is told of a run that is over, or of all."""
    return {
        **summary.for_json(),
        "cause": summary.cause,
        "reason": summary.reason.name if summary.reason else "",
        "exit_code": summary.exit_code,
        "text": summary_text(summary),
    }


def _standing(session: Session) -> dict[str, Any]:
    """Return how the session stands: the file is that which frames go to, or went to at last."""
    file = session.run.file if session.run else None
    return {
        "run": session.runs,
        "running": session.running,
        "saving": session.running and session.saving,
        "path": str(file.path) if file is not None and file.path is not None else "",
    }


def _send_figures(output: Output, session: Session, recent: RateMeter) -> None:
    if output.is_behind:
        return
    figures = session.statistics()
    output.send(
        "figures",
        live=vars(live_status(session, recent)),
        **_standing(session),
        frames=figures.frames if figures else 0,
    )


def _send_answer(output: Output, answer: Answer, session: Session) -> None:
    line_id, result = _line_id.get(), answer.result
    conversation = answer.conversation
    if line_id is not None and conversation is not None and not answer.is_planned:
        output.send(
            "answer",
            id=line_id,
            status=result.status,
            message=result.message,
            text=answer.typed_text,
            effective_frame=result.effective_frame,
            table=answer.table,
            question=conversation.question,
            only_tells=answer.only_tells,
            **_standing(session),
        )
    elif answer.source != "camera" and not answer.only_tells:
        source = "" if answer.is_planned else f"{answer.source}: "
        output.send("told", status=result.status, text=f"{source}{answer.text}")


async def _take_lines(lines: _Lines, dispatch: Dispatcher, output: Output) -> None:
    """Carry out lines as they come, each in a task of its own."""
    conversations: dict[str, Conversation] = {}
    async with asyncio.TaskGroup() as under_way:
        while True:
            try:
                asked = cast("dict[str, Any]", json.loads(await lines.queue.get()))
                if "interrupt" in asked:
                    _interrupt(dispatch.session, abort=asked["interrupt"] != 1)
                    continue
                line, source = str(asked["line"]), str(asked.get("source", "console"))
                at_ns = None if asked.get("at_ns") is None else int(asked["at_ns"])
                line_id, key = asked.get("id"), str(asked.get("conversation"))
            except (ValueError, TypeError, LookupError) as error:
                output.send("answer", id=None, status="refused", message=f"not understood: {error!r}")
                continue
            conversation = conversations.setdefault(key, Conversation(source))
            under_way.create_task(_carry_out(dispatch, output, line, conversation, line_id, at_ns))


def _interrupt(session: Session, *, abort: bool) -> None:
    """End the session as Ctrl-C does."""
    session.leaving.set()
    if abort:
        session.abort()
    else:
        session.stop(FinishReason.INTERRUPTED)


async def _carry_out(
    dispatch: Dispatcher,
    output: Output,
    line: str,
    conversation: Conversation,
    line_id: object,
    at_ns: int | None,
) -> None:
    _line_id.set(line_id)
    try:
        await dispatch.converse(line, conversation, at_ns)
    except Exception as error:
        # What ended the run is told by the session, too.
        message = f"internal error: {error!r}"
        output.send("answer", id=line_id, status="failed", message=message, text=message)
    output.send("over", id=line_id)
