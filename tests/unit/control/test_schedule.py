"""Lines carried out later: when, on which frame, until when; and again in a replay."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.control import schedule_commands
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import read_journal
from recorder.control.journal_replay import replay_journal
from recorder.control.plan import MOST
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.virtual_time import VirtualClock


def settings_in(folder: Path) -> dict[str, Any]:
    return {
        "recording": {"output": str(folder / "x.h5")},
        "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "4ms"},
        "pool": {"memory": "8MB"},
    }


@pytest.fixture
async def dispatch(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    """A session on a small simulated camera, running."""
    session = build_session(validate(settings_in(tmp_path)), dry_run=False)
    async with session_context(session) as opened:
        await session.start()
        await session.run.timeline.delivered(1)  # type: ignore[union-attr]
        yield opened
        await session.close()


async def typed(dispatch: Dispatcher, line: str, source: str = "console") -> str:
    outcome = await dispatch.execute(line, source)
    assert outcome is not None
    return f"{outcome.status}: {outcome.message}"


def labels(dispatch: Dispatcher) -> list[str]:
    return [placed.mark.label for placed in dispatch.session.marks.placed]


def marked(path: Path) -> dict[str, int]:
    with h5py.File(path) as file:
        return {row["label"].decode(): int(row["number"]) for row in file["entry/marks"]}


async def test_a_frame_that_is_coming_has_its_mark_and_its_exposure(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    assert await typed(dispatch, "at counter 300 mark x") == "ok: planned as 1: at counter 300 mark x"
    # As it was written before, and stands in journals.
    assert await typed(dispatch, "at frame 400 exposure 2ms") == (
        "ok: planned as 2: at counter 400 exposure 2ms"
    )
    await typed(dispatch, "at counter 500 save new second")
    await dispatch.session.run.timeline.delivered(600)  # type: ignore[union-attr]
    await typed(dispatch, "stop")
    assert marked(tmp_path / "x.h5") == {"x": 300}
    with h5py.File(tmp_path / "x.h5") as file:
        exposures = file[DETECTOR]["count_time"][:]
        assert np.flatnonzero(exposures == 0.002)[0] + 1 == 400
        assert len(exposures) == 499
    with h5py.File(tmp_path / "second.h5") as file:
        assert file[DETECTOR]["sequence_number"][0] == 500


async def test_what_has_passed_is_refused(dispatch: Dispatcher) -> None:
    await dispatch.session.run.timeline.delivered(100)  # type: ignore[union-attr]
    assert "refused: counter 50 has passed: it is at" in await typed(dispatch, "at counter 50 mark x")
    told = await typed(dispatch, "at 100 ms mark x")
    assert told.startswith("refused: 100ms has passed: the run is 0.")
    assert told.endswith("in 100ms LINE counts from now")
    # What is proposed has not passed.
    for line in ("at 0:00 mark x", "at 25:00 mark x"):
        (day,) = re.findall(r"20\d\d-\d\d-\d\dT\d\d:\d\d", await typed(dispatch, line))
        assert datetime.fromisoformat(day) > datetime.now()
        assert (await typed(dispatch, f"at {day} mark x")).startswith("ok: planned as ")
    assert "write an hour such as 14:30" in await typed(dispatch, "at 25:00 mark x")
    for number in (1, 2):
        await typed(dispatch, f"at cancel {number}")
    assert await typed(dispatch, "at list") == "ok: nothing is planned"


async def test_in_counts_from_now(dispatch: Dispatcher) -> None:
    await asyncio.sleep(1.0)
    assert await typed(dispatch, "in 500 ms mark later left") == "ok: planned as 1: in 500ms mark later left"
    await asyncio.sleep(0.4)
    assert labels(dispatch) == []
    await asyncio.sleep(0.2)
    assert labels(dispatch) == ["later"]
    assert dispatch.plan.lines == {}


async def test_every_goes_on_until_it_is_cancelled(dispatch: Dispatcher) -> None:
    await typed(dispatch, "every 1s mark tick")
    await typed(dispatch, "in 1h stop", "remote")
    await typed(dispatch, "every 30s mark rare")
    await typed(dispatch, "at 5min mark there")
    await typed(dispatch, "at frame 60000 mark counted")
    told = await typed(dispatch, "at list")
    assert told == (
        "ok: 1: every 1s mark tick (console), due in 1 s; 2: in 1h stop (remote), due in 60 min; "
        "3: every 30s mark rare (console), due in 30 s; 4: at 5min mark there (console), due in 5 min; "
        "5: at counter 60000 mark counted (console), due in 5 min"
    )
    await asyncio.sleep(3.5)
    assert "mark rare (console), due in 26 s" in await typed(dispatch, "at list")
    assert labels(dispatch) == ["tick"] * 3
    assert await typed(dispatch, "at cancel 1") == "ok: cancelled: every 1s mark tick"
    assert "refused: no line 1 is planned" in await typed(dispatch, "at cancel 1")
    await asyncio.sleep(2)
    assert labels(dispatch) == ["tick"] * 3
    assert "at least 100ms" in await typed(dispatch, "every 1ms mark tick")


async def test_what_is_planned_ends_with_its_run_but_for_a_start(dispatch: Dispatcher) -> None:
    await typed(dispatch, "every 1s mark tick")
    await typed(dispatch, "in 3s mark late")
    await typed(dispatch, "in 2s start")
    await typed(dispatch, "in 1500ms stop")
    await asyncio.sleep(1.8)
    assert [planned.line for planned in dispatch.plan.lines.values()] == ["start"]
    await asyncio.sleep(2)
    assert dispatch.session.runs == 2
    assert labels(dispatch) == ["tick"]


async def test_an_hour_of_the_clock(dispatch: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    began_s, moment = asyncio.get_running_loop().time(), datetime(2026, 11, 24, 14, 29, 50).astimezone()

    def now() -> datetime:
        return moment + timedelta(seconds=asyncio.get_running_loop().time() - began_s)

    monkeypatch.setattr(schedule_commands, "_now", now)
    for line in ("at 14:30 mark hour", "at 14:29:55 mark second", "at 2026-11-24T14:31 mark minute"):
        assert (await typed(dispatch, line)).startswith("ok: planned")
    await asyncio.sleep(12)
    assert labels(dispatch) == ["second", "hour"]
    await asyncio.sleep(60)
    assert labels(dispatch) == ["second", "hour", "minute"]


async def test_lines_that_plan_lines_come_to_an_end(dispatch: Dispatcher) -> None:
    await typed(dispatch, "every 100ms in 1h note more")
    await asyncio.sleep(12)
    assert len(dispatch.plan.lines) == MOST


async def test_a_password_is_not_listed(dispatch: Dispatcher) -> None:
    told = await typed(dispatch, "in 1h set remote.token s3cret")
    assert "s3cret" not in told + await typed(dispatch, "at list")


async def test_a_replay_gives_the_same_frames(dispatch: Dispatcher, tmp_path: Path) -> None:
    for line in (
        "every 300ms mark tick",
        "at counter 200 exposure 2ms",
        "at counter 250 mark here",
        "at list",
    ):
        await typed(dispatch, line)
    await typed(dispatch, "in 700ms exposure 1ms")
    await dispatch.session.run.timeline.delivered(300)  # type: ignore[union-attr]
    await typed(dispatch, "unmark")
    await typed(dispatch, "at cancel 1")
    await typed(dispatch, "stop")
    await dispatch.session.close()
    again = build_session(validate(settings_in(tmp_path / "again")), dry_run=False)
    async with session_context(again) as second:
        await again.start()
        await replay_journal(read_journal(tmp_path / "x.commands.jsonl"), second, "frame")
        await again.close()
    found = []
    for path in (tmp_path / "x.h5", tmp_path / "again" / "x.h5"):
        with h5py.File(path) as file:
            rows = [(r["label"], r["text"], r["number"]) for r in file["entry/marks"]]
            found.append((sorted(rows), file["data"][:], file[DETECTOR]["count_time"][:]))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][2], found[1][2])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert (b"here", b"", 250) in found[0][0]
    assert len({row[2] for row in found[0][0] if row[0] == b"tick"}) >= 4
