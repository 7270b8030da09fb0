"""What happened, as the displays tell it: warnings and errors of the log, and answers to commands."""

import logging
import time
from collections import deque
from typing import Any

from recorder.control.command_types import Conversation
from recorder.control.dispatcher import Answer

# Events, and answers to commands, that a page which is opened late, or again, still gets to see.
KEPT = 100


class EventLog(logging.Handler):
    """Events for the displays: warnings, errors, what others had done.

    Used on the event loop's thread, except that log records come from any. An event has the moment (`at`,
    Unix time in s), the `kind` and the `text`; that a command was answered also the `source` of the command.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # Apart, so that no crowd of marks takes the place of a failure.
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT)
        self._answers: deque[tuple[int, dict[str, Any], Conversation | None]] = deque(maxlen=KEPT)
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record of the log as an event."""
        self.add(record.created, record.levelname.lower(), record.getMessage())

    def add(self, at: float, kind: str, text: str) -> None:
        """Note an event."""
        self.acquire()
        try:
            self._count += 1
            self._events.append((self._count, {"at": at, "kind": kind, "text": text}))
        finally:
            self.release()

    def on_answer(self, answer: Answer) -> None:
        """Note the answer to a command that did something; what the camera remarks is in the log already."""
        if answer.only_tells or answer.source == "camera":
            return
        self.add_answer(answer.result.status, answer.text, answer.source, answer.conversation)

    def add_answer(self, status: str, text: str, source: str, conversation: Conversation | None) -> None:
        """Note an answer with this status to a line that `source` gave, in a conversation perhaps."""
        event = {"at": time.time(), "kind": status, "source": source, "text": text}
        self.acquire()
        try:
            self._count += 1
            self._answers.append((self._count, event, conversation))
        finally:
            self.release()

    def after(self, count: int, besides: Conversation | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Return the events after the first `count`, and the count to ask with next time.

        Answers in the conversation `besides` are left out: who had it has seen them.
        """
        self.acquire()
        try:
            found = [(number, event) for number, event in self._events if number > count]
            found += [
                (number, event)
                for number, event, conversation in self._answers
                if number > count and (besides is None or conversation is not besides)
            ]
            return self._count, [event for _, event in sorted(found, key=lambda one: one[0])]
        finally:
            self.release()
