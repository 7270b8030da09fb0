"""Lines of one source that come faster than they are carried out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h5py
import pytest

import recorder.control.turns as module
from recorder.assembly import build_session
from recorder.control.command_types import CommandResult, Conversation
from recorder.control.dispatcher import Answer, Dispatcher
from recorder.control.registry import COMMANDS
from recorder.control.turns import Turn, Turns
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from tests.virtual_time import VirtualClock


@pytest.fixture
async def dispatch(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    """A running session that makes a file in 0.2 s."""
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "4ms"},
        "pool": {"memory": "8MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    prepare = session.files.prepare

    async def prepare_slowly(*arguments: Any) -> int:
        await asyncio.sleep(0.2)
        return await prepare(*arguments)

    session.files.prepare = prepare_slowly  # type: ignore[assignment, method-assign]
    async with session_context(session) as opened:
        await session.start()
        await session.run.timeline.delivered(1)  # type: ignore[union-attr]
        yield opened
        await session.close()


async def typed_at_once(dispatch: Dispatcher, *lines: str) -> list[str]:
    """Give lines without waiting for their answers, as a console does; return these."""
    conversation = Conversation("console")
    found = await asyncio.gather(*(dispatch.converse(line, conversation) for line in lines))
    return [f"{one.status}: {one.message}" for one in found if one is not None]


async def test_what_is_typed_at_once_is_done_in_its_order(dispatch: Dispatcher, tmp_path: Path) -> None:
    answers = await typed_at_once(
        dispatch, "save off", "save new second", "stop", "set camera.rate 50", "start", "save off", "quit"
    )
    assert [answer.partition(":")[0] for answer in answers] == ["ok"] * 7, answers
    assert answers[1] == f"ok: saving {tmp_path / 'second.h5'}"
    assert answers[4] == f"ok: started, saving {tmp_path / 'x_2.h5'}"
    with h5py.File(tmp_path / "second.h5") as file:
        assert file["entry/verdict"][()] == b"complete"
    assert not dispatch.session.saving


async def test_a_question_is_asked_before_its_answer_is_read(dispatch: Dispatcher) -> None:
    answers = await typed_at_once(dispatch, "save new", "quit", "y")
    assert answers[1].startswith("refused: ")
    assert answers[2] == "ok: leaving"


async def test_a_mark_is_on_the_frame_of_its_moment_and_the_next_line_takes_back_that_one(
    dispatch: Dispatcher,
) -> None:
    await typed_at_once(dispatch, "mark first")
    last = dispatch.session.run.timeline.last  # type: ignore[union-attr]
    _, _, listed, _ = await typed_at_once(dispatch, "save new", "mark second", "marks", "unmark")
    assert "second: frame" in listed
    first, second = dispatch.session.marks.placed
    assert (first.is_taken_back, second.is_taken_back) == (False, True)
    assert last is not None
    assert second.frame is not None
    assert second.frame.number <= last.number + 3


async def test_what_waits_for_a_frame_holds_up_nobody_and_the_end_waits_for_it_only_so_long(
    virtual_time: VirtualClock,
) -> None:
    turns, order = Turns(), list[str]()
    forever = asyncio.Event()

    async def line(name: str, turn: Turn) -> None:
        async with turns.taken(turn) as answered:
            order.append(name)
            if name in {"mark", "hangs"}:
                await forever.wait()
            answered()

    tasks = [
        asyncio.ensure_future(line(name, turn))
        for name, turn in (
            ("mark", Turn.FOR_A_FRAME),
            ("note", Turn.IN_TURN),
            ("save", Turn.WHEN_OVER),
            ("hangs", Turn.IN_TURN),
            ("later", Turn.IN_TURN),
            ("status", Turn.AT_ONCE),
            ("stop", Turn.LAST),
        )
    ]
    await asyncio.sleep(module.LAST_S / 2)
    assert order == ["mark", "note", "save", "hangs", "status"]
    await asyncio.sleep(module.LAST_S)
    assert order[-1] == "stop"
    forever.set()
    await asyncio.gather(*tasks)
    assert order[-1] == "later"


def test_what_does_not_work_names_its_command_once() -> None:
    refused = CommandResult("refused", "the camera is not running")
    assert Answer("save on", "console", COMMANDS["save"], refused).typed_text == (
        "save: the camera is not running"
    )
    missing = CommandResult("refused", "mark: LABEL is missing; write: mark LABEL [TEXT...]")
    assert Answer("mark", "console", COMMANDS["mark"], missing).typed_text == missing.message
    assert Answer("foo", "console", None, refused).typed_text == refused.message
