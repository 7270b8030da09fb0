"""Lines from a page: carried out as they come, each answered to the page that sent it.

A page sends objects of JSON with any of these keys: `command` (a line), `mark` (true: mark the frame with
the next of such labels), `complete` (the text before the cursor), and `id`, which comes back with
the answer.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from recorder.control.command_types import Conversation

# How many commands of one page may be under way at once.
UNDER_WAY = 16

# Takes a line; returns the fields of CommandResult.
Execute = Callable[[str, Conversation], Awaitable[dict[str, Any]]]


class CommandConnection:
    """The connection to one page, called `source` in the journal: carries out its lines.

    `answer` is called with the answer to each command and completion, with the `id` of the message; the
    answer to a command has `asks`: whether it is a question, for y or n. Marks that come without a label get
    the name `label` and a number, which `numbered` counts by these names.
    """

    def __init__(
        self,
        command: Execute,
        complete: Callable[[str], list[tuple[str, str]]],
        numbered: Counter[str],
        source: str,
        answer: Callable[[dict[str, Any]], Awaitable[None]],
        label: str = "",
    ) -> None:
        self._command, self._complete, self._numbered, self._answer = command, complete, numbered, answer
        self._label = label or source
        self.conversation = Conversation(source)
        self._under_way: set[asyncio.Task[None]] = set()

    async def receive(self, message: object) -> None:
        """Carry out a message; a command is begun only, but waits while `UNDER_WAY` others are under way.

        Raises ValueError for a message that makes no sense, and what `answer` raises.
        """
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        if isinstance(message.get("complete"), str):
            words = self._complete(message["complete"])
            await self._answer({"id": message.get("id"), "words": words})
        line = message.get("command")
        if message.get("mark"):
            self._numbered[self._label] += 1
            line = f"mark {self._label}{self._numbered[self._label]}"
        if isinstance(line, str):
            if len(self._under_way) >= UNDER_WAY:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._execute(line, message.get("id")))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _execute(self, line: str, number: object) -> None:
        result = await self._command(line, self.conversation)
        with contextlib.suppress(OSError):
            await self._answer({"id": number, **result, "asks": bool(self.conversation.on_yes)})

    async def close(self) -> None:
        """Stop waiting for commands under way; they are carried out all the same, without an answer."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
