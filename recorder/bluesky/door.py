"""A running recorder, spoken to through its remote control server; on one event loop."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from recorder.errors import RecorderError
from recorder.frontends.remote_client import send

# The line that `status` answers while there is a run, or after one.
_STATUS = re.compile(
    r"(?P<state>\w+), saving (?P<where>.*?); "
    r"(?P<written>\d+) frames (?P<kept>written \(\d+ durable\)|not written), "
    r"\d+ delivered, (?P<lost>\d+) lost;"
    r"(?:.*?; frames (?P<width>\d+)x(?P<height>\d+) (?P<dtype>\w+))?"
)


@dataclass(frozen=True)
class Figures:
    """Where a recorder stands: frames `written` into files by this run, and `lost`.

    `state` is "idle" before the first run, "closed" after one. `shape` is height and width of its frames,
    `dtype` their type; None and "" before the camera is open.
    """

    state: str
    written: int = 0
    lost: int = 0
    shape: tuple[int, int] | None = None
    dtype: str = ""

    @classmethod
    def read(cls, text: str) -> "Figures":
        """Take apart what `status` answers; raises RecorderError."""
        if text.isalpha():
            return cls(text)
        found = _STATUS.match(text)
        if found is None:
            raise RecorderError(f'this recorder is of another version: it answers "{text}" to status')
        is_known = found["width"] is not None
        return cls(
            found["state"],
            int(found["written"]) if found["kept"] != "not written" else 0,
            int(found["lost"]),
            (int(found["height"]), int(found["width"])) if is_known else None,
            np.dtype(found["dtype"]).str if is_known else "",
        )

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self.state not in {"idle", "closed"}


class Door:
    """Lines to the recorder at `where` (HOST:PORT), over one connection that is made as it is needed."""

    def __init__(self, where: str, token: str) -> None:
        self.where, self._token = where, token
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._answers: AsyncGenerator[dict[str, object], None] | None = None
        self._lock = asyncio.Lock()

    async def ask(self, line: str) -> str:
        """Have a line carried out; return what is answered.

        Raises RecorderError where that is no "ok", or nobody answers.
        """
        async with self._lock:
            if self._answers is None:
                given = send(self.where, self._token, self._given())
                self._answers = cast("AsyncGenerator[dict[str, object], None]", given)
            await self._lines.put(line)
            try:
                answer = await anext(self._answers)
            except BaseException:
                # Whose answer the next one is, nobody knows: the next line has a connection of its own.
                await self._hang_up()
                raise
        if answer["status"] != "ok":
            raise RecorderError(f"{self.where}: {line}: {answer['message']}")
        return str(answer["message"])

    async def figures(self) -> Figures:
        """Return where the recorder stands; raises RecorderError."""
        return Figures.read(await self.ask("status"))

    async def _given(self) -> AsyncIterator[str]:
        while True:
            yield await self._lines.get()

    async def _hang_up(self) -> None:
        answers, self._answers, self._lines = self._answers, None, asyncio.Queue()
        if answers is not None:
            with contextlib.suppress(RuntimeError):  # of a task that was cancelled within it
                await answers.aclose()

    async def close(self) -> None:
        """Close the connection; a second time does nothing."""
        async with self._lock:
            await self._hang_up()
