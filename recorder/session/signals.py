"""Numbers that come beside the frames: each row is written into the file of the frame being exposed then.

Rows wait in memory until their frame is known, and are written together, ten times a second. Where they come
faster than the disk takes them, who sends them waits; what comes all the same is counted as lost.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recorder.errors import CameraError, StorageError, UsageError, did_you_mean
from recorder.frames.timeline import FrameRef
from recorder.session.run import Run
from recorder.session.signal_figures import SignalFigures
from recorder.session.status import State
from recorder.storage.records import MAX_VALUES, RowBlock, SignalLossRow, SignalNameRow, SignalRow, blocks_of

log = logging.getLogger(__name__)

# How long rows wait for each other: as long as frames for their commit.
FLUSH_S = 0.1

# Rows that wait at most, in some 50 MB: half a minute of 10,000/s, for a disk that stalls.
MAX_WAITING = 300_000

# How long a sender waits for room at most.
ROOM_S = 2.0

# How long the end of a run waits for rows that came in its last moment.
LAST_S = 0.5

# So long after a moment, and two frames more, no frame can come any more that was begun before it.
SETTLED_S = 2.0

# Names of a session: more are a mistake in a program that makes them up.
MAX_SIGNALS = 256

NAME = re.compile(r"[^\W\d][\w.-]{0,31}")

Seconds = NDArray[np.float64]

NO_ROOM = "found no room in memory"
AT_THE_END = "were not written when the run ended"

# A row as it waits: which signal, its numbers, the moment it is about and when it came by the host's clock.
WAITING = np.dtype(
    [
        ("signal", np.uint16),
        ("values", np.float64, (MAX_VALUES,)),
        ("moment_ns", np.int64),
        ("arrived_ns", np.int64),
        ("sender_s", np.float64),
    ]
)


class Signals:
    """The signals of a session; on the event loop's thread.

    `columns` has how many numbers each has, as its first row had, by its name in the order in which they
    came; `figures` are those of the run under way, or of the last one.
    """

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}
        self.figures = SignalFigures()
        self._names: list[str] = []
        self._indices: dict[str, int] = {}
        self._run: Run | None = None
        self._waiting: list[NDArray[np.void]] = []
        self._taken = self._done = 0  # rows, ever
        # The newest frame, as rows were looked at last.
        self._last: FrameRef | None = None
        # The files stay open until the rows that came by now are in them.
        self._hold = contextlib.ExitStack()
        self._some = asyncio.Event()
        self._flushed = asyncio.Event()
        self._unwritten_losses: Counter[str] = Counter()
        # By file: which of its names is which signal of the session.
        self._named: dict[int, dict[int, int]] = {}

    def index_of(self, name: str, count: int) -> int:
        """Return the number of a signal whose row has `count` numbers; a new name is a new signal.

        Raises UsageError for a name or a count that cannot be.
        """
        known = self.columns.get(name)
        if known is None:
            self._require_name(name, count)
            self.columns[name] = count
            self._indices[name] = len(self._names)
            self._names.append(name)
        elif known != count:
            raise UsageError(f"{name}: {_numbers(count)}; its rows have {known}, as its first one had")
        return self._indices[name]

    def _running(self) -> Run:
        if self._run is None or self._run.state is not State.RUNNING:
            raise UsageError("not running: a row is stored beside the frame being exposed")
        return self._run

    def _require_name(self, name: str, count: int) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(
                f'"{name[:80]}" is no name of a signal: up to 32 letters, digits, dots, dashes and '
                "underscores, a letter or underscore first"
            )
        if not 1 <= count <= MAX_VALUES:
            raise UsageError(f"{name}: {_numbers(count)}; a row has 1 to {MAX_VALUES}")
        if len(self._names) == MAX_SIGNALS:
            near = did_you_mean(name, self._names)
            raise UsageError(f"{name}: {MAX_SIGNALS} signals there are already, and no more can be{near}")

    async def room(self) -> None:
        """Wait until rows have room, a while at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROOM_S):
                while self._taken - self._done >= MAX_WAITING:
                    await self._flushed.wait()

    def add(self, rows: NDArray[np.void]) -> None:
        """Take rows (n,) of `WAITING`, now or never; those that find no room are lost.

        Raises UsageError where no run is under way.
        """
        run = self._running()
        room = max(0, MAX_WAITING - (self._taken - self._done))
        if len(rows) > room:
            self._lose(rows[room:], NO_ROOM)
            rows = rows[:room]
        if len(rows):
            if not self._waiting:
                self._hold.enter_context(run.files.pending.held())
            self._waiting.append(rows)
            self._taken += len(rows)
            self._some.set()

    async def store(
        self, name: str, numbers: Sequence[float], host_ns: int, number: int | None = None
    ) -> tuple[FrameRef | None, bool]:
        """Take a row about the moment `host_ns`, or about the frame whose counter is `number`.

        Returns the frame being exposed then, and whether it is in a file; None where that is not known before
        the camera's own memory is read out. Raises UsageError for a row that cannot be, and where no run is
        under way, CameraError where there is no frame.
        """
        run = self._running()
        signal, moment_ns = self.index_of(name, len(numbers)), host_ns
        if number is not None:
            found = await run.timeline.delivered(number)
            moment_ns = (run.timeline.middle_of(found.number) if found else None) or host_ns
        self.add(waiting_rows([signal], [numbers], [moment_ns], host_ns))
        if run.records_inside:
            return None, True
        frame = await run.timeline.frame_at(moment_ns)
        if frame is None:
            raise CameraError("no frame to store this with: the run ended before one came")
        return frame, run.files[frame.file_index].takes_rows

    async def written(self) -> None:
        """Wait until the rows that were taken so far are written, or lost."""
        taken = self._taken
        while self._done < taken:
            await self._flushed.wait()

    @contextlib.asynccontextmanager
    async def following(self, run: Run) -> AsyncIterator[None]:
        """Write rows into the files of `run` during `with`."""
        self.figures, self._run, self._last = SignalFigures(), run, None
        task = asyncio.create_task(self._write_all(run))
        try:
            yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self.written()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._give_up()

    def _give_up(self) -> None:
        """Count what still waits as lost."""
        for rows in self._waiting:
            self._lose(rows, AT_THE_END)
        self._waiting.clear()
        self._unwritten_losses.clear()
        self._run, self._done = None, self._taken
        self._hold.close()
        self._some.clear()
        self._tell_flushed()

    def _tell_flushed(self) -> None:
        self._flushed.set()
        self._flushed = asyncio.Event()

    def _lose(self, rows: NDArray[np.void], cause: str) -> None:
        counts = self._by_name(rows)
        if not self.figures.lost:
            log.warning("signals: rows are lost, they %s: %s", cause, ", ".join(counts))
        self.figures.lost.update(counts)
        if cause == NO_ROOM:
            self._unwritten_losses.update(counts)

    def _by_name(self, rows: NDArray[np.void]) -> Counter[str]:
        signals, counts = np.unique(rows["signal"], return_counts=True)
        return Counter({self._names[i]: int(n) for i, n in zip(signals, counts, strict=True)})

    async def _write_all(self, run: Run) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(FLUSH_S)
            settled_ns, last = _settled_ns(run), run.timeline.last
            is_new = last != self._last or run.state is not State.RUNNING
            if not is_new and self._waiting[0]["moment_ns"][0] >= settled_ns:
                continue  # of a camera that fills its own memory, rows wait for minutes
            self._last = last
            try:
                await self._flush(run, settled_ns)
            except Exception:
                log.exception("signals: these rows are lost; the recording goes on")

    async def _flush(self, run: Run, settled_ns: int) -> None:
        """Write the rows whose frame is known by now; the others go on waiting."""
        rows = np.concatenate(self._waiting)
        hold, self._hold = self._hold, contextlib.ExitStack()
        moments = run.timeline.frames_at(rows["moment_ns"], settled_ns)
        known = np.zeros(len(rows), bool) if moments is None else moments.known
        self._waiting = [] if known.all() else [rows[~known]]
        if self._waiting:
            self._hold.enter_context(run.files.pending.held())
        else:
            self._some.clear()
        left = known.copy()
        try:
            if moments is not None:
                for file_index in np.unique(moments.files[known]):
                    chosen = known & (moments.files == file_index)
                    about = moments.indices[chosen], moments.time_s[chosen]
                    await self._write(run, int(file_index), rows[chosen], *about)
                    left &= ~chosen
        finally:
            if left.any():
                self._lose(rows[left], AT_THE_END)
            self._done += int(known.sum())
            self._tell_flushed()
            hold.close()

    async def _write(
        self, run: Run, file_index: int, rows: NDArray[np.void], frames: NDArray[np.int64], time_s: Seconds
    ) -> None:
        """Write rows (n,) about frames of a file, by their indices (n,), or count what becomes of them."""
        files = run.files
        if not files[file_index].takes_rows and files[file_index].file.path is not None:
            # Its frames have been complete for a while: the rows came late, and are about none of the next.
            time_s = time_s + run.timeline.apart_s(file_index, files.current_index)
            file_index, frames = files.current_index, np.full_like(frames, -1)
        entry, counts = files[file_index], self._by_name(rows)
        if entry.file.path is None:
            self.figures.unsaved.update(counts)
            return
        if not entry.takes_rows:
            self._lose(rows, AT_THE_END)
            return
        names, signals = self._in_file(file_index, rows["signal"])
        table = np.zeros(len(rows), SignalRow.dtype())
        table["frame"], table["time"], table["signal"] = frames, time_s, signals
        table["sender_s"], table["values"] = rows["sender_s"], rows["values"]
        began_ns = run.ledger.first_time_ns or 0
        table["elapsed_s"] = (rows["arrived_ns"] - began_ns) * 1e-9 - (entry.began_s or 0.0)
        losses = [
            SignalLossRow(name, count, NO_ROOM, float(table["elapsed_s"][-1]))
            for name, count in self._unwritten_losses.items()
        ]
        self._unwritten_losses.clear()
        blocks: list[RowBlock] = [*blocks_of([*names, *losses]), (SignalRow, table)]
        try:
            await files.add_blocks(file_index, blocks, int(frames.max()))
        except StorageError as error:
            self._lose(rows, AT_THE_END)
            if file_index == files.current_index and run.parts is not None:
                run.parts.writer.fail(error)
            else:
                files.on_problem(error)
        else:
            self.figures.saved.update(counts)

    def _in_file(
        self, file_index: int, signals: NDArray[np.uint16]
    ) -> tuple[list[SignalNameRow], NDArray[np.uint16]]:
        """Return the rows of names that a file does not have yet, and which of its names each row means."""
        known = self._named.setdefault(file_index, {})
        new = [int(signal) for signal in np.unique(signals) if int(signal) not in known]
        known |= {signal: len(known) + i for i, signal in enumerate(new)}
        place = np.zeros(len(self._names), np.uint16)
        place[list(known)] = list(known.values())
        names = (self._names[signal] for signal in new)
        return [SignalNameRow(name, self.columns[name]) for name in names], place[signals]


