import asyncio
import threading
import time
import weakref
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import h5py
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.assembly import build_session
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.control.dispatcher import Dispatcher
from recorder.files.reader import describe
from recorder.frontends.session_context import session_context
from recorder.session.session import Session
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.virtual_time import VirtualClock

# Lines that would end or delay the session if they were carried out.
EFFECTIVE = {"quit", "stop", "save", "wait", "start", "snapshot", "at"}


@pytest.fixture
async def sitting(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 32},
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:
        await session.start()
        yield dispatch
        summary = await session.close()
        assert summary.lost == 0


def armed_ns(session: Session) -> int:
    assert session.run is not None
    sensor = session.run._camera
    assert isinstance(sensor, SimulatedCamera)
    return sensor._armed_ns


async def test_a_mark_lands_on_the_frame_exposed_at_its_moment(sitting: Dispatcher) -> None:
    session = sitting.session
    await asyncio.sleep(0.3)
    for _ in range(20):
        await asyncio.sleep(0.013)
        moment_ns = time.perf_counter_ns()
        found = await session.mark("now", "", "test", moment_ns)
        assert found is not None
        assert found.frame is not None
        assert found.saved
        truly = (moment_ns - armed_ns(session)) // 10_000_000 + 1
        assert found.frame.number == truly


async def test_an_exposure_is_effective_exactly_where_the_journal_says(
    sitting: Dispatcher, tmp_path: Path
) -> None:
    effective = []
    for exposure in ("2ms", "4ms", "1ms"):
        outcome = await sitting.execute(f"exposure {exposure}", "test")
        assert outcome is not None
        assert outcome.effective_frame is not None
        effective.append((outcome.effective_frame, exposure))
    sitting.session.stop()
    await sitting.session.stopped()
    with h5py.File(tmp_path / "x.h5") as file:
        exposures = file[DETECTOR]["exposure"][:]
    old = 0.005
    for frame, text in effective:
        new = float(text.removesuffix("ms")) / 1000
        assert (exposures[frame - 1], exposures[frame]) == (old, new)
        old = new


async def test_a_run_gives_back_the_memory_of_the_one_before(sitting: Dispatcher) -> None:
    pools = []
    for i in range(4):
        if i:
            await sitting.execute("stop", "console")
            await sitting.execute("start", "console")
        run = sitting.session.run
        assert run is not None
        assert run.parts is not None
        await run.timeline.delivered(5)
        pools.append(weakref.ref(run.parts.pool))
        del run
    assert [pool() is not None for pool in pools] == [False, False, False, True]


async def test_two_hundred_toggles_of_preview_leave_nothing_behind(sitting: Dispatcher) -> None:
    session = sitting.session
    for _ in range(200):
        await sitting.execute("preview toggle", "test")
        await asyncio.sleep(0.005)
    assert not session.preview.on
    assert session.run is not None
    assert session.run.broadcaster is not None
    async with asyncio.timeout(5):
        while len(session.run.broadcaster._channels) > 1:
            await asyncio.sleep(0.01)
    ours = {thread.name for thread in threading.enumerate()}
    journal = {"journal_0", "journal sync_0"}
    assert ours <= {"MainThread", "camera_0", "storage_0", "pixels_0", "sync_0", "preview_0", *journal}
    assert [channel.owner for channel in session.run.broadcaster._channels] == ["writer"]


WRONG = (
    st.text(max_size=80)
    | st.binary(max_size=80).map(lambda data: data.decode(errors="replace"))
    | st.sampled_from(
        ["x" * 1_000_000, "mark " + "y" * 1_000_000, "exposure 1e999s", "exposure -5ms", "mark \x00"]
    )
    | st.builds(
        "{} {}".format,
        st.sampled_from(
            ["exposure", "preview", "set", "mark", "preview levels", "exposre", "trigger", "help"]
        ),
        st.text(max_size=40) | st.floats().map(str) | st.integers().map(str),
    )
)


async def test_two_hundred_wrong_lines_change_nothing_and_end_nothing(sitting: Dispatcher) -> None:
    lines: list[str] = []

    @settings(max_examples=200, database=None, suppress_health_check=list(HealthCheck))
    @given(WRONG)
    def collect(line: str) -> None:
        lines.append(line)

    collect()
    session = sitting.session
    for line in lines:
        if line.split()[:1] and line.split()[0] not in EFFECTIVE:
            outcome = await sitting.execute(line, "test")
            assert outcome is None or outcome.status in {"ok", "refused", "failed"}
            assert outcome is None or "internal error" not in outcome.message, line
    assert session.running
    assert len(lines) >= 200
    answer = await sitting.execute("status", "test")
    assert answer is not None
    assert answer.status == "ok"


