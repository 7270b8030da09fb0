"""One camera of a rig: a `recorder run --piped` of its own, and what it has told."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.control.command_types import Table
from recorder.errors import RecorderError
from recorder.frontends.live_status import LiveStatus

log = logging.getLogger(__name__)

# How long a process may take until it takes lines; imports on a busy computer.
READY_S = 60.0

# How soon the end of a process is seen, and how long what it said last is waited for.
POLL_S = 0.1
LAST_S = 1.0

# A process that is well tells its figures twice a second; without a word for so long it counts as silent.
SILENT_S = 4.0

# After so many, to stop and to abort, a process is ended at once.
INTERRUPTIONS = 2

# The variable with settings that other users, who see the words of a command, are not to see: JSON.
PASSWORDS = "RECORDER_PASSWORDS"

# The longest line that is read from a process: the figures of a session are 1 kB.
MAX_LINE = 2**20

# A group of its own: Ctrl-C at the terminal is for the rig, which then asks each camera.
_OWN_GROUP: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)


# What an event of an end has beside the fields of `Summary.for_json`.
_OF_EVENT = {"event", "run", "running", "reason", "exit_code", "text"}


@dataclass(frozen=True)
class CameraAnswer:
    """What a camera answered to a line: fields as in `CommandResult`, `text` and `table` for people.

    `question`: what y as the next line would mean yes to; `only_tells`: nothing was changed.
    """

    status: str
    message: str
    text: str = ""
    table: Table = ()
    question: str = ""
    effective_frame: int | None = None
    only_tells: bool = False


class SentLine:
    """A line on its way: its `answer` to come, and `over`, set once what it began is over too."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.answer: asyncio.Future[CameraAnswer] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()

    def end(self, why: str) -> None:
        """Have it be over, whatever has come of it."""
        if not self.answer.done():
            text = f"{self.line}: {why}"
            self.answer.set_result(CameraAnswer("failed", why, text))
        self.over.set()


@dataclass
class CameraEnd:
    """How run `run` ended (from 1), or at last all of a camera's.

    `fields` are those of `Summary.for_json`, `reason` is the name of a `FinishReason`.
    """

    run: int
    verdict: str
    cause: str
    reason: str
    exit_code: int
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


