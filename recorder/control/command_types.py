"""The types that pass between a frontend, a command and the session: context, reply, result."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from recorder.control.displays import Displays
from recorder.control.kept_regions import keep_session_regions
from recorder.control.plan import Plan
from recorder.control.turns import Turns
from recorder.frames.region_means import Box, corner_of
from recorder.frames.timeline import FrameRef
from recorder.preview.live import Preview
from recorder.session.session import Session

# Who types at the console, and who gave the script, are the operator; all others are programs and displays.
OPERATOR = frozenset({"console", "script"})
REPLAY = "replay"


class Conversation:
    """What one console, display or connection says, line after line; `source` names it in the journal.

    Where the last line was answered with a `question`, `on_yes` is the line that y, as the next one, stands
    for; any other line is no answer. Both are "" where nothing is asked. `turns` keep the order of its lines.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.question = self.on_yes = ""
        self.turns = Turns()

    def ask(self, question: str, on_yes: str) -> None:
        """Ask a question, to which y as the next line is `on_yes`; "" for both takes it back."""
        self.question, self.on_yes = question, on_yes


class PictureContext(Protocol):
    """What a command acts on that changes how frames are shown: those of a session, or of a file."""

    @property
    def preview(self) -> Preview:
        """What makes the pictures."""

    @property
    def is_replay(self) -> bool:
        """Whether a journal is replayed."""

    @property
    def frame(self) -> Box | None:
        """Where on the sensor the frames are, None where that is not known."""

    async def set_regions(self, regions: Mapping[str, Box]) -> str:
        """Have these regions from now on; return what is to be said of it, raise UsageError."""


@dataclass(frozen=True)
class CommandContext:
    """The session that a command acts on, who gave the command, and when.

    `entered_ns` is a time of the host's monotonic clock (`time.perf_counter_ns`). `first` is the camera's
    counter from which on a replayed command, or one planned for a frame, has to take effect; None: as soon as
    it can. `conversation` is None where nobody is there to be asked: a script, a journal, a planned line.
    """

    session: Session
    plan: Plan
    displays: Displays
    source: str
    entered_ns: int
    first: int | None = None
    conversation: Conversation | None = None

    @property
    def preview(self) -> Preview:
        """That of the session."""
        return self.session.preview

    @property
    def frame(self) -> Box | None:
        """Where on the sensor the frames of the run are, None where nothing runs."""
        known = self.session.run.description if self.session.run and self.session.running else None
        if known is None:
            return None
        x, y = corner_of(known.details)
        return x, y, x + known.format.width, y + known.format.height

    async def set_regions(self, regions: Mapping[str, Box]) -> str:
        """Have these regions from now on, and in the next session too; raises UsageError."""
        await keep_session_regions(self.session, regions)
        if self.session.running and self.session.settings.analysis.regions:
            return "; means are stored for it from the next file on: save new"
        return ""

    @property
    def is_operator(self) -> bool:
        """Whether the operator gave the command; a journal that is replayed may come from elsewhere."""
        return self.source in OPERATOR

    @property
    def is_replay(self) -> bool:
        """Whether a journal is replayed."""
        return self.source == REPLAY


# Rows of a table: what it is, and the figures.
Table = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CommandReply:
    """What a command answers; `then` is awaited once the command is in the journal.

    `frame` is the frame on which the command took effect, `number` the camera's counter of it. `table` says
    the same as the message, for people: a console shows it in its place. `only_tells`: nothing was changed.
    """

    message: str = ""
    frame: FrameRef | None = None
    number: int | None = None  # for a frame that is in no file, or has not come yet
    then: Callable[[], Awaitable[object]] | None = None
    table: Table = ()
    only_tells: bool = False


@dataclass(frozen=True)
class CommandResult:
    """How a line went: `status` is "ok", "refused" (it was wrong, nothing changed) or "failed".

    `effective_frame` is the frame on which it took effect, as an index into the frames of its file.
    """

    status: str
    message: str
    effective_frame: int | None = None
