"""The order in which the lines of one console, display or connection are carried out: as they were given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

# How long what ends a run waits for the lines before it: a disk or a camera may never answer them.
LAST_S = 2.0


class Turn(Enum):
    """When a command's turn comes, after the lines that were given before it by the same one.

    What waits for a frame holds up nobody: which frame it is about is settled as it is given.
    """

    AT_ONCE = "it only tells"
    IN_TURN = "once those before it are answered"
    FOR_A_FRAME = "as IN_TURN; its answer waits for a frame to come"
    WHEN_OVER = "once what those before it began is over, such as the end of a run"
    LAST = f"once all before it are answered, frames or not; after {LAST_S:g} s in any case"


@dataclass(eq=False)
class _Line:
    turn: Turn
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """The lines of one conversation that are under way; on the event loop's thread."""

    def __init__(self) -> None:
        self._lines: dict[_Line, None] = {}
        # Those that others wait for.
        self._holding: dict[_Line, None] = {}

    @contextlib.asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[Callable[[], None]]:
        """Wait for a line's turn, which lasts during `with`; yield what is to be called when it is answered.

        Its place is behind the lines given before this is entered.
        """
        line, before, holding = _Line(turn), list(self._lines), list(self._holding)
        if turn is not Turn.AT_ONCE:
            self._lines[line] = None
        if turn in {Turn.IN_TURN, Turn.WHEN_OVER, Turn.LAST}:
            self._holding[line] = None
        try:
            if turn in {Turn.IN_TURN, Turn.FOR_A_FRAME}:
                await _all(other.answered for other in holding)
            elif turn is Turn.WHEN_OVER:
                await _all(other.over for other in holding)
            elif turn is Turn.LAST:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_S):
                        await _all(other.answered for other in before)
            yield line.answered.set
        finally:
            line.answered.set()
            line.over.set()
            self._lines.pop(line, None)
            self._holding.pop(line, None)


async def _all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        await event.wait()
