"""What `recorder run --headless` promises, checked on the files it leaves."""

import os
import pstats
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from recorder.camera import timestamp
from recorder.storage.layout import COLUMNS, DETECTOR
from tests.conftest import need
from tests.system.conftest import COMMAND, ROOT, Recorder

BACTERIA = ROOT / "tests" / "data" / "bacteria-in-droplet.tif"
SMALL = ("--set", "camera.width=128", "--set", "camera.height=128", "--set", "camera.exposure=100us")
FAST = (*SMALL, "--set", "camera.rate=1000", "--set", "pool.memory=64MB")


def check(path: Path, frames: int, verdict: str) -> None:
    """The file is whole, and each frame is the one its row tells of."""
    with h5py.File(path) as file:
        data, numbers = file["data"], file[DETECTOR]["frame_number"][:]
        assert file["entry/verdict"][()].decode() == verdict
        assert len(data) == frames
        assert {len(file[DETECTOR][name]) for name, *_ in COLUMNS} == {frames}
        for i in {0, 1, frames // 2, frames - 1} & set(range(frames)):
            stamp = timestamp.read(data[i])
            assert stamp is not None
            assert stamp.number == numbers[i]


def losses(path: Path) -> list[tuple[Any, ...]]:
    with h5py.File(path) as file:
        return [
            (int(r["after_frame"]), int(r["count"]), r["cause"].decode()) for r in file["entry/losses"][:]
        ]


def test_without_a_configuration_it_records_a_simulated_camera(recorder: Recorder) -> None:
    result = recorder("run", "--headless", "--frames", 50)
    assert result.code == 0
    assert "complete: 50 frames" in result.out
    assert "69.0 MB/s" in result.out or "MB/s" in result.out


def test_json_is_one_line_and_the_only_one(recorder: Recorder, tmp_path: Path) -> None:
    result = recorder("run", "--headless", "--frames", 100, "--output", "out", "--json", *FAST)
    told = result.json
    (path,) = (tmp_path / "out").glob("*.h5")
    assert (tmp_path / told["journal"]).exists()
    assert (told["file"], told["verdict"], told["frames"], told["lost"]) == (
        str(Path("out") / path.name),
        "complete",
        100,
        0,
    )
    assert told["bytes"] == 100 * 128 * 128 * 2
    check(path, 100, "complete")


def test_a_duration_gives_the_frames_of_that_time(recorder: Recorder, tmp_path: Path) -> None:
    assert recorder("run", "--headless", "--duration", "0.5s", "--output", "x.h5", *FAST).code == 0
    check(tmp_path / "x.h5", 500, "complete")


def test_playback_is_bit_exact_and_opens_everywhere(recorder: Recorder, tmp_path: Path) -> None:
    result = recorder(
        *("run", ROOT / "configs" / "playback.toml", "--headless", "--frames", 30, "--output", "x.h5"),
        *("--set", f"camera.source={BACTERIA}", "--set", "camera.rate=max"),
    )
    assert result.code == 0
    path = tmp_path / "x.h5"
    source = tifffile.imread(BACTERIA)
    with h5py.File(path) as file:
        assert (file["data"][:] == source[np.arange(30) % len(source)]).all()

    from silx.io.nxdata.parse import get_default
    from silx.io.utils import open as silx_open

    with silx_open(str(path)) as root:  # type: ignore[no-untyped-call]
        plot = get_default(root)
        assert plot is not None
        assert plot.signal is not None
        assert plot.is_valid
        assert plot.is_image or plot.interpretation == "image"
        assert plot.signal.shape == (30, *source.shape[1:])

    from nexusformat.nexus import nxload

    plottable = nxload(str(path)).plottable_data
    assert plottable.nxsignal.shape == (30, *source.shape[1:])

    need(shutil.which("h5dump"), "h5dump (Debian: hdf5-tools)")
    done = subprocess.run(["h5dump", "-H", str(path)], capture_output=True, text=True, check=True)
    assert "frame_number" in done.stdout


def test_our_own_file_plays_at_its_own_times(recorder: Recorder, tmp_path: Path) -> None:
    recorder("run", "--headless", "--frames", 100, "--output", "a.h5", *FAST)
    result = recorder(
        *("run", "--headless", "--output", "b.h5"),
        *("--set", "camera.kind=playback", "--set", f"camera.source={tmp_path / 'a.h5'}"),
    )
    assert result.code == 0
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        assert (a["data"][:] == b["data"][:]).all()
        assert b[DETECTOR]["frame_time"][:] == pytest.approx(a[DETECTOR]["frame_time"][:])
        assert b[DETECTOR]["exposure"][:] == pytest.approx(a[DETECTOR]["exposure"][:])


@pytest.mark.parametrize(
    ("fault", "code", "verdict", "frames", "cause"),
    [
        ('{kind="drop", at=100, count=3}', 3, "frames lost", 300, "all that"),
        ('{kind="silence", at=100}', 1, "failed", 99, "no frame for 0.5 s after frame 99"),
        ('{kind="error", at=100, code=0x80332028}', 1, "failed", 99, "0x80332028 at frame 100"),
        ('{kind="disconnect", at=100}', 1, "failed", 99, "cable"),
    ],
)
def test_faults_of_the_camera_end_as_designed(
    recorder: Recorder, tmp_path: Path, fault: str, code: int, verdict: str, frames: int, cause: str
) -> None:
    result = recorder(
        *("run", "--headless", "--frames", 300, "--output", "x.h5", *FAST, "--json"),
        *("--set", f"camera.faults=[{fault}]", "--set", "camera.timeout=0.5s"),
    )
    assert (result.code, result.json["verdict"], result.json["frames"]) == (code, verdict, frames)
    check(tmp_path / "x.h5", frames, verdict)
    with h5py.File(tmp_path / "x.h5") as file:
        assert cause in file["entry/cause"][()].decode()
    if code == 1:
        assert cause in result.err.splitlines()[-1]


def test_a_planned_drop_is_one_row_of_the_ledger(recorder: Recorder, tmp_path: Path) -> None:
    result = recorder(
        *("run", "--headless", "--frames", 200, "--output", "x.h5", *FAST, "--json"),
        *("--set", 'camera.faults=[{kind="drop", at=100, count=3}]'),
    )
    assert (result.code, result.json["lost"], result.json["frames"]) == (3, 3, 200)
    # Counter 100, 101 and 102 are missing: what came before, counter 99, has index 98.
    assert losses(tmp_path / "x.h5") == [(98, 3, "camera")]
    with h5py.File(tmp_path / "x.h5") as file:
        assert file[DETECTOR]["frame_number"][-1] == 203


def test_a_stall_overflows_the_fifo_and_adds_up(recorder: Recorder, tmp_path: Path) -> None:
    result = recorder(
        *("run", "--headless", "--frames", 300, "--output", "x.h5", *FAST, "--json"),
        *("--set", 'camera.faults=[{kind="stall", at=100, duration="0.3s"}]', "--set", "camera.fifo=50"),
    )
    assert result.code == 3
    assert [cause for *_, cause in losses(tmp_path / "x.h5")] == ["fifo"]
    with h5py.File(tmp_path / "x.h5") as file:
        assert result.json["frames"] + result.json["lost"] == file[DETECTOR]["frame_number"][-1]


@pytest.mark.parametrize("mode", ["direct", "buffered"])
def test_a_run_stops_in_time_before_the_disk_is_full(recorder: Recorder, tiny_disk: Path, mode: str) -> None:
    result = recorder(
        *("run", "--headless", "--output", tiny_disk / "x.h5", "--json", *FAST),
        *("--set", "storage.reserve=4MB", "--set", f"storage.mode={mode}"),
    )
    assert (result.code, result.json["verdict"], result.json["lost"]) == (1, "failed", 0)
    assert "before the disk was full" in result.err
    check(tiny_disk / "x.h5", result.json["frames"], "failed")


@pytest.mark.parametrize("mode", ["direct", "buffered"])
def test_a_disk_that_fills_from_elsewhere_leaves_a_valid_file(
    recorder: Recorder, tiny_disk: Path, mode: str
) -> None:
    """No reserve, and the camera faster than any look at the disk: the write itself fails."""
    result = recorder(
        *("run", "--headless", "--output", tiny_disk / "x.h5", "--json", *SMALL),
        *("--set", "camera.rate=max", "--set", "storage.reserve=0B", "--set", f"storage.mode={mode}"),
    )
    assert (result.code, result.json["verdict"]) == (1, "failed")
    assert "the disk is full" in result.err
    assert result.json["lost"] > 0
    check(tiny_disk / "x.h5", result.json["frames"], "failed")


def test_a_full_disk_is_told_before_anything_is_made(recorder: Recorder, tiny_disk: Path) -> None:
    (tiny_disk / "other").write_bytes(bytes(39 * 10**6))
    result = recorder("run", "--headless", "--output", tiny_disk / "x.h5")
    assert (result.code, result.out) == (1, "")
    assert "the disk is full" in result.err
    assert [path.name for path in tiny_disk.iterdir()] == ["other"]


def started(tmp_path: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Start a run that nobody stops, and wait until it has frames on the disk."""
    command = [*COMMAND, "run", "--headless", "--output", "x.h5", "--json", *map(str, arguments)]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with h5py.File(tmp_path / "x.h5", "r", swmr=True) as file:
                if len(file[DETECTOR]["frame_number"]) > 100:
                    return run
        except (OSError, KeyError):
            pass
        time.sleep(0.05)
    run.kill()
    raise AssertionError(run.communicate())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_drains_and_closes(tmp_path: Path, number: signal.Signals) -> None:
    run = started(tmp_path, *FAST)
    run.send_signal(number)
    out, err = run.communicate(timeout=20)
    assert run.returncode == 130, err
    assert '"verdict": "interrupted"' in out
    with h5py.File(tmp_path / "x.h5") as file:
        frames = len(file["data"])
        assert len(file["entry/losses"]) == 0
    check(tmp_path / "x.h5", frames, "interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_second_ctrl_c_ends_faster_and_the_file_is_valid(tmp_path: Path) -> None:
    run = started(tmp_path, *FAST)
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 130, err
    with h5py.File(tmp_path / "x.h5") as file:
        frames = len(file["data"])
    check(tmp_path / "x.h5", frames, "interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("mode", ["direct", "buffered"])
def test_a_kill_leaves_every_committed_frame(tmp_path: Path, mode: str) -> None:
    run = started(tmp_path, *FAST, "--set", f"storage.mode={mode}")
    run.kill()
    run.communicate()
    with h5py.File(tmp_path / "x.h5", "r", swmr=True) as file:
        numbers = file[DETECTOR]["frame_number"][:]
        assert len(numbers) > 100
        assert file["entry/verdict"][()] == b"recording"
        for i, number in enumerate(numbers):
            stamp = timestamp.read(file["data"][i])
            assert stamp is not None
            assert stamp.number == number == i + 1


@pytest.mark.parametrize("mode", ["direct", "buffered"])
def test_a_reader_never_sees_a_frame_whose_pixels_are_not_there_yet(tmp_path: Path, mode: str) -> None:
    command = [*COMMAND, "run", "--headless", "--output", "x.h5", "--frames", "3000", *FAST]
    command += ["--set", f"storage.mode={mode}"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        file = None
        looks, seen = 0, 0
        while file is None:
            try:
                file = h5py.File(tmp_path / "x.h5", "r", swmr=True)
            except OSError:
                time.sleep(0.01)
        column, data = file[DETECTOR]["frame_number"], file["data"]
        while run.poll() is None or seen < len(column):
            # The rows first: what has a row must have pixels.
            column.refresh()
            data.refresh()
            rows = len(column)
            for i in range(seen, rows):
                stamp = timestamp.read(data[i])
                assert stamp is not None
                assert stamp.number == column[i] == i + 1
            looks += rows > seen
            seen = rows
        file.close()
    assert seen == 3000
    assert looks > 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "camera.exposre=5ms"], ["camera.exposre", "did you mean camera.exposure?"]),
        (["--duration", "10"], ["--duration", "needs a unit"]),
        (["--frames", "many"], ["--frames", "an integer"]),
        (["--frmaes", "3"], ["--frmaes", "--frames"]),
        (["none.toml"], ["none.toml", "no such configuration file"]),
        (["--set", "camera.kind=playback", "--set", "camera.source=none.tif"], ["none.tif", "no such file"]),
        (["--output", "there.h5"], ["there.h5", "exists already"]),
        (["--output", "there.h5/"], ["there.h5", "exists already"]),
        (["--profile", "there.h5", "--frames", "1"], ["--profile there.h5", "exists"]),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    recorder: Recorder, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "there.h5").write_bytes(b"precious")
    result = recorder("run", "--headless", *arguments)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    for word in words:
        assert word in line
    assert [path.name for path in tmp_path.iterdir()] == ["there.h5"]
    assert (tmp_path / "there.h5").read_bytes() == b"precious"


def test_two_runs_in_one_second_get_two_files(recorder: Recorder, tmp_path: Path) -> None:
    for _ in range(3):
        assert recorder("run", "--headless", "--frames", 1, "--output", "out", *FAST).code == 0
    assert len(list((tmp_path / "out").glob("*.h5"))) == 3
    assert len(list((tmp_path / "out").glob("*.commands.jsonl"))) == 3


def test_profiles_of_every_thread_can_be_read(recorder: Recorder, tmp_path: Path) -> None:
    assert recorder("run", "--headless", "--frames", 50, "--profile", "p.prof", *FAST).code == 0
    for name, function in (("p.prof", "run"), ("p.camera.prof", "read_into"), ("p.storage.prof", "append")):
        stats = pstats.Stats(str(tmp_path / name)).stats  # type: ignore[attr-defined]
        assert any(function in entry[2] for entry in stats), name
    assert (tmp_path / "p.loop.prof").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")
def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140"}
    command = [*COMMAND, "run", "--headless", "--duration", "2s"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=child, stdout=child, env=environment) as run:
        os.close(child)
        shown = b""
        while run.poll() is None or select.select([parent], [], [], 0)[0]:
            try:
                if select.select([parent], [], [], 0.1)[0]:
                    shown += os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
    os.close(parent)
    text = shown.decode()
    for word in ("running", "MB/s", "pool", "lost 0", "0:00:0", "complete: 200 frames"):
        assert word in text
