"""The journal: a log of every command, one line of JSON each; the first line has the configuration.

Each line is handed to the operating system as it happens, so that it survives a kill; the end of a run and of
the session waits until all lines are on the disk, so that they survive a power cut.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_type_hints

import aiofiles

from recorder import __version__
from recorder.errors import NotOurFileError, StorageError, UsageError
from recorder.settings.model import Settings, validate
from recorder.storage.direct_io import sync_folder
from recorder.storage.records import CommandRow

log = logging.getLogger(__name__)

# A line is on the disk this long after it was written, at the latest.
SYNC_S = 1.0


@dataclass(frozen=True)
class JournalEntry:
    """One command; `frame` is the last frame before it, as an index into its file (-1: none).

    `number` is that frame's counter (0: none). `effective_frame` and `effective_number` are index and counter
    of the first frame that the command changed, or of the frame marked. `time` is UTC (ISO 8601), `elapsed_s`
    counts from the first frame of the run, `run` from 1 on.
    """

    seq: int
    time: str
    elapsed_s: float
    frame: int
    source: str
    command: str
    status: str
    message: str
    effective_frame: int | None
    run: int
    number: int
    effective_number: int | None

    def row(self, frame: int, effective_frame: int) -> CommandRow:
        """Return the row for a file in which the two frames have these indices (-1: not in this file)."""
        return CommandRow(
            seq=self.seq,
            time=self.time,
            elapsed_s=self.elapsed_s,
            frame=frame,
            source=self.source,
            command=self.command,
            status=self.status,
            message=self.message,
            effective_frame=effective_frame,
            number=self.number or -1,
            effective_number=-1 if self.effective_number is None else self.effective_number,
        )


class Journal:
    """The journal that is being written, to be used in `async with`; with `path` None nothing is written.

    The event loop does not wait for the disk: lines are written, and synced at most a second later, on other
    threads. A line that cannot be written is logged once, and written with the next one that can; trouble
    with the journal never ends a recording. `async with` makes the file: raises UsageError where it exists,
    StorageError where it cannot be made or written.
    """

    def __init__(self, path: Path | None, settings: Settings) -> None:
        self.path = path
        self._settings = settings
        self._file: Any = None
        self._made_folder = False
        self._written = 0  # bytes that are in the file
        self._waiting = b""  # lines that are not
        self._writing = asyncio.Lock()
        self._is_in_trouble = False
        self._syncing: asyncio.Future[None] | None = None
        self._write_thread = ThreadPoolExecutor(1, "journal")
        self._sync_thread = ThreadPoolExecutor(1, "journal sync")

    async def __aenter__(self) -> Self:
        if self.path is None:
            return self
        try:
            self._made_folder = not self.path.parent.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = await aiofiles.open(self.path, "xb", buffering=0, executor=self._write_thread)
        except FileExistsError:
            await self._close()
            raise UsageError(f"{self.path}: exists already, and nothing is ever overwritten") from None
        except OSError as error:
            await self._close()
            raise StorageError(f"{self.path}: cannot be made: {error.strerror or error}") from None
        header = {
            "recorder": __version__,
            "started": utc_now(),
            "configuration": self._settings.to_tree(),
        }
        try:
            await self._write(header)
            await self._sync()
            await self._on_sync_thread(sync_folder, self.path.parent)
        except OSError as error:
            await self.discard()
            raise StorageError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        except asyncio.CancelledError:
            await self.discard(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
        if self._file is None:
            return
        try:
            await self._write(None)
            await self._sync()
        except OSError as error:
            self._log_trouble(error)
        if self._waiting:
            log.error("%s: %d commands could not be written to it", self.path, self._waiting.count(b"\n"))
        await self._close()

    async def _close(self, *, wait: bool = True) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                await self._file.close()
            self._file = None
        # What they had to do was waited for, but by one who was cancelled.
        self._write_thread.shutdown(wait=wait)
        self._sync_thread.shutdown(wait=wait)

    async def discard(self, *, wait: bool = True) -> None:
        """Close and remove the journal, and its folder if that was made for it and is empty.

        With `wait` its threads are idle, and have ended when this returns.
        """
        if self._file is not None and self.path is not None:
            await self._close(wait=wait)
            with contextlib.suppress(OSError):
                self.path.unlink()
                if self._made_folder:
                    self.path.parent.rmdir()

    async def add(self, entry: JournalEntry) -> None:
        """Append a command."""
        await self._append(vars(entry))

    async def go_on_in(self, file: Path, run: int) -> None:
        """Append a remark: frames of run `run` go to a next file, also where no command asked for it."""
        await self._append({"next_file": file.name, "run": run})

    async def note_stream(self, rows: Mapping[str, int], refused: int, run: int) -> None:
        """Append a remark: a stream of signals has ended, whose rows, by name, are in the files alone."""
        await self._append({"stream": dict(rows), "refused": refused, "run": run, "time": utc_now()})

    async def end(self, run: int, last_number: int, verdict: str) -> None:
        """Append how run `run` ended, with its last frame's counter."""
        await self._append({"end_of_run": run, "last_number": last_number, "verdict": verdict})

    async def _append(self, line: dict[str, Any]) -> None:
        try:
            await self._write(line)
        except OSError as error:
            self._log_trouble(error)
            return
        if self._file is not None and self._syncing is None:
            self._syncing = asyncio.ensure_future(self._sync_later())

    async def _write(self, line: dict[str, Any] | None) -> None:
        """Write a line, after those that could not be written before; raises OSError."""
        if self._file is None:
            return
        if line is not None:
            self._waiting += json.dumps(line, ensure_ascii=False).encode() + b"\n"
        async with self._writing:
            # What an attempt that failed has left is written over.
            await self._file.seek(self._written)
            while self._waiting:
                count = await self._file.write(self._waiting)
                self._written += count
                self._waiting = self._waiting[count:]

    async def _sync_later(self) -> None:
        try:
            await asyncio.sleep(SYNC_S)
            await self._sync()
        except OSError as error:
            self._log_trouble(error)
        finally:
            self._syncing = None

    async def _sync(self) -> None:
        """Wait until all lines are on the disk; raises OSError."""
        if self._file is not None:
            await self._on_sync_thread(os.fsync, self._file.fileno())

    async def _on_sync_thread(self, work: Callable[..., None], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._sync_thread, work, *args)

    def _log_trouble(self, error: OSError) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            log.error("%s: cannot be written: %s; the recording goes on", self.path, error.strerror or error)


