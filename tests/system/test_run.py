"""What `recorder run --headless` promises, checked on the files it leaves."""

import contextlib
import json
import os
import pstats
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - with which others read packed frames
import numpy as np
import pytest
import tifffile

from recorder.camera import timestamp
from recorder.frames.metadata import STORED
from recorder.storage.layout import DETECTOR
from tests.conftest import need
from tests.system.conftest import COMMAND, LITTLE_MEMORY, ROOT, Recorder

BACTERIA = ROOT / "tests" / "data" / "bacteria-in-droplet.tif"
SMALL = (
    *("--set", "camera.width=128", "--set", "camera.height=128", "--set", "camera.exposure=100us"),
    *LITTLE_MEMORY,
)
# Its FIFO bears five seconds in which a busy computer does something else.
FAST = (*SMALL, "--set", "camera.rate=1000", "--set", "camera.fifo=5000")

# Ways of the pixels to the disk.
WAYS = {
    "direct": ("--set", "storage.mode=direct"),
    "buffered": ("--set", "storage.mode=buffered"),
    "packed": ("--set", "storage.compression=lossless"),
}


def frames_in(path: Path) -> int:
    with h5py.File(path) as file:
        return len(file["data"])


def check(path: Path, frames: int, verdict: str) -> None:
    """The file is whole, and each frame is the one its row tells of."""
    with h5py.File(path) as file:
        data, numbers = file["data"], file[DETECTOR]["frame_number"][:]
        assert file["entry/verdict"][()].decode() == verdict
        assert len(data) == frames
        assert {len(file[DETECTOR][field.column]) for field in STORED} == {frames}
        for i in {0, 1, frames // 2, frames - 1} & set(range(frames)):
            stamp = timestamp.read(data[i])
            assert stamp is not None
            assert stamp.number == numbers[i]


def losses(path: Path) -> list[tuple[Any, ...]]:
    with h5py.File(path) as file:
        return [
            (int(r["after_frame"]), int(r["count"]), r["cause"].decode()) for r in file["entry/losses"][:]
        ]


def test_without_a_configuration_it_records_a_simulated_camera(recorder: Recorder, tmp_path: Path) -> None:
    """What it tells in words is what is in the file: 640x540 at 100 frames/s, 5 ms each."""
    result = recorder("run", "--headless", "--frames", 50)
    assert result.code == 0
    (path,) = (tmp_path / "recordings").glob("recording_*Z.h5")
    assert path.with_suffix(".commands.jsonl").exists()
    first, second = result.out.splitlines()
    assert first == f"complete: 50 frames in {path.relative_to(tmp_path)}"
    told = re.match(r"([\d.]+) GB in ([\d.]+) s, ([\d.]+) frames/s, (\d+) MB/s; ", second)
    assert told is not None, second
    size, seconds, rate, flow = map(float, told.groups())
    assert size == pytest.approx(50 * 640 * 540 * 2 / 1e9, abs=0.001)
    assert rate == pytest.approx(50 / seconds, rel=0.02)
    assert flow == pytest.approx(rate * 640 * 540 * 2 / 1e6, rel=0.02)
    check(path, 50, "complete")
    with h5py.File(path) as file:
        detector = file[DETECTOR]
        assert detector["description"][()].decode().startswith("simulated pco.edge")
        assert (file["data"].shape, file["data"].dtype) == ((50, 540, 640), np.uint16)
        assert np.diff(detector["start_time"][:]) == pytest.approx(0.01)
        assert set(detector["count_time"][:]) == {0.005}
        # A picture, not a constant, and not the same one twice.
        assert file["data"][0].std() > 1
        assert (file["data"][0] != file["data"][49]).mean() > 0.5


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
        ('{kind="silence", at=100}', 1, "failed", 99, "no frame for 0.5 s after the frame with counter 99"),
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
    assert losses(tmp_path / "x.h5") == [(98, 3, "counter gap")]
    with h5py.File(tmp_path / "x.h5") as file:
        assert file[DETECTOR]["frame_number"][-1] == 203


def test_a_stall_overflows_the_fifo_and_adds_up(recorder: Recorder, tmp_path: Path) -> None:
    result = recorder(
        *("run", "--headless", "--frames", 300, "--output", "x.h5", *FAST, "--json"),
        *("--set", 'camera.faults=[{kind="stall", at=100, duration="0.3s"}]', "--set", "camera.fifo=50"),
    )
    assert result.code == 3
    # On a busy computer the FIFO is full for some more moments while it is read empty.
    assert {cause for *_, cause in losses(tmp_path / "x.h5")} == {"camera overflow"}
    assert re.search(r"before, the camera was not read for [234]\d\d ms", result.err)
    with h5py.File(tmp_path / "x.h5") as file:
        assert 0.25 < file["entry/losses"][0]["unread_s"] < 0.5
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
    # On a busy computer the look may come first; tests/fault_injection has every such write fail.
    was_seen = "before the disk was full" in result.err
    assert was_seen or "the disk is full" in result.err
    assert was_seen or result.json["lost"] > 0
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
@pytest.mark.parametrize("way", WAYS)
def test_a_kill_leaves_every_committed_frame(tmp_path: Path, way: str) -> None:
    run = started(tmp_path, *FAST, *WAYS[way])
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


@pytest.mark.parametrize("way", WAYS)
def test_a_reader_never_sees_a_frame_whose_pixels_are_not_there_yet(tmp_path: Path, way: str) -> None:
    command = [*COMMAND, "run", "--headless", "--output", "x.h5", "--frames", "3000", *FAST, *WAYS[way]]
    looks, seen = 0, 0
    with (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run,
        contextlib.ExitStack() as stack,
    ):
        file = None
        while file is None:
            try:
                file = stack.enter_context(h5py.File(tmp_path / "x.h5", "r", swmr=True))
            except OSError:
                time.sleep(0.01)
        column, data = file[DETECTOR]["frame_number"], file["data"]
        is_over = False
        while not is_over:
            # Asked first, so that the last look sees the file as it was left.
            is_over = run.poll() is not None
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
    assert run.returncode == 0
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
        (["--output", "x.tif"], ["x.tif: write a file name that ends in .h5"]),
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


def test_runs_that_begin_together_get_names_of_their_own(tmp_path: Path) -> None:
    command = [*COMMAND, "run", "--headless", "--frames", "20", "--output", "out", *FAST]
    runs = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [run.wait(30) for run in runs] == [0, 0, 0, 0]
    assert len(list((tmp_path / "out").glob("*.h5"))) == 4
    assert len(list((tmp_path / "out").glob("*.commands.jsonl"))) == 4


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
    for word in ("running", "MB/s", "buffer", "lost 0", "0:00:0", "complete: 200 frames"):
        assert word in text


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ('{kind="drop", at=450, count=5000}', 51),
        ('{kind="drop", at=450, count=20}', 20),
        ('{kind="drop", at=490, count=20}', 11),
    ],
)
def test_what_is_missing_at_the_end_of_a_duration_is_counted(
    recorder: Recorder, tmp_path: Path, fault: str, lost: int
) -> None:
    result = recorder(
        *("run", "--headless", "--duration", "0.5s", "--output", "x.h5", "--json", *FAST),
        *("--set", f"camera.faults=[{fault}]"),
    )
    assert (result.code, result.json["lost"], result.json["frames"]) == (3, lost, 500 - lost)
    check(tmp_path / "x.h5", 500 - lost, "frames lost")


