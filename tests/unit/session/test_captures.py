"""Frames around a trigger: each capture holds exactly what was asked for, and what was not is no loss."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.camera.simulated.scene import Scene
from recorder.camera.timestamp import read
from recorder.control.command_types import CommandResult
from recorder.control.dispatcher import Dispatcher
from recorder.errors import CameraError, StorageError, UsageError
from recorder.frontends.session_context import session_context
from recorder.session.status import Summary
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from tests.virtual_time import VirtualClock

RATE = 200
HEIGHT, WIDTH = 32, 64


def dispatcher_of(folder: Path, recording: dict[str, Any], **others: Any) -> Any:
    camera = {"width": WIDTH, "height": HEIGHT, "rate": RATE, "exposure": "1ms", **others.pop("camera", {})}
    tree = {
        "recording": {"output": str(folder / "x.h5"), **recording},
        "camera": camera,
        "pool": {"memory": "8MB"},
        **others,
    }
    return session_context(build_session(validate(tree), dry_run=False))


async def say(dispatch: Dispatcher, line: str, **options: Any) -> CommandResult:
    result = await dispatch.execute(line, "test", **options)
    assert result is not None
    return result


async def capture(dispatch: Dispatcher, line: str = "capture", **options: Any) -> int:
    """Capture, and return the trigger's counter, as the journal has it."""
    result = await say(dispatch, line, **options)
    assert result.status == "ok", result.message
    assert dispatch.session.run is not None
    entry = json.loads((dispatch.journal.path or Path()).read_text().splitlines()[-1])
    return int(entry["effective_number"])


def counters(path: Path, trigger: int) -> list[int]:
    """The counters of a file, whose pixels are those frames, and whose times and columns say the same."""
    with h5py.File(path) as file:
        detector = file[DETECTOR]
        numbers = detector["sequence_number"][:].astype(int)
        assert np.array_equal(detector["relative_frame"], numbers - trigger)
        assert detector["trigger_number"][()] == trigger
        scene = Scene(HEIGHT, WIDTH, 0, 1000)
        for number, frame in zip(numbers.tolist(), file["data"][:], strict=True):
            stamp = read(frame)
            assert stamp is not None
            assert stamp.number == number
            # The binary timestamp is in the first row.
            assert np.array_equal(frame[1:], scene.frame(number, 0.001)[1:])
        return list(numbers)


def paths(summary: Summary) -> list[Path]:
    return [path for path, _ in summary.files]


