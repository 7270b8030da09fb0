"""What a rig makes of lines and of what its cameras tell; the processes are stood in for."""

import asyncio
import logging

import pytest

from recorder.control import commands
from recorder.control.command_types import Conversation
from recorder.errors import UsageError
from recorder.frontends.rig.camera_process import CameraAnswer, CameraEnd, CameraProcess, SentLine
from recorder.frontends.rig.rig import Rig
from recorder.settings.rig import OnFailure

assert commands

Told = list[tuple[tuple[str, ...], str]]


class FakeProcess(CameraProcess):
    """A camera that answers as `answers` says, at once unless `holds` has the line's command."""

    def __init__(self, name: str, heard: list[tuple[str, str]]) -> None:
        super().__init__(name, [], lambda *_: None)
        self.heard = heard
        self.answers: dict[str, CameraAnswer] = {}
        self.holds: set[str] = set()
        self.moments: list[int] = []
        self.ready.set()

    @property
    def is_alive(self) -> bool:
        return not self.gone.is_set()

    def send(self, line: str, source: str, conversation: int, at_ns: int) -> SentLine:
        self.heard.append((self.name, line))
        self.moments.append(at_ns)
        sent = SentLine(line)
        word = line.split(maxsplit=1)[0]
        answer = self.answers.get(word, CameraAnswer("ok", f"{word} done", f"{word} done"))
        if word in {"start", "stop"} and answer.status == "ok":
            self.running = word == "start"
        if word in self.holds:
            self.held = sent, answer
        else:
            sent.answer.set_result(answer)
            sent.over.set()
        return sent

    def end_with(self, verdict: str, cause: str) -> None:
        self.running = False
        self._end = CameraEnd(self.runs, verdict, cause, "CAMERA", 1, f"{verdict}: some frames\nfigures")


class Bench:
    """A rig of two such cameras, and what was told of it."""

    def __init__(self, on_failure: OnFailure = "go on") -> None:
        self.heard: list[tuple[str, str]] = []
        self.cameras = {name: FakeProcess(name, self.heard) for name in ("left", "right")}
        self.rig = Rig(dict(self.cameras), "left", on_failure)
        self.told: Told = []
        self.events: list[str] = []
        self.rig.tell = lambda text, failed: self.events.append(f"{'! ' * failed}{text}")
        self.conversation = Conversation("console")

    async def type(self, line: str) -> None:
        await self.rig.execute(line, self.conversation, lambda names, a: self.told.append((names, a.message)))


async def test_a_line_for_all_has_one_moment() -> None:
    bench = Bench()
    await bench.type("mark a")
    assert bench.heard == [("left", "mark a"), ("right", "mark a")]
    assert bench.cameras["left"].moments == bench.cameras["right"].moments
    # Who says the same is told once.
    assert bench.told == [(("left", "right"), "mark done")]
    await bench.type("right: mark b")
    assert bench.heard[2:] == [("right", "mark b")]
    with pytest.raises(UsageError, match="no such camera"):
        await bench.type("lfet: mark c")
    with pytest.raises(UsageError, match="unknown command"):
        await bench.type("mrak c")
    assert len(bench.heard) == 3


async def test_the_master_is_started_last_and_stopped_first() -> None:
    bench = Bench()
    bench.cameras["right"].holds = {"start"}
    typing = asyncio.ensure_future(bench.type("start"))
    await asyncio.sleep(0.01)
    # Until the other is armed the master hears nothing.
    assert bench.heard == [("right", "start")]
    sent, answer = bench.cameras["right"].held
    sent.answer.set_result(answer)
    sent.over.set()
    await typing
    assert bench.heard[1:] == [("left", "start")]
    await bench.type("stop")
    assert bench.heard[2:] == [("left", "stop"), ("right", "stop")]


async def test_where_one_cannot_be_started_the_others_are_stopped_again() -> None:
    bench = Bench()
    bench.cameras["left"].answers["start"] = CameraAnswer("failed", "no cable", "no cable")
    assert not await bench.rig.start()
    assert bench.heard == [("right", "start"), ("left", "start"), ("right", "stop")]
    assert bench.events == ["! right: stopped again, as left could not be started"]
    bench.heard.clear()
    bench.cameras["right"].answers["start"] = CameraAnswer("failed", "no cable", "no cable")
    assert not await bench.rig.start()
    # The master is not started for nobody.
    assert bench.heard == [("right", "start")]


