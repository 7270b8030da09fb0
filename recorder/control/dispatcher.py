"""Execute command lines, whoever gave them: the one way into the session and into its journal."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from recorder.control.command_types import CommandContext, CommandReply, CommandResult, Conversation, Table
from recorder.control.displays import Displays
from recorder.control.journal import Journal, JournalEntry, utc_now
from recorder.control.permissions import without_token
from recorder.control.plan import Plan
from recorder.control.registry import MAX_LINE, Command, ParsedLine, parse, turn_of
from recorder.errors import RecorderError, StorageError, UsageError
from recorder.frames.timeline import FrameRef, Timeline
from recorder.session.session import Session

log = logging.getLogger(__name__)

# How much of a line that others gave is shown.
MAX_SHOWN = 120

# How long the end of a session waits for commands under way.
LAST_S = 1.0


@dataclass(frozen=True)
class Answer:
    """The answer to a line, for whoever watches the session.

    `command` is None where the line was not understood; `table` and `only_tells` are those of its
    `CommandReply`; `is_planned`: the line was carried out at a time that was given before. `conversation` is
    that of whoever gave it, None where there is none.
    """

    line: str
    source: str
    command: Command | None
    result: CommandResult
    table: Table = ()
    only_tells: bool = False
    is_planned: bool = False
    conversation: Conversation | None = None

    @property
    def text(self) -> str:
        """The answer with the line that it is about, unless it begins with it; without a token."""
        message = without_token(self.result.message or self.result.status)
        line = self.line if len(self.line) <= MAX_SHOWN else f"{self.line[:MAX_SHOWN]}..."
        return message if message.startswith(self.line) else f"{without_token(line)}: {message}"

    @property
    def typed_text(self) -> str:
        """The answer for whoever typed the line just now: what did not work names its command."""
        message, command = self.result.message, self.command
        if self.result.status == "ok" or command is None or message.startswith(command.name):
            return message
        return f"{command.name}: {message}"


def log_unseen(answer: Answer) -> None:
    """Log an answer that nobody sees otherwise: to a planned line."""
    if answer.is_planned:
        log.info("%s: %s", answer.line, answer.result.message or answer.result.status)


@dataclass
class Dispatcher:
    """Execute lines on a session and write them to its journal; on the event loop's thread.

    `seq` counts the lines, `plan` holds those to be carried out later, `background` those that nobody waits
    for, `under_way` those of other programs. `displays` are those that the session has opened.
    `on_answer` is called with the answer to every line, whoever gave it, before what it begins is waited for,
    and so is each of `watchers`.
    """

    session: Session
    journal: Journal
    seq: int = 0
    background: set["asyncio.Task[CommandResult | None]"] = field(default_factory=set)
    under_way: set["asyncio.Task[CommandResult | None]"] = field(default_factory=set)
    on_answer: Callable[[Answer], None] = log_unseen
    watchers: list[Callable[[Answer], None]] = field(default_factory=list)
    displays: Displays = field(default_factory=Displays)

    def __post_init__(self) -> None:
        async def carry_out(line: str, source: str, first: int | None) -> None:
            await self.execute(line, source, first=first, is_planned=True)

        self.plan = Plan(carry_out)

    async def execute_for_client(self, line: str, conversation: Conversation) -> dict[str, Any]:
        """Execute a line for a program or a display, as `converse` does; return the fields of the result.

        Where the caller is cancelled, only the waiting ends: the command may be half done and goes on.
        """
        task = asyncio.ensure_future(self.converse(line, conversation))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        result = await asyncio.shield(task)
        return {"status": "ok", "message": ""} if result is None else dict(vars(result))

    async def converse(
        self, line: str, conversation: Conversation, entered_ns: int | None = None
    ) -> CommandResult | None:
        """Execute a line of somebody who can be asked, as `execute` does, or take it as the answer: y or n.

        What y stands for, such as `quit now`, is a line of its own. Lines are carried out in the order in
        which they were given, each as `Turn` says. The line was given at `entered_ns` (None: now).
        """
        entered_ns = time.perf_counter_ns() if entered_ns is None else entered_ns
        async with conversation.turns.taken(turn_of(line)) as answered:
            return await self._converse(line, conversation, entered_ns, answered)

    async def _converse(
        self, line: str, conversation: Conversation, entered_ns: int, answered: Callable[[], None]
    ) -> CommandResult | None:
        on_yes = conversation.on_yes
        conversation.ask("", "")
        word = line.strip().lower()
        if on_yes and word in {"y", "yes"}:
            line = on_yes
        elif on_yes and word in {"n", "no"}:
            result = CommandResult("ok", "going on")
            self._tell(
                Answer(word, conversation.source, None, result, only_tells=True, conversation=conversation)
            )
            return result
        return await self.execute(
            line,
            conversation.source,
            conversation=conversation,
            entered_ns=entered_ns,
            answered=answered,
        )

    async def execute(
        self,
        line: str,
        source: str,
        *,
        replayed: JournalEntry | None = None,
        first: int | None = None,
        is_planned: bool = False,
        conversation: Conversation | None = None,
        entered_ns: int | None = None,
        answered: Callable[[], None] = lambda: None,
    ) -> CommandResult | None:
        """Execute a line given by `source`, wait until it is done, and return its result (None: empty line).

        What is wrong with the line, and what its command raises, becomes the result. `replayed` is the entry
        of another session's journal that this line repeats, at the same frames; `first` the counter that a
        line `is_planned` for; without a `conversation` nothing is asked. The line was given at `entered_ns`
        (None: now); `answered` is called before what it begins is waited for. Raises only what ended the run,
        where `stop` or `quit` waits for a run that an internal error ends.
        """
        # A lone surrogate, which JSON can carry, cannot be written into a file.
        line = line.encode(errors="replace").decode()
        entered_ns = time.perf_counter_ns() if entered_ns is None else entered_ns
        parsed: ParsedLine | None = None
        refusal = ""
        try:
            parsed = parse(line)
            if parsed is None:
                return None
        except UsageError as error:
            refusal = str(error)
        self.seq += 1
        seq, (entered_at, elapsed_s), runs = self.seq, self.session.position(), self.session.runs
        # Not the run itself: a line that waits for hours would keep its memory.
        timeline = self.session.run.timeline if self.session.run and self.session.running else None
        # The file that is being written now stays open until the rows of this line are in it.
        with self.session.files.pending.held():
            result, reply = CommandResult("refused", refusal), CommandReply()
            if parsed is not None:
                first = replayed.effective_number if replayed else first
                context = CommandContext(
                    self.session, self.plan, self.displays, source, entered_ns, first, conversation
                )
                result, reply = await self._run_command(parsed, context)
            if replayed is not None:
                entered_at = await _frame_of(replayed, timeline) or entered_at
            entry = JournalEntry(
                seq=replayed.seq if replayed else seq,
                time=utc_now(),
                elapsed_s=round(elapsed_s, 6),
                frame=replayed.frame if replayed else entered_at.index if entered_at else -1,
                source=source,
                command=without_token(line.strip()[:MAX_LINE]),
                status=result.status,
                message=without_token(result.message),
                effective_frame=result.effective_frame,
                run=self.session.runs,
                number=replayed.number if replayed else entered_at.number if entered_at else 0,
                effective_number=reply.frame.number if reply.frame else reply.number,
            )
            await self.journal.add(entry)
            # What was given before this run began has no time in it.
            to_store = replace(entry, elapsed_s=0.0) if self.session.runs != runs else entry
            try:
                await self._add_row(to_store, entered_at, reply.frame)
            except StorageError as error:
                log.warning("%s; the row of %s is in the journal only", error, line[:80])
            except Exception:
                log.exception("the row of %s is in the journal only; the recording goes on", line[:80])
        command = parsed.command if parsed else None
        answer = Answer(
            line.strip(),
            source,
            command,
            result,
            reply.table,
            reply.only_tells,
            is_planned=is_planned,
            conversation=conversation,
        )
        self._tell(answer)
        answered()
        if reply.then is not None:
            try:
                await reply.then()
            except RecorderError as error:
                result = CommandResult("failed", str(error))
                self._tell(replace(answer, result=result, table=()))
        return result

    def _tell(self, answer: Answer) -> None:
        for hear in (self.on_answer, *self.watchers):
            hear(answer)

    async def _add_row(
        self, entry: JournalEntry, entered_at: FrameRef | None, effective: FrameRef | None
    ) -> None:
        """Write a command's row into the file of its frame; frames that are in another file are left out."""
        file_index = self.session.file_of(entered_at, effective)

        def index_in_file(frame: FrameRef | None) -> int:
            return frame.index if frame is not None and frame.file_index == file_index else -1

        frame = index_in_file(entered_at)
        await self.session.add_row(file_index, entry.row(frame, index_in_file(effective)), frame)

    async def _run_command(
        self, parsed: ParsedLine, context: CommandContext
    ) -> tuple[CommandResult, CommandReply]:
        try:
            reply = await parsed.execute(context)
        except UsageError as error:
            return CommandResult("refused", str(error)), CommandReply()
        except RecorderError as error:
            return CommandResult("failed", str(error)), CommandReply()
        except Exception as error:
            log.exception("internal error in %s; the recording goes on", parsed.command.name)
            return CommandResult("failed", f"internal error: {error!r}"), CommandReply()
        return CommandResult("ok", reply.message, reply.frame.index if reply.frame else None), reply

    def execute_soon(self, line: str, source: str) -> None:
        """Execute a line and return at once: nobody waits for its answer."""
        task = asyncio.ensure_future(self.execute(line, source, is_planned=True))
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def capture(self, number: int, source: str, reason: str) -> None:
        """Capture around the frame with this counter, as the analysis or the camera's input calls for it."""
        await self.execute(f"capture {source} {reason}".rstrip(), source, first=number, is_planned=True)

    async def close(self) -> None:
        """Cancel what is planned, and the lines of other programs that do not end within `LAST_S`."""
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=LAST_S)
        unfinished = [*self.background, *self.under_way]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self.plan.close()


async def _frame_of(replayed: JournalEntry, timeline: Timeline | None) -> FrameRef | None:
    """Return the frame of this run that came last before the command in the run that is replayed."""
    if timeline is None or not replayed.number:
        return None
    return await timeline.delivered(replayed.number)