async def test_each_capture_holds_exactly_the_frames_asked_for(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    rng = np.random.default_rng(7)
    triggers = []
    async with dispatcher_of(tmp_path, {"pretrigger": 60, "posttrigger": 45}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(1)
        for _ in range(20):
            triggers.append(await capture(dispatch))
            # The next one reaches back into the one before, or not.
            await asyncio.sleep(rng.uniform(0.25, 0.8))
        summary = await dispatch.session.close()
    assert (summary.verdict, summary.lost, summary.captures) == ("complete", 0, 20)
    assert len(summary.files) == 20
    for path, trigger in zip(paths(summary), triggers, strict=True):
        assert counters(path, trigger) == list(range(trigger - 60, trigger + 45))


@pytest.mark.parametrize(("before", "after"), [("300ms", "0.5s"), (60, "0.5s"), ("300ms", 100)])
async def test_times_are_as_many_frames_as_come_in_them(
    tmp_path: Path, virtual_time: VirtualClock, before: Any, after: Any
) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": before, "posttrigger": after}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(1)
        trigger = await capture(dispatch, "capture reward drop of juice")
        await asyncio.sleep(1)
        summary = await dispatch.session.close()
    (path,) = paths(summary)
    assert path.name == "x_001_reward.h5"
    assert counters(path, trigger) == list(range(trigger - 60, trigger + 100))
    with h5py.File(path) as file:
        (mark,) = file["entry/marks"][:]
        (command,) = file["entry/commands"][:]
        cause = file["entry/cause"][()]
    assert (mark["frame"], mark["label"], mark["text"]) == (60, b"reward", b"drop of juice")
    assert (command["command"], command["effective_frame"]) == (b"capture reward drop of juice", 60)
    assert cause == b"the capture is complete"


@pytest.mark.parametrize("high_at_first", [False, True])
async def test_each_rising_level_at_the_input_is_a_capture(
    tmp_path: Path, virtual_time: VirtualClock, high_at_first: bool
) -> None:
    pulses = {"at": 300, "every": 400, "frames": 20, "input": True, "brighter": 1.0}
    events = [pulses, *([{"at": 1, "frames": 100, "input": True}] if high_at_first else [])]
    recording = {"pretrigger": 60, "posttrigger": 45, "capture_input": True}
    async with dispatcher_of(tmp_path, recording, camera={"events": events}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(5)
        summary = await dispatch.session.close()
    assert (summary.verdict, len(paths(summary))) == ("complete", 2)
    for path, began in zip(paths(summary), (300, 700), strict=True):
        assert "_input" in path.name
        with h5py.File(path) as file:
            trigger = int(file[DETECTOR]["trigger_number"][()])
            (command,) = file["entry/commands"][:]
        # Asked every 10 ms, two frames.
        assert began <= trigger <= began + 6
        assert (command["command"], command["source"]) == (b"capture input", b"input")
        assert counters(path, trigger) == list(range(trigger - 60, trigger + 45))


async def test_an_input_that_cannot_be_asked_is_told_once_and_asked_again(
    tmp_path: Path,
    virtual_time: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = []

    def input_is_high(_: SimulatedCamera) -> bool:
        asked.append(True)
        if len(asked) < 3:
            raise CameraError("no answer")
        return len(asked) > 20

    monkeypatch.setattr(SimulatedCamera, "input_is_high", input_is_high)
    recording = {"pretrigger": 20, "posttrigger": 20, "capture_input": True}
    async with dispatcher_of(tmp_path, recording) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(5)
        summary = await dispatch.session.close()
    assert len(paths(summary)) == 1
    told = [record.message for record in caplog.records if "capture_input" in record.message]
    assert told == ["recording.capture_input: no answer; captures come by other ways alone"]


async def test_start_says_that_frames_wait_for_a_trigger(tmp_path: Path, virtual_time: VirtualClock) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": 50}) as dispatch:
        answer = await dispatch.execute("start", "test")
        await dispatch.session.close()
        assert answer.message.startswith("started, armed: ")
        assert answer.message.endswith("; capture saves what is held")


async def test_a_capture_during_a_capture_makes_it_longer(tmp_path: Path, virtual_time: VirtualClock) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": 20, "posttrigger": 100}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(1)
        first = await capture(dispatch)
        await asyncio.sleep(0.3)
        second = await capture(dispatch, "capture again")
        await asyncio.sleep(1)
        summary = await dispatch.session.close()
    (path,) = paths(summary)
    assert 0 < second - first < 100
    assert counters(path, first) == list(range(first - 20, second + 100))
    with h5py.File(path) as file:
        assert list(file["entry/marks"]["number"]) == [first, second]


async def test_before_the_ring_is_full_there_is_less_and_that_is_told(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": 100, "posttrigger": 10}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(0.1)
        result = await say(dispatch, "capture")
        await asyncio.sleep(0.5)
        summary = await dispatch.session.close()
    (path,) = paths(summary)
    with h5py.File(path) as file:
        first, *_, last = file[DETECTOR]["sequence_number"][:].astype(int)
        relative = file[DETECTOR]["relative_frame"][:]
    assert (first, relative[-1], last - first) == (1, 9, len(relative) - 1)
    assert f"{-relative[0]} frames before" in result.message
    assert "of the 100 asked for: no more were held" in result.message
    assert (summary.verdict, summary.lost) == ("complete", 0)


async def test_marks_of_before_the_trigger_come_with_their_frames(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": 60, "posttrigger": 20}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(0.5)
        await say(dispatch, "mark forgotten")
        await asyncio.sleep(0.5)
        told = await say(dispatch, "mark onset")
        await asyncio.sleep(0.1)
        trigger = await capture(dispatch)
        # After the first, and of both: the frames of one capture are there for the next.
        await say(dispatch, "mark both")
        await asyncio.sleep(0.2)
        second = await capture(dispatch)
        await asyncio.sleep(0.5)
        summary = await dispatch.session.close()
    assert "in no file: a capture that holds it has it too" in told.message
    found = []
    for path, number in zip(paths(summary), (trigger, second), strict=True):
        held = counters(path, number)
        with h5py.File(path) as file:
            marks = file["entry/marks"][:]
            assert all(held[mark["frame"]] == mark["number"] for mark in marks)
            found.append({mark["label"].decode() for mark in marks})
    assert found == [{"onset", "capture", "both"}, {"capture", "both"}]


@pytest.fixture
async def armed(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    async with dispatcher_of(tmp_path, {"pretrigger": 50, "posttrigger": 200}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(1)
        yield dispatch


async def test_without_a_capture_there_is_no_file(armed: Dispatcher, tmp_path: Path) -> None:
    status = await say(armed, "status")
    assert "armed: 50 frames held of 50 frames; 0 captures" in status.message
    refused = await say(armed, "save new")
    assert (refused.status, "capture saves them" in refused.message) == ("refused", True)
    summary = await armed.session.close()
    assert (summary.verdict, summary.exit_code, summary.files, summary.captures) == ("complete", 0, (), 0)
    assert summary.unsaved >= 200
    assert summary.lost == 0
    assert list(tmp_path.glob("*.h5")) == []


@pytest.mark.parametrize(("end", "verdict"), [("stop", "complete"), ("abort", "interrupted")])
async def test_a_run_that_ends_in_a_capture_says_what_that_lacks(
    armed: Dispatcher, end: str, verdict: str
) -> None:
    trigger = await capture(armed)
    await asyncio.sleep(0.3)
    getattr(armed.session, end)()
    summary = await armed.session.close()
    (path,) = paths(summary)
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["sequence_number"][:].astype(int)
        assert file["entry/verdict"][()].decode() == summary.verdict == verdict
        cause = file["entry/cause"][()].decode()
    assert list(numbers) == list(range(trigger - 50, numbers[-1] + 1))
    assert 0 < numbers[-1] - trigger < 199
    if end == "stop":
        assert f"lacks {trigger + 199 - numbers[-1]} frames of the 200 frames after its trigger" in cause
        assert summary.captures == 0


async def test_as_many_captures_as_asked_for_end_the_run(tmp_path: Path, virtual_time: VirtualClock) -> None:
    recording = {"pretrigger": 10, "posttrigger": 10, "captures": 2}
    async with dispatcher_of(tmp_path, recording) as dispatch:
        await dispatch.session.start()
        for _ in range(2):
            await asyncio.sleep(0.5)
            await capture(dispatch)
        summary = await dispatch.session.stopped()
        assert summary is not None
        await dispatch.session.close()
    assert (summary.verdict, summary.cause, summary.captures) == ("complete", "all that was asked for", 2)
    assert [frames for _, frames in summary.files] == [20, 20]


@pytest.mark.parametrize("unit", ["frames", "s"])
async def test_what_is_missing_counts_where_it_was_asked_for(
    tmp_path: Path, virtual_time: VirtualClock, unit: str
) -> None:
    # Far away, at the beginning of what is asked for, inside, at its end, and behind it.
    gaps = [(100, 5), (348, 4), (420, 3), (448, 4), (500, 50)]
    camera = {"faults": [{"kind": "drop", "at": at, "count": count} for at, count in gaps]}
    extent: Any = 50 if unit == "frames" else "250ms"
    recording = {"pretrigger": extent, "posttrigger": extent}
    async with dispatcher_of(tmp_path, recording, camera=camera) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(1)
        assert await capture(dispatch, first=400) == 400
        await asyncio.sleep(1.5)
        summary = await dispatch.session.close()
    (path,) = paths(summary)
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["sequence_number"][:].astype(int)
        losses = file["entry/losses"][:]
        verdict = file["entry/verdict"][()].decode()
    lost = {350, 351, 420, 421, 422, 448, 449}
    assert list(numbers) == [n for n in range(350, 450) if n not in lost]
    assert [tuple(row)[:2] for row in losses[["after_frame", "count"]]] == [(-1, 2), (67, 3), (92, 2)]
    assert (verdict, summary.lost, summary.verdict) == ("frames lost", 7, "frames lost")


async def test_a_capture_without_a_file_is_lost_and_the_next_one_is_not(
    armed: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    make = armed.session.files._make_file

    def failing(*arguments: Any) -> Any:
        raise StorageError("the folder is gone")

    armed.session.files._make_file = failing
    result = await say(armed, "capture")
    assert (result.status, result.message) == ("failed", "not captured: the folder is gone")
    await asyncio.sleep(1.5)
    armed.session.files._make_file = make
    trigger = await capture(armed)
    await asyncio.sleep(1.5)
    summary = await armed.session.close()
    (path,) = paths(summary)
    assert counters(path, trigger) == list(range(trigger - 50, trigger + 200))
    assert (summary.verdict, summary.lost, summary.losses) == ("failed", 250, {"storage": 250})
    assert "the folder is gone" in caplog.text


async def test_a_pool_too_small_is_refused_with_the_size_that_would_do(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    async with dispatcher_of(tmp_path, {"pretrigger": "20s"}) as dispatch:
        await dispatch.session.start()
        with pytest.raises(UsageError, match=r'holds .* s; set pool.memory = "20MB"') as refused:
            await dispatch.session.close()
    assert "recording.pretrigger: 4000 frames" in str(refused.value)
    async with dispatcher_of(tmp_path, {"pretrigger": "20s"}, pool={"memory": "20MB"}) as dispatch:
        await dispatch.session.start()
        assert dispatch.session.running
        await dispatch.session.close()


async def test_an_analysis_calls_for_a_capture_each_time_it_crosses_its_limit(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    # The frame is exposed so briefly that a flash hardly moves its mean elsewhere.
    flash = {"at": 300, "frames": 20, "brighter": 5.0, "every": 250}
    camera = {"events": [flash], "electrons": 400}
    analysis = {"trigger": "spot > 250"}
    regions = {"regions": {"spot": [8, 8, 24, 24]}}
    recording = {"pretrigger": 50, "posttrigger": 60}
    async with dispatcher_of(
        tmp_path, recording, camera=camera, analysis=analysis, preview=regions
    ) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(4.5)
        summary = await dispatch.session.close()
    assert summary.captures == 3
    for i, path in enumerate(paths(summary)):
        trigger = 300 + 250 * i
        with h5py.File(path) as file:
            numbers = file[DETECTOR]["sequence_number"][:].astype(int)
            assert list(numbers) == list(range(trigger - 50, trigger + 60))
            (mark,) = file["entry/marks"][:]
            assert (mark["frame"], mark["label"], mark["source"]) == (50, b"analysis", b"analysis")
            rows = file["entry/analysis"][:]
            assert set(rows["name"]) == {b"spot"}
            assert (numbers[rows["frame"]] == rows["frame_number"]).all()


async def test_a_dry_run_captures_into_nothing(tmp_path: Path, virtual_time: VirtualClock) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5"), "pretrigger": 10, "posttrigger": 10, "captures": 1},
        "camera": {"width": WIDTH, "height": HEIGHT, "rate": RATE, "exposure": "1ms"},
    }
    async with session_context(build_session(validate(tree), dry_run=True)) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(0.5)
        result = await say(dispatch, "capture")
        summary = await dispatch.session.stopped()
        await dispatch.session.close()
    assert summary is not None
    assert (result.status, "no file, 10 frames before" in result.message) == ("ok", True)
    assert (summary.verdict, summary.frames, summary.captures) == ("complete", 0, 1)
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_fails_in_a_capture_ends_the_run(
    armed: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await capture(armed)
    await asyncio.sleep(0.2)

    def fail(*_: object) -> None:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(Recording, "append", fail)
    await asyncio.sleep(2)
    monkeypatch.undo()
    summary = await armed.session.close()
    (path,) = paths(summary)
    assert (summary.verdict, summary.exit_code, summary.cause) == ("failed", 1, "the disk is gone")
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["sequence_number"][:].astype(int)
        assert file["entry/verdict"][()] == b"failed"
        lost = int(file["entry/losses"]["count"].sum())
    # What came until the camera was stopped is in the file, or counted; what would have come was never there.
    assert list(numbers) == list(range(trigger - 50, trigger - 50 + len(numbers)))
    assert lost == summary.lost > 0
    assert len(numbers) + lost <= 250


async def test_a_disk_too_slow_for_a_capture_loses_what_the_pool_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Recording.append

    def slowly(self: Recording, spans: Any, losses: Any = ()) -> None:
        time.sleep(0.001 * sum(map(len, spans)))
        append(self, spans, losses)

    monkeypatch.setattr(Recording, "append", slowly)
    recording = {"pretrigger": 100, "posttrigger": 2500, "captures": 1}
    camera = {"rate": 2000, "exposure": "100us"}
    async with dispatcher_of(tmp_path, recording, camera=camera, pool={"memory": "4MB"}) as dispatch:
        await dispatch.session.start()
        await asyncio.sleep(0.3)
        trigger = await capture(dispatch)
        summary = await dispatch.session.stopped()
        await dispatch.session.close()
    assert summary is not None
    (path,) = paths(summary)
    with h5py.File(path) as file:
        numbers = file[DETECTOR]["sequence_number"][:].astype(int)
        losses = file["entry/losses"][:]
    missing = int(losses["count"].sum())
    assert (summary.verdict, summary.lost, len(numbers) + missing) == ("frames lost", missing, 2600)
    assert summary.losses["storage"] > 0
    assert trigger - 100 <= numbers[0] <= numbers[-1] < trigger + 2500
