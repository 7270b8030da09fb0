"""Answers of several cameras to one line: told as they come, or as one to a program."""

import asyncio
from collections.abc import Callable
from typing import Any

from recorder.frontends.rig.camera_process import CameraAnswer, SentLine

# Answers that come within this time are told together: of two cameras that say the same, once.
TOGETHER_S = 0.3

# Takes the cameras that answered, and what all of them answered.
Tell = Callable[[tuple[str, ...], CameraAnswer], None]


def told_by_all(tell: Tell, names: tuple[str, ...], answer: CameraAnswer) -> None:
    """Tell an answer that any camera would have given."""
    del names
    tell((), answer)


async def told(sent: dict[str, SentLine], tell: Tell | None) -> None:
    """Wait for the answers and tell them as they come, those that say the same together."""
    waiting = {name: line.answer for name, line in sent.items()}
    while waiting:
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        if not all(answer.done() for answer in waiting.values()):
            await asyncio.wait(waiting.values(), timeout=TOGETHER_S)
        groups: dict[CameraAnswer, list[str]] = {}
        for name in [name for name, answer in waiting.items() if answer.done()]:
            groups.setdefault(waiting.pop(name).result(), []).append(name)
        for answer, names in groups.items():
            if tell is not None:
                tell(tuple(names), answer)


async def over(sent: dict[str, SentLine]) -> None:
    """Wait until what lines began is over."""
    for line in sent.values():
        await line.over.wait()


class ClientAnswers:
    """The answers of cameras to a line, as one for a program."""

    def __init__(self) -> None:
        self.cameras: dict[str, dict[str, Any]] = {}
        self._texts: list[str] = []
        self._statuses = {"ok"}
        self.did_something = False

    def note(self, names: tuple[str, ...], answer: CameraAnswer) -> None:
        """Add the answer of these cameras."""
        self.did_something |= not answer.only_tells
        self._statuses.add(answer.status)
        self._texts.append(f"{', '.join(names)}: {answer.message}" if names else answer.message)
        fields = {"status": answer.status, "message": answer.message}
        for name in names:
            self.cameras[name] = {**fields, "effective_frame": answer.effective_frame}

    def refuse(self, why: str) -> None:
        """Add why no camera has heard of it."""
        self.note((), CameraAnswer("refused", why))

    @property
    def status(self) -> str:
        """The worst status."""
        return next(status for status in ("failed", "refused", "ok") if status in self._statuses)

    @property
    def text(self) -> str:
        """What all of them say."""
        return "; ".join(self._texts)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the answer."""
        return {"status": self.status, "message": self.text, "cameras": self.cameras}
