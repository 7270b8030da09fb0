import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.assembly import build_session
from recorder.control.command_types import CommandResult, Conversation
from recorder.control.dispatcher import Answer
from recorder.frontends import news as module
from recorder.frontends.event_log import KEPT
from recorder.frontends.live_status import live_status
from recorder.frontends.news import News
from recorder.frontends.rate_meter import RateMeter
from recorder.session.session import Session
from recorder.settings.model import validate
from tests.virtual_time import VirtualClock


def session_in(folder: Path) -> Session:
    tree = {
        "recording": {"output": str(folder / "x.h5")},
        "camera": {"width": 64, "height": 48, "rate": 100.0},
        "pool": {"memory": "20MB"},
    }
    return build_session(validate(tree), dry_run=False)


async def test_how_a_session_stands_is_told_with_its_reason(
    tmp_path: Path, virtual_time: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_in(tmp_path)
    news = News(session)
    assert news.standing().kind == "idle"
    await session.start()
    await asyncio.sleep(0.2)
    assert (news.standing().kind, news.standing().text) == ("live", "")
    await session.save(False)
    assert news.standing().kind == "not saving"
    monkeypatch.setattr(module, "SILENT_S", -1.0)
    last = news.standing()
    assert last.kind == "silent"
    monkeypatch.undo()
    session.stop()
    await session.stopped()
    ended = news.standing()
    assert ended.kind == "stopped"
    assert ended.text.startswith("stopped; ")
    assert " 0 lost" in ended.text
    assert news.standing() is ended
    count, events = news.after(0)
    assert [event["kind"] for event in events] == ["live", "not saving", "silent", "stopped"]
    assert news.after(count) == (count, [])
    await session.close()


async def test_a_failure_is_told_with_its_cause(tmp_path: Path, virtual_time: VirtualClock) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 48, "faults": [{"kind": "disconnect", "at": 20}]},
        "pool": {"memory": "20MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    news = News(session)
    await session.start()
    summary = await session.stopped()
    assert summary is not None
    assert news.standing().kind == "failed"
    assert summary.cause in news.standing().text
    await session.close()


async def test_warnings_are_events_and_plain_messages_are_not(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    news = News(session)
    logger = logging.getLogger("recorder.test_news")
    logger.addHandler(news)
    logger.warning("lost %d frames", 3)
    logger.info("page: with a token")
    logger.removeHandler(news)
    _, events = news.after(0)
    await session.close()
    assert [(event["kind"], event["text"]) for event in events] == [("warning", "lost 3 frames")]


async def test_marks_are_counted_with_the_session_and_the_last_labels_kept(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_in(tmp_path)
    await session.start()
    for label in ("a", "b", "a"):
        await session.mark(label, "", "test", 0, 5)
    told = live_status(session, RateMeter()).for_json()
    assert (told["marks"], told["labels"]) == (3, ["a", "b"])
    await session.close()


def answered(line: str, source: str, message: str, conversation: Conversation | None = None) -> Answer:
    return Answer(line, source, None, CommandResult("ok", message), conversation=conversation)


async def test_what_others_do_is_an_event_and_what_one_does_oneself_is_not(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    news, page = News(session), Conversation("page")
    news.on_answer(answered("mark a", "page", "mark a on frame 5 (counter 6)", page))
    news.on_answer(answered("exposure 4ms", "console", "exposure 4ms from frame 7 on"))
    news.on_answer(replace(answered("status", "console", "running"), only_tells=True))
    news.on_answer(answered("note hot", "camera", "noted"))
    news.on_answer(answered("set remote.token secret", "console", "read at the start"))
    told = [(event["source"], event["kind"], event["text"]) for event in news.after(0, page)[1]]
    assert told[0] == ("console", "ok", "exposure 4ms from frame 7 on")
    assert [source for source, _, _ in told] == ["console", "console"]
    assert "secret" not in str(told)
    count, everything = news.after(0)
    assert next(event["text"] for event in everything) == "mark a on frame 5 (counter 6)"
    assert news.after(count) == (count, [])
    await session.close()


async def test_a_crowd_of_marks_pushes_no_failure_out(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    news = News(session)
    news.handle(
        logging.makeLogRecord({"msg": "lost 3 frames", "levelno": logging.WARNING, "levelname": "WARNING"})
    )
    for i in range(KEPT + 50):
        news.on_answer(answered(f"mark m{i}", "remote", f"mark m{i} on frame {i}"))
    _, events = news.after(0)
    assert events[0]["text"] == "lost 3 frames"
    assert len(events) == KEPT + 1
    await session.close()


async def test_marks_are_told_with_their_moment_until_they_are_taken_back(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_in(tmp_path)
    news = News(session)
    await session.start()
    entered_ns = time.perf_counter_ns()
    for label in ("a", "b"):
        await session.mark(label, "", "test", entered_ns, 5)
    assert news.marks() == [[entered_ns * 1e-9, "a"], [entered_ns * 1e-9, "b"]]
    session.marks.take_back(session.marks.placed[-1], "test", 0.0)
    assert [label for _, label in news.marks()] == ["a"]
    await session.mark("old", "", "test", entered_ns - int((module.MARKED_S + 1) * 1e9), 5)
    assert [label for _, label in news.marks()] == ["a"]
    await session.close()
