"""What a soak test does to a recorder, as a rig does: marks, notes, exposures, files, runs, pages; and looks.

Every method of `Rig` that is a part of the test runs in a task of its own until `over` is set.
"""

import asyncio
import contextlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks.soak_books import Books
from tests.benchmarks.soak_report import Machine, look_at, parse_status

TOKEN = "soak-token"

# When something is done: so many s after the beginning, or of the minute.
SAMPLE_S = 10
NOTE_S = 37
EXPOSURE_S = 23
EXPOSURES_MS = (5, 1, 3, 2, 4)
SAVE_NEW_AT = 15
VISIT_FROM, VISIT_TO = 22, 28

# How long an answer may take.
ANSWER_S = 60.0

# How long a file may be about to be closed before anybody opens it.
CLOSING_S = 10.0


class Connection:
    """A kept connection to the remote control server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        made = cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        await made.ask(TOKEN)
        return made

    async def ask(self, line: str) -> dict[str, Any]:
        """Send a line and return its answer."""
        async with asyncio.timeout(ANSWER_S):
            self._writer.write(line.encode() + b"\n")
            answer = await self._reader.readline()
        if not answer:
            raise ConnectionError(f"no answer to {line[:40]}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self._writer.close()


class Rig:
    """A rig with a recorder, whose process is `pid`; `hand_over` is called with files that are being closed.

    `hand_over` takes the file, the number of its run, and in how many s it may be opened.
    """

    def __init__(
        self, books: Books, ports: tuple[int, int], hand_over: Callable[[str, int, float], None]
    ) -> None:
        self._books, self._hand_over = books, hand_over
        self.port, self.page_port = ports
        self.over = asyncio.Event()
        self.run, self.current = 1, ""
        # Frames and losses of the runs that are over.
        self._before: Counter[str] = Counter()
        # Whether a run is ending or beginning: marks may be refused then.
        self._between = False

    async def connect(self, is_there: Callable[[], bool]) -> Connection:
        """Wait until the recorder records, as long as its process is there."""
        while is_there():
            with contextlib.suppress(OSError):
                control = await Connection.open(self.port)
                figures = parse_status((await control.ask("status"))["message"])
                if figures.get("state") == "running":
                    self.current = figures["path"]
                    return control
                control.close()
            await asyncio.sleep(0.1)
        raise TimeoutError("the recorder does not record")

    async def _until(self, n: int) -> bool:
        """Wait for second `n` of the test; False once it is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, n - self._books.now_s)):
                await self.over.wait()
        return not self.over.is_set()

    # Commands.

    async def marks(self) -> None:
        """Send a mark each second, or as soon as the one before is answered."""
        connection = await Connection.open(self.port)
        n, counts = 0, self._books.counts
        while await self._until(n := n + 1):
            between, began_s = self._between, time.monotonic()
            answer = await connection.ask(f"mark m{n} second {n}")
            self._books.took("mark", time.monotonic() - began_s)
            between = between or self._between
            counts["sent"] += 1
            frame = answer.get("effective_frame")
            if answer["status"] == "ok" and frame is not None:
                self._books.mark(f"m{n}", frame)
            elif between:
                counts["refused between runs"] += 1
            else:
                self._books.problem(f"mark m{n}: {answer}")
        connection.close()

    async def commands(self, control: Connection, new_every: int, stop_every: int) -> None:
        """Have a new file each `new_every` s, a new run each `stop_every` s, notes and exposures between."""
        n = 0
        while await self._until(n := n + 1):
            if n % stop_every == stop_every // 2 + 5:
                await self._stop_and_start(control)
            if n % new_every == SAVE_NEW_AT % new_every:
                answer = await self._ask(control, "save new")
                self._hand_over(self.current, self.run, CLOSING_S)
                self.current = answer["message"].removeprefix("saving ")
            if n % NOTE_S == 0:
                await self._ask(control, f"note n{n} it is second {n}")
                self._books.note(f"n{n}")
            if n % EXPOSURE_S == 0:
                await self._ask(control, f"exposure {EXPOSURES_MS[n // EXPOSURE_S % len(EXPOSURES_MS)]}ms")

    async def _stop_and_start(self, control: Connection) -> None:
        self._between = True
        await self._ask(control, "stop")
        figures = parse_status((await control.ask("status"))["message"])
        for name in ("frames", "lost"):
            self._before[name] += figures[name]
        self._hand_over(self.current, self.run, CLOSING_S)
        answer = await self._ask(control, "start")
        self.run += 1
        self.current = answer["message"].removeprefix("started, saving ")
        # By then its first frame has come, which a mark needs.
        await asyncio.sleep(1)
        self._between = False

    async def _ask(self, control: Connection, line: str) -> dict[str, Any]:
        began_s = time.monotonic()
        answer = await control.ask(line)
        took_s = round(time.monotonic() - began_s, 4)
        self._books.took(line.split(maxsplit=1)[0], took_s)
        self._books.write("event", line=line, answer=answer, took_s=took_s)
        if answer["status"] != "ok":
            raise ValueError(f"{line}: {answer}")
        return answer

    # Pages.

    async def page(self) -> None:
        """Be a page that stays."""
        await self._look(float("inf"), "pictures")

    async def visits(self) -> None:
        """Be a page that comes and leaves, each minute."""
        n = VISIT_FROM
        while await self._until(n):
            await self._look(n - VISIT_FROM + VISIT_TO, "pictures of visits")
            self._books.counts["visits"] += 1
            n += 60

    async def _look(self, until_s: float, counted: str) -> None:
        """Draw pictures, each when the one before is drawn, until a time of the test."""
        address = f"http://127.0.0.1:{self.page_port}/"
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{address}?token={TOKEN}") as answer:
                assert "<canvas" in await answer.text()
            async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
                await page.send_json({"ready": True})
                while not self.over.is_set() and self._books.now_s < until_s:
                    message = await page.receive(timeout=ANSWER_S)
                    if message.type is aiohttp.WSMsgType.BINARY:
                        self._books.counts[counted] += 1
                        await page.send_json({"ready": True})
                    elif message.type is not aiohttp.WSMsgType.TEXT:
                        raise ConnectionError(f"the page was closed: {message.type}, {page.close_code}")

    # What is looked at.

    async def samples(self, pid: int, folder: Path) -> None:
        """Write a sample of the process and of its own figures each `SAMPLE_S`."""
        connection = await Connection.open(self.port)
        n, books, machine = 0, self._books, Machine()
        while await self._until(n := n + SAMPLE_S):
            began_s = time.monotonic()
            figures = parse_status((await connection.ask("status"))["message"])
            books.took("status", time.monotonic() - began_s)
            if self._between:
                # The run before may be counted twice, or not yet.
                continue
            books.write(
                "sample",
                **figures,
                **look_at(pid),
                **machine.look(),
                all_frames=self._before["frames"] + figures["frames"],
                all_lost=self._before["lost"] + figures["lost"],
                acknowledged=books.counts["acknowledged"],
                found=books.counts["found"],
                pictures=books.counts["pictures"],
                files=len(books.checked),
                backlog=books.handed - len(books.checked),
                free_gb=round(shutil.disk_usage(folder).free / 1e9, 1),
            )
        connection.close()