def test_a_slow_camera_is_not_silent(recorder: Recorder) -> None:
    result = recorder(
        *("run", "--headless", "--duration", "1.2s", "--json", *SMALL),
        *("--set", "camera.rate=1", "--set", "camera.timeout=0.2s"),
    )
    assert (result.code, result.json["frames"]) == (0, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_console_that_cannot_be_written_costs_no_frame(tmp_path: Path, stream: str) -> None:
    command = [*COMMAND, "run", "--headless", "--frames", "300", "--output", "x.h5", *FAST]
    command += ["--set", 'camera.faults=[{kind="drop", at=10, count=3}]']
    with Path("/dev/full").open("w") as full:
        streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: full}
        done = subprocess.run(command, cwd=tmp_path, check=False, timeout=30, **streams)
    assert done.returncode == 3
    check(tmp_path / "x.h5", 300, "frames lost")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_closed_terminal_stops_in_order(tmp_path: Path) -> None:
    run = started(tmp_path, *FAST)
    run.send_signal(signal.SIGHUP)
    run.communicate(timeout=20)
    assert run.returncode == 130
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["entry/verdict"][()] == b"interrupted"


def test_names_beyond_ascii(recorder: Recorder, tmp_path: Path) -> None:
    assert recorder("run", "--headless", "--frames", 5, "--output", "Fliege😀.h5", *FAST).code == 0
    check(tmp_path / "Fliege😀.h5", 5, "complete")


def test_a_disk_that_another_program_fills_still_gets_the_whole_story(
    recorder: Recorder, tiny_disk: Path
) -> None:
    """What is lost stands in the file, and the file is closed, though not a byte is free."""
    run = started(tiny_disk, *SMALL, "--set", "camera.rate=200", "--set", "pool.memory=8MB")
    with pytest.raises(OSError, match="No space"), (tiny_disk / "hog").open("wb", buffering=0) as hog:
        while hog.write(bytes(1_000_000)):
            pass
    out, _ = run.communicate(timeout=20)
    assert run.returncode == 1
    told = json.loads(out)
    check(tiny_disk / "x.h5", told["frames"], "failed")
    assert sum(count for _, count, _ in losses(tiny_disk / "x.h5")) == told["lost"]