def utc_now() -> str:
    """Return the date and time in UTC, to the millisecond (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class JournalContents:
    """What a journal holds: configuration, commands, and the last counter of each run that ended (by run).

    `streamed` rows of signals were stored, of which it has nothing else.
    """

    settings: Settings
    entries: tuple[JournalEntry, ...]
    last_numbers: dict[int, int]
    streamed: int = 0


def read_journal(path: Path) -> JournalContents:
    """Read a journal, without a last line that was cut short by a kill; blocks until it is read.

    Raises UsageError where there is none, NotOurFileError where it is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such journal") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotOurFileError(f"{path}: cannot be read as a journal: {error}") from None
    last = lines.pop()
    try:
        # A kill may cut the last line anywhere; one that is whole but for its end counts.
        with contextlib.suppress(ValueError):
            lines += [last] if isinstance(json.loads(last), dict) else []
        header, *rows = [json.loads(line) for line in lines if line]
        settings = validate(header["configuration"])
        entries = tuple(_entry(row) for row in rows if "seq" in row)
        ends = {int(row["end_of_run"]): int(row["last_number"]) for row in rows if "end_of_run" in row}
        streamed = sum(sum(map(int, row["stream"].values())) for row in rows if "stream" in row)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise NotOurFileError(f"{path}: not a journal of this recorder: {error}") from None
    return JournalContents(settings, entries, ends, streamed)


def _entry(row: dict[str, Any]) -> JournalEntry:
    """Return the command of a line; raises TypeError where a field is missing, or of another kind."""
    entry = JournalEntry(**row)
    for name, kind in get_type_hints(JournalEntry).items():
        value = getattr(entry, name)
        if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
            raise TypeError(f"{name} = {str(value)[:40]!r} is of another kind")
    return entry
