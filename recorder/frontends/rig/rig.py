"""All cameras of a rig: lines go to them at one moment, and what becomes of one is told and acted on."""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from recorder.control.command_types import Conversation
from recorder.control.registry import turn_of
from recorder.errors import RecorderError, UsageError
from recorder.frontends.event_log import EventLog
from recorder.frontends.rig.answers import ClientAnswers, Tell, over, told, told_by_all
from recorder.frontends.rig.camera_process import CameraAnswer, CameraProcess, SentLine
from recorder.frontends.rig.lines import command_of, for_camera
from recorder.session.status import FinishReason
from recorder.settings.rig import OnFailure
from recorder.storage.records import Verdict

log = logging.getLogger(__name__)

# How much of a line that others gave is shown.
MAX_SHOWN = 120


@dataclass
class _Asked:
    """What of a conversation each camera's process knows it by, and which cameras have asked a question."""

    number: int
    names: tuple[str, ...] = ()


def _log(text: str, failed: bool) -> None:
    log.log(logging.ERROR if failed else logging.INFO, "%s", text)


@dataclass
class Rig:
    """The processes of all cameras, by name, `master` the one that is started last ("": none).

    `tell` is called with what concerns nobody's line: text, and whether it is of something that failed.
    `news` has that too, and what lines did, for the page over all cameras.
    `leaving` is set once the rig is to be left; `on_change` is called when a camera has another file or
    end. On the event loop's thread.
    """

    cameras: dict[str, CameraProcess]
    master: str
    on_failure: OnFailure
    on_change: Callable[[], None] = lambda: None
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    news: EventLog = field(default_factory=EventLog)
    tell: Callable[[str, bool], None] = _log

    def __post_init__(self) -> None:
        self._starting: set[str] = set()
        self._asked: weakref.WeakKeyDictionary[Conversation, _Asked] = weakref.WeakKeyDictionary()
        self._numbers = count(1)
        self._interrupted = 0
        self._heard = asyncio.Event()
        self._under_way: set[asyncio.Task[dict[str, Any]]] = set()

    # How they stand.

    @property
    def names(self) -> list[str]:
        """The names of the cameras."""
        return list(self.cameras)

    @property
    def alive(self) -> list[CameraProcess]:
        """The cameras whose processes run."""
        return [camera for camera in self.cameras.values() if camera.is_alive]

    @property
    def running(self) -> bool:
        """Whether any camera records, or is being started."""
        return bool(self._starting) or any(camera.running for camera in self.cameras.values())

    def is_over(self) -> bool:
        """Whether no camera records, and none was merely stopped: there is nothing to wait for."""
        if self.running:
            return False
        stopped = [c for c in self.alive if c.end is not None and c.end.reason == FinishReason.STOPPED.name]
        return not stopped

    def hear(self, camera: CameraProcess, event: dict[str, Any]) -> None:
        """Act on what a camera's process has told."""
        self._heard.set()
        match event["event"]:
            case "log":
                level = logging.getLevelNamesMapping().get(str(event["level"]).upper(), logging.INFO)
                log.log(level, "%s: %s", camera.name, event["text"])
            case "page" if event["told"]:
                log.info("%s: page: %s", camera.name, event["told"])
            case "told":
                self._say(f"{camera.name}: {event['text']}", failed=event["status"] != "ok")
            case "end" if camera.end is not None:
                if camera.end.verdict == Verdict.FAILED and camera.name not in self._starting:
                    self._on_failure(camera, camera.end.cause)
                elif not self.leaving.is_set():
                    self._say(f"{camera.name}: {camera.end.text.splitlines()[0]}")
                self.on_change()
            case "file" | "gone" | "summary" | "figures":
                if event["event"] == "gone" and camera.died and camera.ready.is_set():
                    helps = "".join(f"; recorder recover {file}" for file in list(camera.files)[-1:])
                    self._on_failure(camera, f"{camera.died}{helps}")
                self.on_change()

    def _say(self, text: str, *, failed: bool = False) -> None:
        """Tell what concerns nobody's line."""
        self.tell(text, failed)
        # Failures that are logged are among the news by that.
        if not failed or self.tell is not _log:
            self.news.add(time.time(), "failed" if failed else "ok", text)

    def _on_failure(self, camera: CameraProcess, why: str) -> None:
        self._say(f"{camera.name} failed: {why}", failed=True)
        others = [other for other in self.alive if other is not camera and other.running]
        if not others:
            return
        names = ", ".join(other.name for other in others)
        if self.on_failure == "go on":
            self._say(f'{names}: going on, as rig.on_failure = "go on" says')
            return
        self._say(f'{names}: stopping, as rig.on_failure = "stop all" says', failed=True)
        for other in self._in_order(others):
            other.send("stop", "script", 0, time.perf_counter_ns())

    def _in_order(self, cameras: Iterable[CameraProcess]) -> list[CameraProcess]:
        """Return cameras in the order in which they are stopped: that which triggers the others first."""
        return sorted(cameras, key=lambda camera: camera.name != self.master)

    # What is done to them.

    async def begin(self) -> None:
        """Start all processes; raises RecorderError where one does not, all the reasons in it."""
        begun = await asyncio.gather(*(c.begin() for c in self.cameras.values()), return_exceptions=True)
        failures = [error for error in begun if isinstance(error, BaseException)]
        for error in failures:
            if not isinstance(error, RecorderError):
                raise error
        if failures:
            raise RecorderError("; ".join(map(str, failures)))

    async def start(self, source: str = "script", conversation: int = 0, tell: Tell | None = None) -> bool:
        """Begin a run of all cameras: those that are triggered are armed before the one that triggers them.

        Where one fails to, those that this has begun are stopped; returns whether none failed.
        """
        if self.leaving.is_set():
            return False
        if not self.alive:
            raise UsageError("no camera is there any more: quit, then recorder rig again")
        self._starting = {camera.name for camera in self.alive}
        answers: dict[str, CameraAnswer] = {}
        try:
            for stage in ([c for c in self.alive if c.name != self.master], [self.cameras.get(self.master)]):
                cameras = [c for c in stage if c is not None and c.is_alive]
                at_ns = time.perf_counter_ns()
                sent = {c.name: c.send("start", source, conversation, at_ns) for c in cameras}
                await told(sent, tell)
                answers |= {name: line.answer.result() for name, line in sent.items()}
                if any(answer.status == "failed" for answer in answers.values()):
                    break
        finally:
            self._starting = set()
            self._heard.set()
        failed = [name for name, answer in answers.items() if answer.status == "failed"]
        begun = [self.cameras[name] for name, answer in answers.items() if answer.status == "ok"]
        if failed and begun:
            names = ", ".join(camera.name for camera in begun)
            self._say(f"{names}: stopped again, as {', '.join(failed)} could not be started", failed=True)
            await self.stop(begun)
        self.on_change()
        return not failed

    async def stop(self, cameras: Sequence[CameraProcess] | None = None) -> None:
        """Stop what runs, the master first, and wait until all is over."""
        running = [c for c in (self.alive if cameras is None else cameras) if c.running]
        at_ns = time.perf_counter_ns()
        stopping = [c.send("stop", "script", 0, at_ns) for c in self._in_order(running)]
        await asyncio.gather(*(line.over.wait() for line in stopping))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once a condition on what the cameras have told holds."""
        while not condition():
            self._heard.clear()
            await self._heard.wait()

    def interrupt(self) -> int:
        """Have every camera stop as by Ctrl-C, then abort, then end at once; return how often it was."""
        self._interrupted += 1
        self.leaving.set()
        for camera in self._in_order(self.alive):
            camera.interrupt(self._interrupted)
        return self._interrupted

    async def leave(self) -> None:
        """Stop all cameras and end their processes in order."""
        self.leaving.set()
        if not self._interrupted:
            await self.stop()
            at_ns = time.perf_counter_ns()
            for camera in self.alive:
                camera.send("quit now", "script", 0, at_ns)
        await asyncio.gather(*(camera.gone.wait() for camera in self.cameras.values() if camera.is_alive))

    # Lines.

    async def execute(self, line: str, conversation: Conversation, tell: Tell) -> None:
        """Carry out a line given now, for all cameras or one; `tell` is called with each answer.

        Raises UsageError where it is wrong: then no camera has heard of it.
        """
        at_ns = time.perf_counter_ns()
        tell = partial(self._told, tell, conversation)
        rest = _without_target(line)
        async with conversation.turns.taken(turn_of(rest)) as answered:
            asked = self._asked.setdefault(conversation, _Asked(next(self._numbers)))
            on_yes, names = conversation.on_yes, asked.names
            conversation.ask("", "")
            asked.names = ()
            word = line.strip().lower()
            if on_yes and word in {"y", "yes", "n", "no"}:
                if names:
                    sent = {name: self._send(name, word, conversation, at_ns) for name in names}
                    await told(sent, tell)
                    await over(sent)
                    return
                if word in {"n", "no"}:
                    tell((), CameraAnswer("ok", "going on", "going on"))
                    return
                line = on_yes
            await self._execute(line, conversation, asked, at_ns, tell, answered)

    async def _execute(
        self,
        line: str,
        conversation: Conversation,
        asked: _Asked,
        at_ns: int,
        tell: Tell,
        answered: Callable[[], None],
    ) -> None:
        found = command_of(line, self.names)
        if found is None:
            return
        name, command, rest = found
        is_quit = command.name in {"quit", "quit now"}
        if is_quit and name:
            raise UsageError(
                f"{line.strip()}: one leaves all cameras together; {name}: stop ends its recording"
            )
        if is_quit:
            self._quit(command.name, conversation)
            tell((), CameraAnswer("ok", "leaving", "leaving"))
            return
        if command.name == "start" and not name:
            await self.start(conversation.source, asked.number, tell)
            return
        cameras = [self.cameras[name]] if name else self.alive
        if not cameras:
            raise UsageError("no camera is there any more: quit, then recorder rig again")
        if command.name == "help":
            # All know the same.
            cameras = [camera for camera in cameras if camera.is_alive][:1] or cameras
            tell = partial(told_by_all, tell)
        sent = {}
        for camera in self._in_order(cameras) if command.ends_run else cameras:
            own = rest if name else for_camera(rest, camera.name)
            sent[camera.name] = self._send(camera.name, own, conversation, at_ns)
        await told(sent, tell)
        answered()
        self._note_questions(conversation, asked, {name: line.answer.result() for name, line in sent.items()})
        await over(sent)

    def _send(self, name: str, line: str, conversation: Conversation, at_ns: int) -> SentLine:
        number = self._asked[conversation].number
        return self.cameras[name].send(line, conversation.source, number, at_ns)

    def _note_questions(
        self, conversation: Conversation, asked: _Asked, answers: dict[str, CameraAnswer]
    ) -> None:
        """Have the next line be the answer to what the cameras ask, where they do."""
        asked.names = tuple(name for name, answer in answers.items() if answer.question)
        if asked.names:
            question = answers[asked.names[0]].question
            conversation.ask(f"{', '.join(asked.names)}: {question}", "y")

    def _quit(self, name: str, conversation: Conversation) -> None:
        """Leave; where frames are being saved and somebody can be asked, raise UsageError with a question."""
        saving = [c.name for c in self.alive if c.saving]
        if name == "quit" and saving and conversation.source != "script":
            conversation.ask("leave?", "quit now")
            are = "is" if len(saving) == 1 else "are"
            raise UsageError(
                f"{', '.join(saving)} {are} being saved; stop, close the files and leave? y/N "
                "(quit now does not ask)"
            )
        self.leaving.set()

    def _told(
        self, tell: Tell, conversation: Conversation, names: tuple[str, ...], answer: CameraAnswer
    ) -> None:
        """Tell an answer to whoever gave the line, and note it for others."""
        tell(names, answer)
        if not answer.only_tells:
            text = f"{', '.join(names)}: {answer.text}" if names else answer.text
            self.news.add_answer(answer.status, text, conversation.source, conversation)

    async def execute_for_client(self, line: str, conversation: Conversation) -> dict[str, Any]:
        """Execute a line for a program; return status and message of all, and the answer of each camera.

        Where the caller is cancelled, only the waiting ends: no line is half carried out.
        """
        task = asyncio.ensure_future(self._answer_of_all(line, conversation))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _answer_of_all(self, line: str, conversation: Conversation) -> dict[str, Any]:
        answers = ClientAnswers()
        try:
            await self.execute(line, conversation, answers.note)
        except RecorderError as error:
            answers.refuse(str(error))
        except Exception as error:
            log.exception("%s: internal error", line.strip()[:MAX_SHOWN])
            answers.note((), CameraAnswer("failed", f"internal error: {error!r}"))
        if answers.did_something:
            self.tell(
                f"{conversation.source}: {line.strip()[:MAX_SHOWN]}: {answers.text}", answers.status != "ok"
            )
        return answers.fields


def _without_target(line: str) -> str:
    """Return what a line is to do, whichever camera it is for."""
    head, colon, rest = line.partition(":")
    return rest if colon and len(head.split()) == 1 else line