def waiting_rows(
    signals: Sequence[int],
    values: Sequence[Sequence[float]],
    moments_ns: Sequence[int] | NDArray[np.int64],
    arrived_ns: int,
    sender_s: NDArray[np.float64] | float = np.nan,
) -> NDArray[np.void]:
    """Return rows (n,) of `WAITING`; numbers that a row does not have are NaN."""
    rows = np.zeros(len(signals), WAITING)
    rows["signal"], rows["moment_ns"] = signals, moments_ns
    rows["arrived_ns"], rows["sender_s"] = arrived_ns, sender_s
    rows["values"] = [(*numbers, *_FILL[len(numbers) :]) for numbers in values]
    return rows


_FILL = (np.nan,) * MAX_VALUES


def _settled_ns(run: Run) -> int:
    """Return before when no frame can have begun that has not come."""
    parts, last = run.parts, run.timeline.last
    if parts is None or last is None or run.records_inside:
        return 0
    if parts.acquisition.statistics().last_number != last.number:
        return 0  # there are newer ones, which wait for the disk
    period_s = 1 / parts.description.rate if parts.description.rate > 0 else 0.0
    return time.perf_counter_ns() - round((SETTLED_S + 2 * period_s) * 1e9)


def _numbers(count: int) -> str:
    return "no numbers" if not count else f"{count} number{'s' * (count > 1)}"
