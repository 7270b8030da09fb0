"""The one way of a command line into the session, whoever typed it, and into the journal."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from recorder.control.journal import Entry, Journal, now
from recorder.control.registry import MAX_LINE, Parsed, parse
from recorder.errors import RecorderError, StorageError, UsageError
from recorder.frames.timeline import FrameRef
from recorder.session.session import Session

log = logging.getLogger(__name__)

# How long the end of a session waits for commands under way.
LAST_S = 1.0


@dataclass(frozen=True)
class Call:
    """Who called a command and when; `first` is the counter on which a replayed one has to take effect."""

    session: Session
    dispatch: "Dispatcher"
    source: str
    entered_ns: int
    first: int | None = None


@dataclass(frozen=True)
class Reply:
    """What a command answers; `then` is waited for after it is in the journal."""

    message: str = ""
    frame: FrameRef | None = None
    number: int | None = None  # where the frame itself is not known yet
    then: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True)
class Outcome:
    """How a line went: "ok", "refused" (it was wrong, nothing changed) or "failed"."""

    status: str
    message: str
    effective_frame: int | None = None


@dataclass
class Dispatcher:
    """Carry out lines on a session and write them to its journal."""

    session: Session
    journal: Journal
    seq: int = 0
    background: set["asyncio.Task[None]"] = field(default_factory=set)
    under_way: set["asyncio.Task[Outcome | None]"] = field(default_factory=set)

    async def carry_out(self, line: str, source: str) -> dict[str, Any]:
        """Carry out a line for a program; return the outcome for JSON.

        A caller that goes away stops waiting, but not the command: it may be half done.
        """
        task = asyncio.ensure_future(self(line, source))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        outcome = await asyncio.shield(task)
        return {"status": "ok", "message": ""} if outcome is None else dict(vars(outcome))

    async def __call__(self, line: str, source: str, *, replayed: Entry | None = None) -> Outcome | None:
        """Carry out a line; None where it was empty. No line, however wrong, raises anything."""
        # Half a character of UTF-16, which JSON can carry, fits into no file.
        line = line.encode(errors="replace").decode()
        entered_ns = time.perf_counter_ns()
        parsed: Parsed | None = None
        refusal = ""
        try:
            parsed = parse(line)
            if parsed is None:
                return None
        except UsageError as error:
            refusal = str(error)
        self.seq += 1
        seq, (frame, number, elapsed_s) = self.seq, self.session.position()
        runs = self.session.runs
        then = None
        with self.session.held_open():
            outcome, reply = Outcome("refused", refusal), Reply()
            if parsed is not None:
                first = replayed.effective_number if replayed else None
                call = Call(self.session, self, source, entered_ns, first)
                outcome, reply = await self._carry_out(parsed, call)
                then = reply.then
            entry = Entry(
                seq=replayed.seq if replayed else seq,
                time=now(),
                elapsed_s=round(elapsed_s, 6),
                frame=replayed.frame if replayed else frame,
                source=source,
                command=line.strip()[:MAX_LINE],
                status=outcome.status,
                message=outcome.message,
                effective_frame=outcome.effective_frame,
                run=self.session.runs,
                number=replayed.number if replayed else number,
                effective_number=reply.frame.number if reply.frame else reply.number,
            )
            try:
                await self.journal.add(entry)
            except StorageError as error:
                log.warning("%s; the recording goes on", error)
            # A frame of the run before is none of the new file's.
            begins = self.session.runs != runs
            told = replace(entry, frame=-1, elapsed_s=0.0) if begins else entry
            await self.session.add_row("commands", told.row())
        if then is not None:
            await then()
        return outcome

    async def _carry_out(self, parsed: Parsed, call: Call) -> tuple[Outcome, Reply]:
        try:
            reply = await parsed.carry_out(call)
        except UsageError as error:
            return Outcome("refused", str(error)), Reply()
        except RecorderError as error:
            return Outcome("failed", str(error)), Reply()
        except Exception as error:
            log.exception("internal error in %s; the recording goes on", parsed.command.name)
            return Outcome("failed", f"internal error: {error!r}"), Reply()
        return Outcome("ok", reply.message, reply.frame.index if reply.frame else None), reply

    def later(self, wait: Awaitable[object], line: str, source: str) -> None:
        """Carry out a line once `wait` is over, and tell what came of it."""

        async def scheduled() -> None:
            try:
                await wait
            except RecorderError as error:
                log.warning("%s: %s", line, error)
                return
            outcome = await self(line, source) or Outcome("ok", "")
            log.info("%s: %s", line, outcome.message or outcome.status)

        task = asyncio.ensure_future(scheduled())
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def close(self) -> None:
        """Give up what is scheduled, and what is under way where it does not end soon."""
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=LAST_S)
        unfinished = [*self.background, *self.under_way]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
