import asyncio
import logging
from pathlib import Path

import pytest

from recorder.assembly import build_session
from recorder.frontends import news as module
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
