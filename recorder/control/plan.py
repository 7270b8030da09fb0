"""Lines to be carried out later, as `at`, `in` and `every` plan them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from recorder.errors import UsageError

log = logging.getLogger(__name__)

# More is a mistake of a program: lines that plan lines.
MOST = 100

# Carries out a line of a source, where given from a camera's counter on.
CarryOut = Callable[[str, str, int | None], Awaitable[object]]


@dataclass(frozen=True)
class PlannedLine:
    """A line that `source` has planned; `when` is how it was written, `shown` the line without passwords.

    `left_s` returns how many s are left until it is carried out, the next time.
    """

    when: str
    line: str
    shown: str
    source: str
    left_s: Callable[[], float]


class Plan:
    """The lines planned and not carried out yet, by number; on the event loop's thread."""

    def __init__(self, carry_out: CarryOut) -> None:
        self.lines: dict[int, PlannedLine] = {}
        self._carry_out = carry_out
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._under_way: set[asyncio.Future[object]] = set()
        self._last_number = 0

    def add(self, planned: PlannedLine, moments: AsyncIterator[int | None]) -> int:
        """Carry out a line at each of `moments`; return its number, at once.

        What comes out of `moments` is the counter from which on the line has to take effect, None: as soon as
        it can. A UsageError from them gives the line up, and is logged. Raises UsageError where too many are
        planned.
        """
        if len(self.lines) >= MOST:
            raise UsageError(
                f"{MOST} lines are planned already; at list shows them, at cancel N takes one out"
            )
        self._last_number += 1
        number = self._last_number
        self.lines[number] = planned
        self._tasks[number] = asyncio.ensure_future(self._follow(number, planned, moments))
        return number

    async def _follow(self, number: int, planned: PlannedLine, moments: AsyncIterator[int | None]) -> None:
        try:
            async for first in moments:
                task = asyncio.ensure_future(self._carry_out(planned.line, planned.source, first))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                # A line that is being carried out is not to be cut off by `at cancel`.
                await asyncio.shield(task)
        except UsageError as error:
            log.warning("%s %s: %s", planned.when, planned.shown, error)
        except Exception:
            log.exception("internal error in a planned line, %s; the recording goes on", planned.shown)
        finally:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self.lines.pop(number, None)
        self._tasks.pop(number, None)

    def cancel(self, number: int) -> PlannedLine:
        """Take a line out of the plan and return it; raises UsageError where there is none."""
        if number not in self.lines:
            raise UsageError(f"no line {number} is planned; at list shows which are")
        planned = self.lines[number]
        self._tasks[number].cancel()
        self._forget(number)
        return planned

    async def close(self) -> None:
        """Cancel all that is planned, and what of it is being carried out."""
        unfinished: list[asyncio.Future[Any]] = [*self._tasks.values(), *self._under_way]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