@pytest.mark.parametrize("on_failure", ["go on", "stop all"])
async def test_what_fails_is_told_and_the_others_do_as_the_rig_says(on_failure: OnFailure) -> None:
    bench = Bench(on_failure)
    await bench.rig.start()
    bench.heard.clear()
    left = bench.cameras["left"]
    left.end_with("failed", "the cable")
    bench.rig.hear(left, {"event": "end"})
    assert bench.events[0] == "! left failed: the cable"
    assert bench.heard == ([] if on_failure == "go on" else [("right", "stop")])
    assert not bench.rig.is_over() or on_failure == "stop all"


async def test_one_that_died_is_told_with_what_helps() -> None:
    bench = Bench()
    await bench.rig.start()
    left = bench.cameras["left"]
    left._note("file", {"path": "x_left.h5"})
    left.died, left.running = "its process was ended by SIGKILL", False
    left.gone.set()
    bench.rig.hear(left, {"event": "gone"})
    assert bench.events[0] == "! left failed: its process was ended by SIGKILL; recorder recover x_left.h5"
    bench.heard.clear()
    await bench.type("mark a")
    assert bench.heard == [("right", "mark a")]


async def test_what_a_camera_asks_is_answered_to_it_alone() -> None:
    bench = Bench()
    question = CameraAnswer("refused", "expose for 20s?", "expose for 20s?", question="expose for 20s?")
    bench.cameras["right"].answers["exposure"] = question
    await bench.type("exposure 20s")
    assert bench.conversation.question == "right: expose for 20s?"
    await bench.type("y")
    assert bench.heard[2:] == [("right", "y")]
    # Any other line is no answer, and y is then none either.
    await bench.type("exposure 20s")
    await bench.type("left: mark a")
    with pytest.raises(UsageError, match='unknown command "y"'):
        await bench.type("y")


async def test_quit_asks_while_frames_are_saved() -> None:
    bench = Bench()
    await bench.rig.start()
    bench.cameras["right"].saving = True
    with pytest.raises(UsageError, match="right is being saved; stop, close the files and leave"):
        await bench.type("quit")
    await bench.type("n")
    assert (bench.told[-1], bench.rig.leaving.is_set()) == (((), "going on"), False)
    with pytest.raises(UsageError, match="right is being saved"):
        await bench.type("quit")
    await bench.type("y")
    assert bench.rig.leaving.is_set()
    with pytest.raises(UsageError, match="one leaves all cameras together"):
        await bench.type("left: quit now")


async def test_a_client_that_goes_away_leaves_no_line_half_carried_out() -> None:
    bench = Bench()
    bench.cameras["right"].holds = {"start"}
    asking = asyncio.ensure_future(bench.rig.execute_for_client("start", Conversation("page")))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    sent, answer = bench.cameras["right"].held
    sent.answer.set_result(answer)
    sent.over.set()
    while len(bench.events) < 1:
        await asyncio.sleep(0.01)
    # The master was started, too, and whoever sits at the console hears of it.
    assert bench.heard == [("right", "start"), ("left", "start")]
    assert bench.events[0].startswith("page: start: ")


async def test_an_error_of_our_own_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.cameras["left"].send = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]
    answer = await bench.rig.execute_for_client("mark a", Conversation("page"))
    assert (answer["status"], "ZeroDivisionError" in answer["message"]) == ("failed", True)
    assert "mark a: internal error" in caplog.text


async def test_programs_get_all_answers_as_one() -> None:
    bench = Bench()
    bench.cameras["left"].answers["mark"] = CameraAnswer("ok", "on frame 3", effective_frame=3)
    bench.cameras["right"].answers["mark"] = CameraAnswer("refused", "not running")
    told = await bench.rig.execute_for_client("mark a", Conversation("remote"))
    assert (told["status"], told["message"]) == ("refused", "left: on frame 3; right: not running")
    assert told["cameras"]["left"] == {"status": "ok", "message": "on frame 3", "effective_frame": 3}
    assert bench.events == ["! remote: mark a: left: on frame 3; right: not running"]
    told = await bench.rig.execute_for_client("lfet: mark a", Conversation("remote"))
    assert (told["status"], told["cameras"]) == ("refused", {})


def test_what_a_camera_logs_has_its_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def hear() -> None:
        bench = Bench()
        bench.rig.hear(bench.cameras["left"], {"event": "log", "level": "warning", "text": "it is hot"})

    asyncio.run(hear())
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("WARNING", "left: it is hot")]
