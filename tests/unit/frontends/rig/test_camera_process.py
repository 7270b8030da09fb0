"""The process of a camera: what it tells, how it ends, whoever ends it."""

import asyncio
import os
import signal
import sys
from typing import Any

import pytest

from recorder.errors import RecorderError
from recorder.frontends.rig.camera_process import CameraProcess

READY = """
import json, os, sys, time
tell = lambda **told: print(json.dumps(told), flush=True)
tell(event="ready")
"""
ANSWER = """
for line in sys.stdin:
    asked = json.loads(line)
    standing = {"run": 1, "running": True, "saving": True, "path": "x.h5"}
    tell(event="answer", id=asked["id"], status="ok", message=asked["line"] + " done", table=[], **standing)
    if asked["line"] == "die":
        sys.exit("recorder: the cable")
    tell(event="over", id=asked["id"])
end = {"verdict": "complete", "cause": "stopped", "reason": "STOPPED", "exit_code": 0, "text": "complete"}
tell(event="summary", run=1, running=False, files=[{"file": "x.h5"}, {"file": "y.h5"}], frames=7, **end)
"""


def camera(script: str, events: list[Any] | None = None) -> CameraProcess:
    return CameraProcess(
        "left",
        [sys.executable, "-c", READY + script],
        lambda _, told: None if events is None else events.append(told["event"]),
    )


async def test_lines_are_answered_and_its_end_is_told() -> None:
    events: list[str] = []
    left = camera(ANSWER, events)
    await left.begin()
    sent = left.send("mark a", "console", 1, 0)
    assert (await sent.answer).message == "mark a done"
    await sent.over.wait()
    assert (left.running, left.saving, [str(path) for path in left.files]) == (True, True, ["x.h5"])
    await left.close()
    assert left.summary is not None
    assert (left.summary.verdict, left.summary.fields["frames"], left.died) == ("complete", 7, "")
    assert [str(path) for path in left.files] == ["x.h5", "y.h5"]
    assert (left.running, left.is_alive) == (False, False)
    assert events == ["ready", "answer", "over", "summary", "gone"]
    late = left.send("mark b", "console", 1, 0)
    assert ((await late.answer).status, (await late.answer).text) == ("failed", "mark b: has left")


async def test_what_it_said_last_is_why_it_ended() -> None:
    left = camera(ANSWER)
    await left.begin()
    sent = left.send("die", "console", 1, 0)
    assert (await sent.answer).status == "ok"
    # What waits for more than the answer waits no longer.
    await sent.over.wait()
    await left.close()
    assert (left.died, left.summary) == ("the cable", None)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_a_kill_is_called_by_its_name() -> None:
    left = camera("sys.stdin.readline()\nos.kill(os.getpid(), 9)")
    await left.begin()
    sent = left.send("mark a", "console", 1, 0)
    answer = await sent.answer
    assert (answer.status, answer.message) == ("failed", "its process was ended by SIGKILL")
    await left.close()
    assert left.died == "its process was ended by SIGKILL"


async def test_one_that_cannot_begin_says_why() -> None:
    left = CameraProcess(
        "left", [sys.executable, "-c", "import sys; sys.exit('recorder: no such camera')"], lambda *_: None
    )
    with pytest.raises(RecorderError, match="left: no such camera"):
        await left.begin()
    await left.close()
    nothing = CameraProcess("left", ["/nowhere/at/all"], lambda *_: None)
    with pytest.raises(RecorderError, match="left: its process cannot be begun"):
        await nothing.begin()
    await nothing.close()


async def test_one_that_does_not_read_holds_up_nobody() -> None:
    left = camera("time.sleep(60)")
    await left.begin()
    sent = [left.send("note " + "x" * 900, "console", 1, 0) for _ in range(500)]
    await asyncio.sleep(0)
    assert not any(line.answer.done() for line in sent)
    assert left._process is not None
    left._process.kill()
    await left.close()


async def test_one_that_hangs_gives_up_its_lines_and_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.frontends.rig.camera_process.SILENT_S", 0.2)
    script = """
asked = json.loads(sys.stdin.readline())
sys.stdin.readline()
tell(event="answer", id=asked["id"], status="ok", message="done", text="mark a done", only_tells=False)
tell(event="over", id=asked["id"])
for line in sys.stdin: pass
"""
    left = camera(script)
    await left.begin()
    sent = left.send("mark a", "console", 1, 0)
    await sent.over.wait()
    assert left.is_silent
    assert (await sent.answer).text == "mark a: does not answer; what becomes of it is told when it does"
    records: list[str] = []
    monkeypatch.setattr(
        "recorder.frontends.rig.camera_process.log.warning", lambda text, *words: records.append(text % words)
    )
    left.send("go on", "console", 1, 0)
    while left._sent.keys() != {2}:
        await asyncio.sleep(0.01)
    assert not left.is_silent
    assert records == ["left answers again: mark a done"]
    await left.close()
    assert not left.is_silent


async def test_it_is_interrupted_by_words_and_at_last_ended() -> None:
    heard: list[Any] = []
    script = "for line in sys.stdin:\n    tell(event='log', level='info', text=line.strip())"
    left = camera(script)
    left._on_event = lambda _, told: heard.append(told.get("text"))
    await left.begin()
    left.interrupt(1)
    left.interrupt(2)
    while len(heard) < 3:
        await asyncio.sleep(0.01)
    assert heard == [None, '{"interrupt": 1}', '{"interrupt": 2}']
    left.interrupt(3)
    await left.gone.wait()
    assert left.died
    left.interrupt(4)
    await left.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_its_death_is_seen_where_another_program_holds_its_pipes() -> None:
    """Such as the browser of a preview window."""
    told: list[str] = []
    left = camera(
        "import subprocess\nother = subprocess.Popen(['sleep', '60'])\n"
        "tell(event='log', text=str(other.pid))\nsys.stdin.readline()\nos.kill(os.getpid(), 9)"
    )
    left._on_event = lambda _, event: told.append(event.get("text", ""))
    await left.begin()
    sent = left.send("mark a", "console", 1, 0)
    assert (await sent.answer).message == "its process was ended by SIGKILL"
    await left.close()
    # It is there to this moment.
    os.kill(int(told[1]), signal.SIGKILL)