class CameraProcess:
    """The process of one camera; on the event loop's thread.

    `on_event` is called with this and an event's fields. `page` is the address of its page, for programs on
    this computer, "" where it has none. `files` are those that it has written to, in their order; `runs`
    counts its runs; `summary` how all did, once it has ended in order; `died` why it is not running, ""
    while it is or after it ended in order. `passwords` are KEY=VALUE that no list of processes shows.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        on_event: Callable[["CameraProcess", dict[str, Any]], None],
        passwords: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.live: LiveStatus | None = None
        self.running = self.saving = False
        self.page = ""
        self._heard_s = 0.0
        self.frames = 0
        self.files: dict[Path, None] = {}
        self.runs = 0
        self._end: CameraEnd | None = None
        self.summary: CameraEnd | None = None
        self.died = ""
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._command = list(command)
        self._environment = {**os.environ, PASSWORDS: json.dumps(list(passwords))}
        self._on_event = on_event
        self._sent: dict[int, SentLine] = {}
        self._count = 0
        self._process: asyncio.subprocess.Process | None = None
        self._told: list[str] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process takes lines."""
        return self._process is not None and not self.gone.is_set()

    @property
    def is_silent(self) -> bool:
        """Whether its process, which should, tells nothing."""
        return self.is_alive and self.ready.is_set() and time.monotonic() - self._heard_s > SILENT_S

    @property
    def end(self) -> CameraEnd | None:
        """How its last run ended, None while one is under way, and before the first."""
        return (
            self._end if self._end is not None and self._end.run == self.runs and not self.running else None
        )

    async def begin(self) -> None:
        """Start the process and wait until it takes lines; raises RecorderError where it does not."""
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                limit=MAX_LINE,
                env=self._environment,
                **_OWN_GROUP,
            )
        except OSError as error:
            raise RecorderError(f"{self.name}: its process cannot be begun: {error}") from None
        self._task = asyncio.create_task(self._follow(self._process))
        waits = [asyncio.ensure_future(event.wait()) for event in (self.ready, self.gone)]
        await asyncio.wait(waits, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self.ready.is_set():
            told = self.died or f"its process takes no line within {READY_S:g} s"
            raise RecorderError(f"{self.name}: {told}")

    def send(self, line: str, source: str, conversation: int, at_ns: int) -> SentLine:
        """Send a line that was given at `at_ns` (`time.perf_counter_ns`)."""
        sent = SentLine(line)
        if not self.is_alive:
            sent.end(self.died or "has left")
            return sent
        self._count += 1
        self._sent[self._count] = sent
        asked = {"id": self._count, "line": line, "source": source}
        asked |= {"conversation": conversation, "at_ns": at_ns}
        self._write(asked)
        return sent

    def interrupt(self, times: int) -> None:
        """Have it stop as by Ctrl-C, the second time abort, the third time end at once."""
        if not self.is_alive:
            return
        if times > INTERRUPTIONS:
            assert self._process is not None
            with contextlib.suppress(OSError):
                self._process.kill()
        else:
            self._write({"interrupt": times})

    def _write(self, told: dict[str, Any]) -> None:
        """Write into the pipe; what a process that hangs does not read is kept in memory."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    async def close(self) -> None:
        """Have the process end in order, by the end of its standard input, and wait until it has.

        However long that takes: it may hold frames.
        """
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self._task is not None:
            await self._task

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        """Hear what the process says until it ends."""
        assert process.stdout is not None
        assert process.stderr is not None
        hearing = asyncio.gather(self._hear(process.stdout), self._hear_errors(process.stderr))
        # On some versions asyncio's own waiting takes until the pipes are closed, too.
        while process.returncode is None:
            await asyncio.sleep(POLL_S)
            if self.is_silent:
                for sent in self._sent.values():
                    sent.end("does not answer; what becomes of it is told when it does")
        # A program that the camera's process began, such as a window, may hold its pipes open.
        await asyncio.wait([hearing], timeout=LAST_S)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        # Nothing else lets go of pipes that others hold open.
        process._transport.close()  # type: ignore[attr-defined]
        code = process.returncode
        if self.summary is None:
            self.died = self._why(code)
        self.running = False
        self.live = None
        self.gone.set()
        for sent in self._sent.values():
            sent.end(self.died or "has left")
        self._sent.clear()
        self._on_event(self, {"event": "gone"})

    def _why(self, code: int) -> str:
        """Return why the process ended without a summary."""
        if self._told and code > 0:
            return self._told[-1].removeprefix("recorder: ")
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    async def _hear(self, stream: asyncio.StreamReader) -> None:
        while line := await _line(stream):
            try:
                told = json.loads(line)
                kind = told["event"]
            except (ValueError, LookupError, TypeError):
                log.warning("%s: %s", self.name, line.decode(errors="replace").strip())
                continue
            self._note(kind, told)
            self._on_event(self, told)

    async def _hear_errors(self, stream: asyncio.StreamReader) -> None:
        """Pass on what is printed on standard error, by libraries too."""
        while line := await _line(stream):
            text = line.decode(errors="replace").rstrip()
            self._told = [*self._told[-20:], text]
            if self.ready.is_set():
                log.warning("%s: %s", self.name, text)

    def _note(self, kind: str, told: dict[str, Any]) -> None:
        """Keep what an event says."""
        self._heard_s = time.monotonic()
        self.running, self.runs = told.get("running", self.running), told.get("run", self.runs)
        self.saving = self.running and told.get("saving", self.saving)
        self._note_files(told.get("path", ""))
        match kind:
            case "ready":
                self.ready.set()
            case "page":
                self.page = told["here"]
            case "figures":
                self.live, self.frames = LiveStatus(**told["live"]), told["frames"]
            case "answer":
                sent = self._sent.get(told["id"])
                if sent is not None and not sent.answer.done():
                    sent.answer.set_result(_answer(told))
                elif told["status"] != "ok":
                    # What a line began has failed, after it was answered.
                    log.error("%s: %s", self.name, told["text"])
                elif sent is not None and not told["only_tells"]:
                    log.warning("%s answers again: %s", self.name, told["text"])
            case "over":
                # An empty line has no answer.
                if (sent := self._sent.pop(told["id"], None)) is not None:
                    sent.end("no answer")
            case "end" | "summary":
                self._note_files(*(one["file"] for one in told["files"]))
                words = {
                    name: told[name] for name in ("run", "verdict", "cause", "reason", "exit_code", "text")
                }
                end = CameraEnd(**words, fields={k: v for k, v in told.items() if k not in _OF_EVENT})
                if kind == "end":
                    self._end = end
                else:
                    self.summary = end

    def _note_files(self, *paths: str) -> None:
        for path in paths:
            if path:
                self.files[Path(path)] = None


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, b"" at the end; of one that is too long what is there."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line that is too long)\n"
    except OSError:
        return b""


def _answer(told: dict[str, Any]) -> CameraAnswer:
    table = tuple((str(name), str(value)) for name, value in told.get("table", ()))
    return CameraAnswer(
        told["status"],
        told["message"],
        told.get("text") or told["message"],
        table,
        told.get("question", ""),
        told.get("effective_frame"),
        told.get("only_tells", False),
    )
