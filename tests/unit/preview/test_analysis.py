import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.errors import ConfigurationError
from recorder.frontends.session_context import session_context
from recorder.preview.analysis import MAX_CONSECUTIVE_ERRORS, as_values, find
from recorder.session.run_observers import LEAVE_S
from recorder.settings.model import AnalysisSettings, validate
from recorder.storage.layout import DETECTOR

seen: list[tuple[int, float]] = []


def slow(frame: Any, metadata: Mapping[str, Any]) -> float:
    """Takes 200 ms a frame."""
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0] = 1
    time.sleep(0.2)
    value = float(frame.mean())
    seen.append((metadata["frame_number"], value))
    return value


def quick(frame: Any, metadata: Mapping[str, Any]) -> float:
    """Takes no time."""
    seen.append((metadata["frame_number"], float(frame[0, 20])))
    return 1.0


def failing(frame: Any, metadata: Mapping[str, Any]) -> dict[str, float]:
    """Fails always."""
    raise RuntimeError(f"no idea what to do with {frame.shape}")


async def analysed(tmp_path: Path, seconds: float, **analysis: Any) -> tuple[Path, Any]:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 128, "height": 64, "rate": 500, "exposure": "1ms"},
        "pool": {"memory": "8MB"},
        "analysis": analysis,
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:
        await session.start()
        await asyncio.sleep(seconds)
        status = await dispatch.execute("status", "test")
        summary = await session.close()
    assert summary.lost == 0
    assert status is not None
    return tmp_path / "x.h5", status.message


@pytest.mark.usefixtures("virtual_time")
async def test_a_slow_function_sees_the_latest_frames_and_costs_none(tmp_path: Path) -> None:
    seen.clear()
    path, status = await analysed(tmp_path, 1.5, function="tests.unit.preview.test_analysis:slow")
    with h5py.File(path) as file:
        rows = file["entry/analysis"][:]
        numbers = file[DETECTOR]["frame_number"][:]
        stored = [(int(row["frame_number"]), float(row["value"])) for row in rows]
        # All but the one that was under way at the end.
        assert stored == seen[: len(stored)]
        assert len(stored) >= len(seen) - 1 >= 4
        assert (numbers[rows["frame"]] == rows["frame_number"]).all()
        for row in rows:
            assert row["value"] == file[DETECTOR]["data"][row["frame"]].mean()
        assert set(rows["name"]) == {b"value"}
    assert "analysis value" in status


@pytest.mark.usefixtures("virtual_time")
async def test_a_quick_function_does_not_wait_for_blocks_to_fill(tmp_path: Path) -> None:
    seen.clear()
    path, _ = await analysed(tmp_path, 0.5, function="tests.unit.preview.test_analysis:quick")
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    with h5py.File(path) as file:
        per_block = file[DETECTOR]["data"].chunks[0]
        assert per_block > 10
        # Most frames it sees are not the last of their block.
        assert sum(number % per_block == 0 for number in numbers) < len(numbers) / 2
        for number, value in seen:
            assert file[DETECTOR]["data"][number - 1, 0, 20] == value


@pytest.mark.usefixtures("virtual_time")
async def test_a_function_that_fails_is_logged_counted_and_switched_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, status = await analysed(tmp_path, 0.5, function="tests.unit.preview.test_analysis:failing")
    with h5py.File(path) as file:
        assert len(file["entry/analysis"]) == 0
        assert file["entry/verdict"][()] == b"complete"
    assert f"{MAX_CONSECUTIVE_ERRORS} errors, switched off" in status
    assert caplog.text.count("no idea what to do with (64, 128)") == MAX_CONSECUTIVE_ERRORS
    assert "the recording goes on" in caplog.text


def meddling(frame: Any, metadata: Mapping[str, Any]) -> float:
    """Writes into its frame, by all means."""
    with pytest.raises(ValueError, match=r"cannot set WRITEABLE|read-only"):
        frame.flags.writeable = True
    return 0.0


def leaving(frame: Any, metadata: Mapping[str, Any]) -> float:
    """Ends the program."""
    raise SystemExit("bye\nfor \x1b[31m now")


waiting = threading.Event()


def hanging(frame: Any, metadata: Mapping[str, Any]) -> float:
    """Does not return."""
    while not waiting.is_set():
        time.sleep(0.05)
    return 0.0


@pytest.mark.usefixtures("virtual_time")
async def test_a_function_cannot_write_into_what_is_recorded(tmp_path: Path) -> None:
    path, status = await analysed(tmp_path, 0.3, function="tests.unit.preview.test_analysis:meddling")
    assert "errors" not in status
    with h5py.File(path) as file:
        assert len(file["entry/analysis"]) > 0


@pytest.mark.usefixtures("virtual_time")
async def test_a_function_that_raises_system_exit_is_logged_in_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await analysed(tmp_path, 0.3, function="tests.unit.preview.test_analysis:leaving")
    assert "analysis: SystemExit: bye for [31m now (error 1)" in caplog.text


@pytest.mark.usefixtures("virtual_time")
async def test_a_function_that_hangs_holds_up_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began_s = time.perf_counter()
    waiting.clear()
    try:
        await analysed(tmp_path, 0.3, function="tests.unit.preview.test_analysis:hanging")
        assert 0.3 + LEAVE_S < time.perf_counter() - began_s < 0.5 + LEAVE_S
        assert "the function does not return; it is switched off" in caplog.text
    finally:
        waiting.set()
        await asyncio.sleep(0.2)


@pytest.mark.usefixtures("virtual_time")
async def test_the_worked_example_stores_two_values_a_frame(tmp_path: Path) -> None:
    options = {"x": 8, "y": 4, "width": 16, "height": 8, "threshold": 0.0}
    function = "recorder.preview.threshold:crossing"
    path, _ = await analysed(tmp_path, 0.3, function=function, options=options)
    with h5py.File(path) as file:
        rows = file["entry/analysis"][:]
        means = rows[rows["name"] == b"mean"]
        assert len(means) > 3
        for row in means:
            assert row["value"] == file[DETECTOR]["data"][row["frame"]][4:12, 8:24].mean()
        assert set(rows["value"][rows["name"] == b"above"]) == {1.0}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nowhere:at_all", "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("recorder.preview.threshold:crosing", "no function crosing in it; did you mean crossing?"),
    ],
)
def test_a_missing_function_is_reported_before_anything_begins(function: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"analysis\.options: crossing.*'zz'"):
        find(AnalysisSettings(function="recorder.preview.threshold:crossing", options={"zz": 1}))
    with pytest.raises(ConfigurationError) as caught:
        find(AnalysisSettings(function=function))
    assert message in str(caught.value)


def test_numbers_are_kept_and_nothing_else() -> None:
    assert as_values(None) == {}
    assert as_values(3) == {"value": 3.0}
    assert as_values({"a": np.float32(0.5), "b": True}) == {"a": 0.5, "b": 1.0}
    for wrong in ("text", {"a": [1]}, {str(i): i for i in range(17)}, {"\ud800": 1}, {"x" * 65: 1}, {3: 1}):
        with pytest.raises(TypeError):
            as_values(wrong)
