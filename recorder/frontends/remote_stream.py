"""A stream of signals over a connection: one row a line, and no answer but to what is wrong.

-> stream
<- {"status": "ok", "message": "..."}
-> lick 0.3
-> pupil 0.3 0.5 12 @ 12.3456
-> end
<- {"status": "ok", "message": "...", "rows": 2, "refused": 0}

A sender that reads nothing is never held up by answers that it has not read; one that sends faster than the
disk takes it is.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from recorder.control.dispatcher import Dispatcher
from recorder.control.signal_commands import row_of
from recorder.errors import UsageError
from recorder.frontends.lines import Lines
from recorder.session.sender_clock import SenderClock
from recorder.session.signals import waiting_rows

log = logging.getLogger(__name__)

WORD, END = "stream", b"end"

WELCOME = "send rows, one a line: NAME NUMBER... [@ SECONDS]; end ends it, answers come to mistakes only"

# Rows a second from one sender; what a faster one sends waits.
ROWS_PER_S = 50_000

# What is wrong is told at most so often.
TELL_S = 1.0

# How long `end` waits for the rows to be written.
WRITTEN_S = 10.0

Answer = dict[str, Any]


class RowStream:
    """The rows of one stream; `tell` takes an answer, and may drop it. On the event loop's thread."""

    def __init__(self, dispatch: Dispatcher, tell: Callable[[Answer], None]) -> None:
        self._dispatch, self._tell = dispatch, tell
        self._clock = SenderClock()
        self._rows: Counter[str] = Counter()
        self._refused = self._untold = 0
        self._problem = ""
        self._told_s = -TELL_S

    async def take_all(self, lines: Lines) -> bool:
        """Take rows until `end`; False where the connection ends before. Raises as `Lines` does."""
        session = self._dispatch.session
        log.info("remote: a stream of signals begins")
        try:
            while some := await lines.some():
                arrived_ns = time.perf_counter_ns()
                ended = next((i for i, line in enumerate(some) if line.strip() == END), None)
                self._take([line.decode(errors="replace") for line in some[:ended]], arrived_ns)
                if ended is not None:
                    lines.put_back(some[ended + 1 :])
                    return True
                await session.signals.room()
                await asyncio.sleep(len(some) / ROWS_PER_S)
            return False
        finally:
            log.info("remote: the stream of signals has ended: %s", self._told)
            await self._dispatch.journal.note_stream(self._rows, self._refused, session.runs)

    @property
    def _told(self) -> str:
        return f"rows: {self._rows.total()} taken, {self._refused} refused"

    def _take(self, lines: list[str], arrived_ns: int) -> None:
        """Take the rows of lines that arrived together."""
        session = self._dispatch.session
        index_of = session.signals.index_of
        names, signals, values, sender = [], [], [], []
        for line in lines:
            words = line.split()
            if not words:
                continue
            try:
                name, numbers, sender_s = row_of(words)
                signals.append(index_of(name, len(numbers)))
            except UsageError as error:
                self._refuse(1, str(error))
                continue
            names.append(name)
            values.append(numbers)
            sender.append(sender_s)
        if names:
            sent_s = np.array(sender)
            moments_ns = np.full(len(names), arrived_ns)
            by_sender = ~np.isnan(sent_s)
            if by_sender.any():
                moments_ns[by_sender] = self._clock.host_ns(sent_s[by_sender], arrived_ns)
            try:
                session.signals.add(waiting_rows(signals, values, moments_ns, arrived_ns, sent_s))
                self._rows.update(names)
            except UsageError as error:
                self._refuse(len(names), str(error))
        self._tell_problem()

    def _refuse(self, rows: int, problem: str) -> None:
        self._problem = self._problem or problem
        self._refused += rows
        self._untold += rows

    def _tell_problem(self) -> None:
        if self._problem and time.monotonic() - self._told_s >= TELL_S:
            self._tell({"status": "refused", "message": self._problem, "rows": self._untold})
            self._problem, self._untold, self._told_s = "", 0, time.monotonic()

    async def ended(self) -> Answer:
        """Wait until the rows are written, a while at most, and return the answer to `end`."""
        try:
            async with asyncio.timeout(WRITTEN_S):
                await self._dispatch.session.signals.written()
            told = ""
        except TimeoutError:
            told = ", not all of them written yet"
        rows = self._rows.total()
        return {"status": "ok", "message": self._told + told, "rows": rows, "refused": self._refused}