def test_damaged_sources_are_told(recorder: Recorder, tmp_path: Path) -> None:
    def play(name: str) -> str:
        result = recorder(
            *("run", "--headless", "--set", "camera.kind=playback", "--set", f"camera.source={name}"),
            *("--set", "camera.rate=max", "--json"),
        )
        assert result.code in {1, 2}
        return result.err

    (tmp_path / "cut.tif").write_bytes(BACTERIA.read_bytes()[:200_000])
    assert "cut.tif" in play("cut.tif")
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((60, 80, 3), np.uint8), photometric="rgb")
    assert "grey" in play("rgb.tif")
    frames = np.random.default_rng(0).integers(0, 99, (5, 64, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "z.tif", frames, compression="zlib", photometric="minisblack")
    (tmp_path / "z.tif").write_bytes((tmp_path / "z.tif").read_bytes()[:-2000])
    assert "z.tif" in play("z.tif")


SCRIPT = """\
# what an operator does
mark begin "the first" one
exposure 2ms
note the fly is walking
wait 100ms
preview on
exposure 1ms
mark middle
at 600ms mark late
status
snapshot shot.tif
snapshot shot.png
preview rate 5
preview levels 100 900
preview off
exposure 3ms
wait 200ms
mark end
wait 200ms
exposure 4ms
wait 100ms
"""


@pytest.mark.parametrize(
    "between", ["exposure 2ms", "set camera.exposure 2ms", "save new named", "save off", "note nothing"]
)
def test_what_was_given_between_two_runs_is_replayed_between_them(
    recorder: Recorder, tmp_path: Path, between: str
) -> None:
    script = f"wait 1300ms\nstop\n{between}\nstart\nwait 200ms\nquit\n"
    (tmp_path / "s.txt").write_text(script)
    assert recorder("run", "--headless", "--script", "s.txt", "--output", "o/a.h5", *FAST).code == 0
    named = tmp_path / "o" / "named.h5"
    if named.exists():
        named.rename(tmp_path / "o" / "a_2.h5")
    assert recorder("replay", "o/a.commands.jsonl", "--output", "r/a.h5").code == 0
    if (named := tmp_path / "r" / "named.h5").exists():
        named.rename(tmp_path / "r" / "a_2.h5")
    files = {path.name for path in (tmp_path / "o").glob("*.h5")}
    assert files == {path.name for path in (tmp_path / "r").glob("*.h5")}
    for name in files:
        with h5py.File(tmp_path / "o" / name) as first, h5py.File(tmp_path / "r" / name) as again:
            for column in ("frame_number", "exposure"):
                assert (first[DETECTOR][column][:] == again[DETECTOR][column][:]).all()


def test_a_replay_in_its_default_place_makes_the_same_files(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("wait 100ms\nsave new b\nwait 100ms\nsave new\nwait 100ms\nquit\n")
    recorder("run", "--headless", "--script", "s.txt", "--output", "o/a.h5", *FAST)
    first = {path.name: frames_in(path) for path in (tmp_path / "o").glob("*.h5")}
    assert sorted(first) == ["a.h5", "a_2.h5", "b.h5"]
    assert recorder("replay", "o/a.commands.jsonl").code == 0
    (folder,) = (tmp_path / "o").glob("a_replay_*")
    assert {path.name: frames_in(path) for path in folder.glob("*.h5")} == first


def test_a_script_acts_and_its_journal_replays_exactly(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(SCRIPT)
    arguments = ("--set", "camera.rate=100", *SMALL, "--output", "a.h5", "--frames", 150, "--script", "s.txt")
    assert recorder("run", "--headless", *arguments).code == 0
    assert recorder("replay", "a.commands.jsonl", "--output", "b.h5").code == 0
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        assert len(a["data"]) == len(b["data"]) == 150
        assert (a["data"][:] == b["data"][:]).all()
        for name in ("exposure", "frame_number", "frame_time", "temperature"):
            assert (a[DETECTOR][name][:] == b[DETECTOR][name][:]).all()
        marks = [[(int(r["frame"]), r["label"]) for r in file["entry/marks"]] for file in (a, b)]
        assert marks[0] == marks[1]
        assert [label for _, label in marks[0]] == [b"begin", b"middle", b"late", b"end"]
        exposures = a[DETECTOR]["exposure"][:]
        entries = [json.loads(line) for line in (tmp_path / "a.commands.jsonl").read_text().splitlines()]
        changes = [e for e in entries if e.get("command", "").startswith("exposure")]
        assert len(changes) == 4
        for entry in changes:
            value = float(entry["command"].split()[1].removesuffix("ms")) / 1000
            assert entry["effective_frame"] == np.flatnonzero(exposures == value)[0]
            assert exposures[entry["effective_frame"] - 1] != value
        assert len(a["entry/commands"]) == len([e for e in entries if "seq" in e])
    with tifffile.TiffFile(tmp_path / "shot.tif") as shot, h5py.File(tmp_path / "a.h5") as a:
        (known,) = shot.shaped_metadata or ()
        index = known["counter"] - 1
        assert (shot.asarray() == a["data"][index]).all()
        assert known["exposure_s"] == a[DETECTOR]["exposure"][index]
        assert known["pixel_size_um"] == [6.5, 6.5]
        began = datetime.fromisoformat(a[DETECTOR]["start_time"].attrs["start"].decode())
        since_s = (datetime.fromisoformat(known["utc"]) - began).total_seconds()
        assert since_s == pytest.approx(a[DETECTOR]["host_time"][index], abs=0.1)
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")


def test_next_files_join_without_a_gap(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("wait 100ms\nsave new\n" * 10 + "wait 100ms\nquit\n")
    result = recorder("run", "--headless", *FAST, "--output", "x.h5", "--script", "s.txt", "--json")
    assert (result.code, result.json["lost"]) == (0, 0)
    numbers = []
    for i in range(1, 12):
        with h5py.File(tmp_path / ("x.h5" if i == 1 else f"x_{i}.h5")) as file:
            assert file["entry/verdict"][()] == b"complete"
            found = file[DETECTOR]["frame_number"][:].tolist()
            assert found
            numbers += found
    assert numbers == list(range(1, result.json["frames"] + 1))


def test_stop_and_start_make_runs_of_their_own(recorder: Recorder, tmp_path: Path) -> None:
    script = "wait 100ms\nset camera.rate 500\nstop\nset camera.rate 500\nstart\nwait 100ms\nquit\n"
    (tmp_path / "s.txt").write_text(script)
    result = recorder("run", "--headless", *FAST, "--output", "x.h5", "--script", "s.txt", "--json")
    assert result.code == 0
    with h5py.File(tmp_path / "x.h5") as first, h5py.File(tmp_path / "x_2.h5") as second:
        assert first[DETECTOR]["frame_time"][1] == pytest.approx(0.001)
        assert second[DETECTOR]["frame_time"][1] == pytest.approx(0.002)
        assert result.json["frames"] == len(first["data"]) + len(second["data"])
        assert b"refused" in [row["status"] for row in first["entry/commands"]]


def test_a_script_is_checked_before_the_run_begins(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("mark a\n\nexposre 5ms\n")
    result = recorder("run", "--headless", "--script", "s.txt")
    assert (result.code, result.out) == (2, "")
    assert "s.txt, line 3" in result.err
    assert "did you mean exposure?" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["s.txt"]


def test_a_kill_leaves_every_line_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("".join(f"note line {i}\n" for i in range(50)) + "wait 60s\n")
    run = started(tmp_path, *FAST, "--script", "s.txt")
    deadline = time.monotonic() + 20
    journal = tmp_path / "x.commands.jsonl"
    while "line 49" not in journal.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.kill()
    run.communicate()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    commands = [entry["command"] for entry in lines[1:]]
    assert commands[:50] == [f"note line {i}" for i in range(50)]
    assert commands[50:] in ([], ["wait 60s"])  # which is there from its beginning on


def test_a_recording_is_replayed_by_its_journal(recorder: Recorder, tmp_path: Path) -> None:
    """Under its own name, or known by its commands; with limits of its own."""
    (tmp_path / "s.txt").write_text("wait 100ms\nsave new b\nwait 100ms\nmark late\nwait 100ms\nquit\n")
    recorder("run", "--headless", "--script", "s.txt", "--output", "o/a.h5", *FAST)
    recorder("run", "--headless", "--frames", 10, "--output", "o/other.h5", *FAST)
    for name in ("a.h5", "b.h5"):
        done = recorder("replay", f"o/{name}", "--output", "r/a.h5")
        assert done.code == 0, done.err
        assert frames_in(tmp_path / "r" / "a.h5") == frames_in(tmp_path / "o" / "a.h5")
        shutil.rmtree(tmp_path / "r")
    done = recorder("replay", "o/a.h5", "--headless", "--frames", 20, "--output", "short.h5", "--json")
    assert (done.code, done.json["frames"]) == (0, 20)
    done = recorder("replay", "o/a.h5", "--duration", "50ms", "--output", "brief.h5", "--json")
    assert done.json["frames"] == 50
    done = recorder("replay", "o/a.h5", "--frames", "many")
    assert (done.code, done.err.startswith('recorder: --frames = "many": must be')) == (2, True), done
    (tmp_path / "o" / "other.commands.jsonl").unlink()
    done = recorder("replay", "o/other.h5")
    assert done.code == 2
    assert "other.h5: other.commands.jsonl is not there, and no other journal" in done.err
