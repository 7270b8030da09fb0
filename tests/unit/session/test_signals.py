"""Numbers beside the frames: which frame each row is about, which file has it, what becomes of the others."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.errors import UsageError
from recorder.files.checks import Kind, structure_of
from recorder.files.opened.signals import Signal, read_signals
from recorder.frontends.terminal import summary_text
from recorder.session import signals as module
from recorder.session.session import Session
from recorder.session.signal_figures import SignalFigures
from recorder.session.signals import waiting_rows
from recorder.session.status import Summary
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from tests.virtual_time import VirtualClock


@pytest.fixture
async def session(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Session]:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 32},
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    await session.start()
    yield session
    await session.close()


def exposed_ns(session: Session, number: int) -> int:
    """When the frame with this counter begins; frames come every 10 ms."""
    assert session.run is not None
    sensor = session.run._camera
    assert isinstance(sensor, SimulatedCamera)
    return sensor._armed_ns + (number - 1) * 10_000_000


async def send(session: Session, name: str, count: int, every_s: float) -> None:
    """Send rows, each with its moment in s since the first frame."""
    signal = session.signals.index_of(name, 1)
    for _ in range(count):
        await asyncio.sleep(every_s)
        now_ns = time.perf_counter_ns()
        since_s = (now_ns - exposed_ns(session, 1)) * 1e-9
        session.signals.add(waiting_rows([signal], [[since_s]], [now_ns], now_ns))


def stored(path: Path, name: str) -> tuple[Signal, list[int]]:
    """The rows of a signal in a file, and the counter of the frame that each is about."""
    signal = read_signals(path)[name]
    with h5py.File(path) as file:
        return signal, file[DETECTOR]["frame_number"][:][signal.frame].tolist()


def numbers_at(signal: Signal) -> list[int]:
    """The counters of the frames that were exposed at the moments that `send` sent."""
    numbers: list[int] = ((signal.values[:, 0] // 0.01).astype(int) + 1).tolist()
    return numbers


async def test_each_row_is_about_the_frame_exposed_at_its_moment(session: Session, tmp_path: Path) -> None:
    await asyncio.sleep(0.1)
    await send(session, "lick", 100, 0.00371)
    ended = await session.close()
    assert ended.signals.saved == {"lick": 100}
    lick, numbers = stored(tmp_path / "x.h5", "lick")
    assert len(lick) == 100
    assert numbers == numbers_at(lick)
    # On the axis of the frames' times; the simulated camera's frames arrive as their exposure ends.
    assert np.allclose(lick.time, lick.values[:, 0], atol=1e-3)
    assert np.isnan(lick.sender_time).all()


async def test_a_row_stands_in_the_file_of_its_frame(session: Session, tmp_path: Path) -> None:
    sending = asyncio.create_task(send(session, "lick", 300, 0.00371))
    await asyncio.sleep(0.3)
    path, _ = await session.save(True)
    await sending
    ended = await session.close()
    assert path is not None
    assert ended.signals.saved == {"lick": 300}
    for file in (tmp_path / "x.h5", path):
        lick, numbers = stored(file, "lick")
        assert 50 < len(lick) < 250
        assert numbers == numbers_at(lick)


async def test_rows_of_one_name_have_as_many_numbers_as_the_first(session: Session) -> None:
    await session.signals.store("pupil", [0.3, np.nan, 12.0], time.perf_counter_ns())
    with pytest.raises(UsageError, match="pupil: 2 numbers; its rows have 3, as its first one had"):
        await session.signals.store("pupil", [1.0, 2.0], time.perf_counter_ns())
    for name, numbers in (("3", [1.0]), ("a b", [1.0]), ("x" * 33, [1.0]), ("many", [1.0] * 9), ("none", [])):
        with pytest.raises(UsageError, match=r"is no name of a signal|a row has 1 to 8"):
            session.signals.index_of(name, len(numbers))
    for i in range(module.MAX_SIGNALS - 1):
        session.signals.index_of(f"s{i}", 1)
    with pytest.raises(UsageError, match="no more can be; did you mean pupil"):
        session.signals.index_of("pupils", 1)


async def test_without_room_rows_are_lost_and_counted(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 10)
    await asyncio.sleep(0.1)
    signal, now_ns = session.signals.index_of("wheel", 1), time.perf_counter_ns()
    session.signals.add(waiting_rows([signal] * 25, [[1.0]] * 25, [now_ns] * 25, now_ns))
    began = time.perf_counter()
    await session.signals.room()
    assert 0 < time.perf_counter() - began < module.ROOM_S
    await send(session, "wheel", 1, 0.01)
    ended = await session.close()
    assert ended.for_json()["signals"] == {"wheel": 11}
    assert ended.for_json()["signals_lost"] == {"wheel": 15}
    told = [problem for problem in structure_of(tmp_path / "x.h5").problems if problem.check == "signals"]
    assert [(problem.kind, problem.text) for problem in told] == [
        (Kind.LOSS, "15 rows of wheel were lost: they found no room in memory")
    ]


async def test_a_disk_that_stalls_holds_up_no_row(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of that time wait for their own frames, which are not known before the disk answers."""
    append, stalls = Recording.append, iter([True])

    def stalling(self: Recording, *args: object) -> None:
        if next(stalls, False):
            time.sleep(4)
        append(self, *args)  # type: ignore[arg-type]

    await asyncio.sleep(0.1)
    monkeypatch.setattr(Recording, "append", stalling)
    await send(session, "lick", 120, 0.0537)
    ended = await session.close()
    assert ended.signals.saved == {"lick": 120}
    lick, numbers = stored(tmp_path / "x.h5", "lick")
    assert numbers == numbers_at(lick)


async def test_nothing_is_stored_while_nothing_runs_or_is_saved(session: Session) -> None:
    await send(session, "lick", 3, 0.05)
    await session.save(False)
    await asyncio.sleep(0.2)
    await send(session, "lick", 2, 0.05)
    session.stop()
    ended = await session.stopped()
    assert ended is not None
    assert (ended.signals.saved, ended.signals.unsaved) == ({"lick": 3}, {"lick": 2})
    now_ns = time.perf_counter_ns()
    with pytest.raises(UsageError, match="not running: a row is stored beside the frame being exposed"):
        session.signals.add(waiting_rows([0], [[1.0]], [now_ns], now_ns))


async def test_a_row_without_a_later_frame_is_about_the_last(session: Session, tmp_path: Path) -> None:
    await asyncio.sleep(0.1)
    frame, is_saved = await session.signals.store("lick", [1.0], time.perf_counter_ns())
    assert is_saved
    session.stop()
    await session.signals.written()
    await session.close()
    assert frame is not None
    assert stored(tmp_path / "x.h5", "lick")[1] == [frame.number]


def test_a_summary_tells_of_rows_and_those_lost() -> None:
    figures = SignalFigures.of_all(
        [SignalFigures(Counter(lick=3)), SignalFigures(Counter(lick=2, wheel=1), lost=Counter(wheel=7))]
    )
    summary = replace(Summary.of_runs([]), signals=figures)
    told = summary_text(summary)
    assert "signals 6 saved (lick 5, wheel 1), 7 lost (wheel 7)" in told
    assert "nothing lost" not in told
    assert "nothing lost" in summary_text(Summary.of_runs([]))
