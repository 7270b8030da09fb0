"""The clocks of camera and computer are compared while frames come: for marks, and for the file."""

import asyncio
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from recorder.assembly import build_session
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.files.opened.file_times import clock_columns
from recorder.files.reader import describe
from recorder.frames.clock_fit import fit_clocks
from recorder.frontends.session_context import session_context
from recorder.session.session import Session
from recorder.settings.model import validate
from recorder.storage.clock_values import GROUP, VALUES
from recorder.storage.layout import DETECTOR
from tests.virtual_time import VirtualClock

PERIOD_NS = 10_000_000


def session_of(tmp_path: Path, **camera: object) -> Session:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 32, **camera},
        "pool": {"memory": "4MB"},
    }
    return build_session(validate(tree), dry_run=False)


def armed_ns(session: Session) -> int:
    assert session.run is not None
    assert isinstance(session.run._camera, SimulatedCamera)
    return session.run._camera._armed_ns


async def mark_before(session: Session, before_ns: int) -> tuple[int, int, int]:
    """Mark a moment so long before a frame; return it, the frame that was found, and the true one."""
    armed = armed_ns(session)
    true_number = (time.perf_counter_ns() - armed) // PERIOD_NS + 1
    moment_ns = armed + true_number * PERIOD_NS - before_ns
    found = await session.mark("now", "", "test", moment_ns)
    assert found is not None
    assert found.frame is not None
    return moment_ns - armed, found.frame.number, true_number


async def test_a_drift_of_37_ppm_under_3_ms_of_jitter(tmp_path: Path, virtual_time: VirtualClock) -> None:
    # A slow clock: the quickest frames of late seem to have come later than those before.
    ppm = -37
    session = session_of(tmp_path, clock_drift=ppm, jitter="3ms")
    async with session_context(session):
        await session.start()
        await asyncio.sleep(60)
        marks = [await mark_before(session, 250_000) for _ in range(3)]
        await session.close()
    assert [found for _, found, _ in marks] == [true for _, _, true in marks]
    with h5py.File(tmp_path / "x.h5") as file:
        group, detector = file["entry"][GROUP], file[DETECTOR]
        drift, low, high, residual, unsure = (
            group[name][()] for name in ("drift", "drift_low", "drift_high", "residual", "uncertainty")
        )
        assert drift == pytest.approx(ppm, abs=1)
        assert low <= ppm <= high
        assert 0 < residual < unsure < 200e-6
        begins, came = detector["start_time"][:], detector["host_time"][:] - detector["count_time"][:]
        true_s = (detector["sequence_number"][:] - detector["sequence_number"][0]) * 0.01
        expected = group["offset"][()] + begins * (1 - drift * 1e-6)
        # As late as its jitter was, and never earlier than by what the values say.
        late = came - expected
        assert -unsure <= late.min()
        assert late.max() < 0.003 + 2 * unsure
        np.testing.assert_allclose(expected - expected[0], true_s, atol=100e-6)
        # What the quickest of the last 10 to 20 s alone would say is another frame.
        quickest_s = (came - begins)[-2000:].min()
        without = [
            int(np.searchsorted(begins, since_ns * 1e-9 + expected[0] - quickest_s, "right"))
            for since_ns, _, _ in marks
        ]
        assert without == [true + 1 for _, _, true in marks]


async def test_the_file_says_what_its_frames_tell_and_so_do_info_and_python(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_of(tmp_path, clock_drift=-12, jitter="200us")
    async with session_context(session):
        await session.start()
        await asyncio.sleep(10)
        # Told every 5 s: a file whose recorder is killed has it too.
        growing = describe(tmp_path / "x.h5").clock
        await session.close()
    assert growing is not None
    assert growing["drift"] == pytest.approx(-12, abs=10)
    with recorder.open(tmp_path / "x.h5") as recording:
        (said,) = recording.clocks
        camera_s, host_s, exposure_s = clock_columns(recording.contents[0])
    in_ns = [np.rint(times * 1e9).astype(np.int64) for times in (camera_s, host_s)]
    (found,) = fit_clocks([(in_ns[0], in_ns[1], exposure_s)])
    assert found is not None
    assert said is not None
    assert said.drift == found.drift
    assert said.host_of(0) == pytest.approx(found.host_of(0), abs=2)
    told = describe(tmp_path / "x.h5").clock
    assert told is not None
    assert set(told) == set(VALUES)
    assert told["drift"] == pytest.approx(-12, abs=2)


async def test_files_of_one_run_have_one_fit_each_from_its_own_first_frame(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_of(tmp_path, clock_drift=37, jitter="1ms")
    async with session_context(session) as dispatch:
        await session.start()
        await asyncio.sleep(20)
        answer = await dispatch.execute("save new y", "test")
        assert answer is not None
        assert answer.status == "ok", answer
        await asyncio.sleep(1)
        await session.close()
    with recorder.open(tmp_path / "y.h5") as later:
        (fit,) = later.clocks
    # A second of frames would not tell a drift under 1 ms of jitter.
    assert fit is not None
    assert fit.drift is not None
    assert fit.drift.ppm == pytest.approx(37, abs=1)
    assert -0.0065 < fit.host_of(0) * 1e-9 < -0.0049
    with recorder.open(tmp_path / "x.h5", tmp_path / "y.h5") as both:
        assert [each.drift is not None for each in both.clocks if each] == [True, True]


async def test_a_run_of_three_frames_claims_no_drift(tmp_path: Path, virtual_time: VirtualClock) -> None:
    session = session_of(tmp_path, clock_drift=37, jitter="3ms")
    async with session_context(session):
        await session.start()
        await asyncio.sleep(0.035)
        await session.close()
    told = describe(tmp_path / "x.h5").clock
    assert told is not None
    assert "drift" not in told
    assert told["uncertainty"] > 0


async def test_a_playback_has_no_clock_and_the_file_says_so(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    session = session_of(tmp_path)
    async with session_context(session):
        await session.start()
        await asyncio.sleep(0.5)
        await session.close()
    again = {
        "recording": {"output": str(tmp_path / "again.h5")},
        "camera": {"kind": "playback", "source": str(tmp_path / "x.h5")},
        "pool": {"memory": "4MB"},
    }
    session = build_session(validate(again), dry_run=False)
    async with session_context(session):
        await session.start()
        await session.stopped()
        await session.close()
    told = describe(tmp_path / "again.h5").clock
    assert told is not None
    assert list(told) == ["unknown"]
    assert "a playback has none" in told["unknown"]
    with recorder.open(tmp_path / "again.h5") as recording:
        assert recording.clocks == (None,)
