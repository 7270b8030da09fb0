"""Commands on a session, as the operator meets them between runs."""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import h5py
import pytest

from recorder.assembly import build_session
from recorder.control.completion import complete
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.session_context import session_context
from recorder.frontends.terminal import summary_text
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from tests.virtual_time import VirtualClock


@pytest.fixture
async def dispatch(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    """A session on a small simulated camera, running."""
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "4ms"},
        "pool": {"memory": "8MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as opened:
        await session.start()
        await session.run.timeline.delivered(1)  # type: ignore[union-attr]
        yield opened
        await session.close()


async def typed(dispatch: Dispatcher, line: str) -> str:
    outcome = await dispatch.execute(line, "console")
    assert outcome is not None
    return f"{outcome.status}: {outcome.message}"


async def run_again(dispatch: Dispatcher) -> str:
    await typed(dispatch, "stop")
    told = await typed(dispatch, "start")
    await dispatch.session.run.timeline.delivered(1)  # type: ignore[union-attr]
    return told


async def test_a_live_exposure_outlives_the_run_and_the_file(dispatch: Dispatcher, tmp_path: Path) -> None:
    assert "ok: exposure 2ms from frame" in await typed(dispatch, "exposure 2ms")
    await typed(dispatch, "save new second")
    await asyncio.sleep(0.1)
    await typed(dispatch, "stop")
    await typed(dispatch, "start")
    await asyncio.sleep(0.1)
    await typed(dispatch, "stop")
    assert await typed(dispatch, "exposure 3ms") == "ok: exposure 3ms from the next start on"
    await typed(dispatch, "start")
    await asyncio.sleep(0.1)
    await typed(dispatch, "stop")
    found = []
    for name in ("second.h5", "x_2.h5", "x_3.h5"):
        with h5py.File(tmp_path / name) as file:
            set_to = next(
                line
                for line in file["entry/configuration"][()].decode().splitlines()
                if line.startswith("exposure")
            )
            found.append((set(file[DETECTOR]["exposure"][:]), set_to))
    assert found == [({0.002}, 'exposure = "2ms"')] * 2 + [({0.003}, 'exposure = "3ms"')]


async def test_a_name_given_between_runs_is_the_next_files(dispatch: Dispatcher, tmp_path: Path) -> None:
    await typed(dispatch, "stop")
    told = await typed(dispatch, "save new trial7")
    assert told == f"ok: saving {tmp_path / 'trial7.h5'} from the next start on"
    assert await typed(dispatch, "start") == f"ok: started, saving {tmp_path / 'trial7.h5'}"
    await asyncio.sleep(0.1)
    assert str(tmp_path / "trial7_counter") in await typed(dispatch, "snapshot")
    assert await run_again(dispatch) == f"ok: started, saving {tmp_path / 'x_2.h5'}"


async def test_a_name_outlives_a_start_that_fails(dispatch: Dispatcher, tmp_path: Path) -> None:
    await typed(dispatch, "stop")
    await typed(dispatch, "save new trial7")
    for line in ("set camera.width 2048", "set camera.height 2048", "set pool.memory 1000GB"):
        await typed(dispatch, line)
    assert "failed: " in await typed(dispatch, "start")
    for line in ("set camera.width 32", "set camera.height 32", "set pool.memory 8MB"):
        await typed(dispatch, line)
    assert await typed(dispatch, "start") == f"ok: started, saving {tmp_path / 'trial7.h5'}"


async def test_saving_nothing_is_said(dispatch: Dispatcher) -> None:
    await typed(dispatch, "save off")
    assert await run_again(dispatch) == "ok: started, saving nothing; save on writes a file"
    told = await typed(dispatch, "status")
    assert "saving nothing; " in told
    assert "frames not written" in told
    assert "GB free" not in told


async def test_a_setting_that_has_a_command_is_told(dispatch: Dispatcher) -> None:
    told = await typed(dispatch, "set camera.exposure 3ms")
    assert told == "refused: camera.exposure is changed while it runs by: exposure [TIME] [now]"
    told = await typed(dispatch, "set preview.rate 5")
    assert told == "refused: preview.rate is changed while it runs by: preview rate RATE"


async def test_a_value_may_have_blanks(dispatch: Dispatcher) -> None:
    await typed(dispatch, "stop")
    told = await typed(dispatch, "set recording.title left eye")
    assert told == "ok: recording.title = left eye from the next start on"
    assert dispatch.session.settings.recording.title == "left eye"


async def test_what_is_planned_needs_a_run(dispatch: Dispatcher) -> None:
    await typed(dispatch, "stop")
    assert await typed(dispatch, "at counter 3 mark hello") == "refused: not running; start comes first"


async def test_the_row_of_a_start_is_on_no_frame_of_the_run_before(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    await run_again(dispatch)
    await typed(dispatch, "stop")
    with h5py.File(tmp_path / "x_2.h5") as file:
        row = file["entry/commands"][0]
    assert (row["command"], row["frame"], row["elapsed_s"]) == (b"start", -1, 0.0)


async def test_the_summary_names_every_file_with_its_frames(dispatch: Dispatcher, tmp_path: Path) -> None:
    await typed(dispatch, "save new second")
    await asyncio.sleep(0.1)
    await run_again(dispatch)
    await typed(dispatch, "stop")
    files = dispatch.session.summary().for_json()["files"]
    assert [Path(one["file"]).name for one in files] == ["x.h5", "second.h5", "x_2.h5"]
    for one in files:
        with h5py.File(one["file"]) as file:
            assert len(file["data"]) == one["frames"]


async def test_what_was_planned_for_a_run_is_not_done_in_the_next_one(
    dispatch: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """A moment or a frame that never came: it is said, and nothing is done."""
    assert (await typed(dispatch, "at 300ms mark late")).startswith("ok")
    assert (await typed(dispatch, "at counter 5000 mark never")).startswith("ok")
    await run_again(dispatch)
    await asyncio.sleep(0.5)
    await typed(dispatch, "stop")
    said = [record.message for record in caplog.records if "the run was over before" in record.message]
    assert sorted(line.split(":")[0] for line in said) == ["at 300ms mark late", "at counter 5000 mark never"]
    assert sum(summary.marks for summary in dispatch.session._summaries) == 0


async def test_what_is_planned_is_done_at_its_frame_also_long_after(dispatch: Dispatcher) -> None:
    run = dispatch.session.run
    assert run is not None
    await typed(dispatch, "at counter 900 mark now")
    while run.marks < 1:
        await asyncio.sleep(0.01)
    (placed,) = dispatch.session.marks.placed
    assert placed.frame is not None
    assert placed.frame.number == 900


async def test_a_setting_closes_the_camera_that_was_made_before(
    dispatch: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = dispatch.session
    await typed(dispatch, "stop")
    await typed(dispatch, "set camera.rate 100")
    camera, closed = session._camera, []
    assert camera is not None
    monkeypatch.setattr(camera, "close", lambda: closed.append("first"))
    await typed(dispatch, "set camera.rate 50")
    assert closed == ["first"]


async def test_a_line_that_waits_holds_up_no_file_and_no_memory(dispatch: Dispatcher) -> None:
    waiting = asyncio.ensure_future(dispatch.execute("wait 1h", "script"))
    await asyncio.sleep(0.05)
    run = dispatch.session.run
    assert run is not None
    assert run.parts is not None
    pool = weakref.ref(run.parts.pool)
    del run
    began_s = time.monotonic()
    await run_again(dispatch)
    assert time.monotonic() - began_s < 1.5  # HOLD_S is 2 s
    assert pool() is None
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_command_alone_tells_the_value(dispatch: Dispatcher, tmp_path: Path) -> None:
    assert (await typed(dispatch, "exposure")).startswith("ok: exposure 4ms; ")
    assert await typed(dispatch, "preview") == "ok: preview off, at most 15/s, levels auto"
    await typed(dispatch, "preview levels 100 2000")
    assert (await typed(dispatch, "preview")).endswith("levels 100 to 2000")
    assert await typed(dispatch, "set preview.levels") == "ok: preview.levels = [100, 2000]"
    assert await typed(dispatch, "save") == f"ok: saving {tmp_path / 'x.h5'}"
    await typed(dispatch, "save off")
    assert await typed(dispatch, "save") == "ok: saving nothing; save on writes a file"
    await typed(dispatch, "exposure 2ms")
    assert await typed(dispatch, "set camera.exposure") == "ok: camera.exposure = 2ms"
    assert await typed(dispatch, "set camera.rate") == "ok: camera.rate = 200.0 frames/s"
    assert await typed(dispatch, "set recording.triggers") == "ok: recording.triggers = not set"
    assert (
        await typed(dispatch, "set camera.roi")
        == "refused: camera.roi: no such setting of a simulated camera"
    )
    assert "a password, and is not shown" in await typed(dispatch, "set remote.token")
    await typed(dispatch, "stop")
    assert await typed(dispatch, "exposure") == "ok: exposure 2ms from the next start on"


async def test_an_exposure_that_changes_the_rate_says_so(dispatch: Dispatcher) -> None:
    assert "rate" not in await typed(dispatch, "exposure 2ms")
    assert (await typed(dispatch, "exposure 500 ms")).endswith("; the rate is now 2.0/s")
    assert (await typed(dispatch, "exposure 2ms")).endswith("; the rate is now 200.0/s")


async def test_marks_are_listed_and_the_last_of_ones_own_is_taken_back(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    assert await typed(dispatch, "marks") == "ok: no marks yet"
    assert await typed(dispatch, "unmark") == "refused: no mark of yours to take back"
    first = await typed(dispatch, "mark trial1 left eye")
    second = await typed(dispatch, "mark trial2")
    await dispatch.execute("mark flash", "remote")
    told = await typed(dispatch, "unmark")
    assert first.startswith("ok: mark trial1 left eye on frame ")
    assert told == second.replace("ok: mark", "ok: unmark")
    listed = (await typed(dispatch, "marks")).split("; ")
    assert listed[0].endswith("console: left eye")
    assert listed[1].startswith("trial2: taken back, frame ")
    assert "remote" in listed[2]
    told = await typed(dispatch, "unmark")
    assert told == first.replace("ok: mark", "ok: unmark").replace(" left eye", "")
    assert "no mark of yours" in await typed(dispatch, "unmark")
    assert "choose another label" in await typed(dispatch, "mark unmark")
    await typed(dispatch, "stop")
    assert dispatch.session.summary().marks == 1
    with h5py.File(tmp_path / "x.h5") as file:
        rows = [(row["label"].decode(), row["text"].decode()) for row in file["entry/marks"]]
        frames = [int(row["frame"]) for row in file["entry/marks"]]
    assert rows == [
        ("trial1", "left eye"),
        ("trial2", ""),
        ("flash", ""),
        ("unmark", "trial2"),
        ("unmark", "trial1"),
    ]
    assert frames[3:] == [frames[1], frames[0]]


async def test_a_mark_in_a_file_that_is_closed_is_taken_back_in_the_journal(dispatch: Dispatcher) -> None:
    await typed(dispatch, "mark early")
    await run_again(dispatch)
    assert (await typed(dispatch, "unmark")).endswith("; its file is closed, and the journal alone says so")


async def test_completion_knows_the_session(dispatch: Dispatcher) -> None:
    session = dispatch.session
    for line in ("mark trial1", 'mark "left eye"', "mark trial2"):
        await typed(dispatch, line)
    assert [word for word, _ in complete("mark ", session)] == ["trial2", '"left eye"', "trial1"]
    assert [word for word, _ in complete("in 2s mark tri", session)] == ["trial2", "trial1"]
    keys = dict(complete("set ", session))
    assert "camera.seed" in keys
    # Those of other kinds of camera, and passwords, are not among them.
    assert not {"camera.roi", "camera.source", "remote.token", "camera.kind"} & set(keys)
    assert keys["camera.width"].startswith("now 32 pixels; pixels: 16 to 8192; Width")
    assert '"auto", "direct" or "buffered"' in keys["storage.mode"]
    assert dict(complete("set storage.mode ", session)) == {
        "auto": "as it is now",
        "direct": "",
        "buffered": "",
    }
    assert dict(complete("set camera.exposure ", session)) == {"4ms": "as it is now"}
    assert list(complete("set camera.nonsense ", session)) == []
    # Nothing is offered that is not there, and what takes out comes last.
    assert list(complete("region ", session)) == []
    await typed(dispatch, "region eye 1 2 11 12")
    assert list(complete("region ", session)) == [
        ("eye", "10 x 10 pixels from 1, 2"),
        ("off", "Show region NAME no more; region off all: none."),
    ]
    assert [word for word, _ in complete("region off ", session)] == ["eye", "all"]
    assert await typed(dispatch, "region off") == "refused: region off: which one? eye, or all"


async def test_the_summary_counts_the_frames_that_are_in_files_and_those_that_are_not(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    """Saving is off in the middle of one run, and in all of the next."""
    for line in ("save off", "wait 300ms", "save on", "wait 100ms", "save off", "wait 300ms", "stop"):
        await typed(dispatch, line)
    run = dispatch.session.last_summary
    assert run is not None
    for line in ("start", "wait 200ms", "stop"):
        await typed(dispatch, line)
    whole = dispatch.session.summary()
    in_files = 0
    for path in tmp_path.glob("*.h5"):
        with h5py.File(path) as file:
            in_files += len(file["data"])
    for summary, unsaved in ((run, 120), (whole, 160)):
        told = summary.for_json()
        assert (summary.frames, sum(file["frames"] for file in told["files"])) == (in_files, in_files)
        assert summary.bytes == in_files * 32 * 32 * 2
        assert summary.durable == in_files
        assert summary.unsaved == pytest.approx(unsaved, abs=20)
        assert told["fps"] == pytest.approx(200, rel=0.1)
        assert summary_text(summary).startswith(f"complete: {in_files} frames in ")
        assert f"; {summary.unsaved} more were exposed while saving was off\n" in summary_text(summary)
    assert whole.lost == 0


async def test_a_session_that_saved_nothing_says_so(dispatch: Dispatcher) -> None:
    session = dispatch.session
    await typed(dispatch, "stop")
    await typed(dispatch, "save off")
    for line in ("start", "wait 200ms", "stop"):
        await typed(dispatch, line)
    summary = session.last_summary
    assert summary is not None
    assert (summary.frames, summary.bytes, summary.file) == (0, 0, None)
    assert summary_text(summary).startswith(f"complete: {summary.unsaved} frames in no file\n0.000 GB in ")


async def test_the_rate_told_is_the_one_since_the_exposure_was_changed(dispatch: Dispatcher) -> None:
    await asyncio.sleep(2)
    await typed(dispatch, "exposure 20ms")
    await asyncio.sleep(0.2)
    assert await typed(dispatch, "exposure") == "ok: exposure 20ms; 50.0 frames/s"
    assert "; 50.0 frames/s, 0 MB/s; exposure 20ms;" in await typed(dispatch, "status")
    await typed(dispatch, "exposure 4ms")
    await asyncio.sleep(3)
    assert await typed(dispatch, "exposure") == "ok: exposure 4ms; 200.0 frames/s"
