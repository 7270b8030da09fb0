"""What passes between whoever gives a line, the command, and the session: context, reply, result."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from recorder.frames.timeline import FrameRef
from recorder.session.session import Session


class Schedule(Protocol):
    """Have a line executed later."""

    def __call__(self, wait: Awaitable[object], line: str, source: str) -> None:
        """Execute `line` once `wait` is over."""


@dataclass(frozen=True)
class CommandContext:
    """Who gave a command and when; `first` is the counter on which a replayed one has to take effect."""

    session: Session
    schedule: Schedule
    source: str
    entered_ns: int
    first: int | None = None


@dataclass(frozen=True)
class CommandReply:
    """What a command answers; `then` is waited for after it is in the journal."""

    message: str = ""
    frame: FrameRef | None = None
    number: int | None = None  # where the frame itself is not known yet
    then: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True)
class CommandResult:
    """How a line went: "ok", "refused" (it was wrong, nothing changed) or "failed"."""

    status: str
    message: str
    effective_frame: int | None = None