async def test_means_of_regions_are_those_that_there_are_as_a_file_begins(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 32},
        "pool": {"memory": "4MB"},
        "preview": {"regions": {"left": [0, 0, 8, 8]}},
        "analysis": {"regions": True},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:
        await session.start()
        await asyncio.sleep(0.3)
        answer = await dispatch.execute("region right 32 16 64 32", "test")
        assert answer is not None
        assert answer.message.endswith("means are stored for it from the next file on: save new")
        await dispatch.execute("save new", "test")
        await asyncio.sleep(0.3)
        summary = await session.close()
    assert summary.lost == 0
    found = []
    for path, _ in summary.files:
        with h5py.File(path) as opened:
            data, regions = opened["data"][:], opened["entry/regions"]
            found.append((len(data) > 10, sorted(regions)))
            for region in regions.values():
                x0, y0, x1, y1 = region["box"]
                assert region["mean"][:].tolist() == data[:, y0:y1, x0:x1].mean(axis=(1, 2)).tolist()
    assert found == [(True, ["left"]), (True, ["left", "right"])]


async def test_times_in_a_later_file_count_from_its_own_first_frame(
    sitting: Dispatcher, tmp_path: Path
) -> None:
    """Of marks and commands: a mark on a frame that is 1 s old is 1 s old, whenever the run began."""
    for line in ("wait 3s", "save off", "wait 2s", "save new later", "wait 1s", "mark q", "meta eye left"):
        await sitting.execute(line, "test")
    (placed,) = sitting.session.marks.placed
    await sitting.execute("stop", "test")
    await sitting.execute("note between", "test")
    await sitting.execute("start", "test")
    await sitting.execute("wait 100ms", "test")
    await sitting.execute("stop", "test")
    with h5py.File(tmp_path / "later.h5") as file:
        times = file[DETECTOR]["frame_time"][:]
        (mark,) = file["entry/marks"][:]
        (change,) = file["entry/metadata_changes"][:]
        last = file["entry/commands"][-1]
    assert mark["elapsed_s"] == pytest.approx(times[mark["frame"]], abs=0.02)
    assert mark["elapsed_s"] == placed.elapsed_s == pytest.approx(1.0, abs=0.1)
    assert change["elapsed_s"] == pytest.approx(1.0, abs=0.1)
    assert (last["command"], last["elapsed_s"]) == (b"stop", pytest.approx(1.0, abs=0.1))
    assert describe(tmp_path / "x.h5").cause == "saving was switched off"
    row = next(row for row in describe(tmp_path / "later.h5").mark_rows if row["label"] == "q")
    assert row["time_s"] == times[mark["frame"]]
    with h5py.File(tmp_path / "x_2.h5") as file:
        told = {row["command"]: row["elapsed_s"] for row in file["entry/commands"]}
    assert (told[b"note between"], told[b"start"]) == (0.0, 0.0)


async def test_a_loss_in_a_later_file_has_the_time_of_its_file(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5"), "frames": 400, "split": 200},
        "camera": {"width": 64, "height": 32, "faults": [{"kind": "drop", "at": 300, "count": 3}]},
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    await session.start()
    await session.stopped()
    await session.close()
    with h5py.File(tmp_path / "x_2.h5") as file:
        times, (loss,) = file[DETECTOR]["frame_time"][:], file["entry/losses"][:]
    assert loss["elapsed_s"] == pytest.approx(times[loss["after_frame"] + 1], abs=0.02)
    first = describe(tmp_path / "x.h5")
    assert first.cause == "saving went on in x_2.h5"
    # It was closed when the next one had begun; what it ends with is its last frame, exposed for 5 ms.
    lasted = datetime.fromisoformat(first.end_time) - datetime.fromisoformat(first.start_time)
    assert lasted.total_seconds() == pytest.approx(1.99 + 0.005, abs=0.002)


async def test_who_looks_how_a_run_ended_as_the_next_one_begins_is_told(sitting: Dispatcher) -> None:
    """The console does, twice a second: an error there would end the session."""
    session = sitting.session
    session.stop()
    before = await session.stopped()
    looking = asyncio.ensure_future(session.stopped())
    starting = asyncio.ensure_future(session.start())
    assert await looking is before
    await starting
    assert session.running
