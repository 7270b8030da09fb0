"""Two simulated cameras under one console, run as their users run them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import recorder as recorder_package
from recorder.files.opened.rig import OpenedRig
from tests.system.conftest import COMMAND, Recorder
from tests.system.test_console import Terminal

# Their FIFOs bear three seconds in which a busy computer does something else.
CAMERA = (
    "settings.camera = {width = 64, height = 64, rate = 100, fifo = 300}\nsettings.pool.memory = '16MB'\n"
)
RIG = f'[rig]\nname = "eyes"\n[camera.left]\nmaster = true\n{CAMERA}[camera.right]\n{CAMERA}'


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(RIG)
    return path


class Running:
    """A rig without a prompt."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        options = ["--headless", "--json", "--output", "x.rig.h5", *arguments]
        self.run = subprocess.Popen(
            [*COMMAND, "rig", "rig.toml", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_it_records(self, *names: str) -> None:
        """Wait until frames of these cameras are in their files."""
        for name in names:
            until(lambda name=name: frames(self.folder / f"x_{name}.h5") > 20)  # type: ignore[misc]

    def process_of(self, name: str) -> int:
        """Return the number of a camera's process."""
        children = Path(f"/proc/{self.run.pid}/task/{self.run.pid}/children").read_text().split()
        (found,) = (int(c) for c in children if f"x_{name}.h5" in Path(f"/proc/{c}/cmdline").read_text())
        return found

    def finish(self, seconds: float = 40) -> tuple[int, dict[str, Any], str]:
        out, err = self.run.communicate(timeout=seconds)
        assert "Traceback" not in err, err
        return self.run.returncode, json.loads(out or "{}"), err


def frames(path: Path) -> int:
    try:
        with h5py.File(path, "r", swmr=True, locking=False) as file:
            return len(file["entry/instrument/detector/sequence_number"])
    except (OSError, KeyError):
        return 0


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path, rig_file: Path) -> Iterator[Callable[..., Running]]:
    opened: list[Running] = []

    def begin(*arguments: str) -> Running:
        opened.append(Running(tmp_path, *arguments))
        return opened[-1]

    yield begin
    for one in opened:
        one.run.kill()
        one.run.communicate()


def mark(rig: OpenedRig, name: str, label: str) -> tuple[float, float]:
    """Return the moment of a mark, and when the frame began that it is on, by the clock of all cameras."""
    (row,) = (row for row in rig[name].marks if row["label"] == label)
    moment = rig[name].contents[0].host_zero_ns * 1e-9 + float(row["elapsed_s"])
    return moment, float(rig.moments(name)[row["frame"]])


def test_a_line_reaches_all_cameras_at_one_moment(recorder: Recorder, rig_file: Path, tmp_path: Path) -> None:
    """The frames that a mark is on began within a frame interval of each other, in both files."""
    script = tmp_path / "script.txt"
    labels = [f"m{i}" for i in range(8)]
    lines = ["wait 300ms", *(f"mark {label}\nwait 37ms" for label in labels)]
    lines += ["left: exposure 2ms", "right: mark only", "save new next", "wait 100ms", "quit"]
    script.write_text("\n".join(lines))
    result = recorder("rig", rig_file, "--headless", "--json", "--output", "x.rig.h5", "--script", script)
    assert result.code == 0, result.err
    told = result.json
    assert (told["rig"], told["verdict"]) == ("x.rig.h5", "complete")
    assert [Path(f["file"]).name for f in told["cameras"]["left"]["files"]] == ["x_left.h5", "next_left.h5"]
    with recorder_package.open_rig(tmp_path / "x.rig.h5") as rig:
        assert rig.names == ("left", "right")
        assert (rig.master, rig.verdict, rig.verdicts["right"][0]) == ("left", "complete", "complete")
        for label in labels:
            moments, begins = zip(*(mark(rig, name, label) for name in rig), strict=True)
            assert moments[0] == pytest.approx(moments[1], abs=1e-6)
            # The frame holds the moment, or is one beside it.
            assert all(-0.0105 < moments[0] - begin < 0.0205 for begin in begins), (label, moments, begins)
        assert [row["label"] for row in rig["right"].marks] == [*labels, "only"]
        assert [row["label"] for row in rig["left"].marks] == labels
        assert rig["left"].exposure.min() == pytest.approx(0.002)
        assert rig["right"].exposure.min() == pytest.approx(0.005)
        aligned = rig.aligned()
        # The master began last, and was stopped first.
        assert aligned.reference == "left"
        assert aligned.complete.mean() > 0.95
        assert np.nanmax(np.abs(aligned.apart)) < 0.0052
        assert (np.diff(aligned.index[aligned.complete, 1]) == 1).mean() > 0.95
    with h5py.File(tmp_path / "x.rig.h5") as file:
        assert file["right/verdict"][()] == b"complete"
        assert len(file["left_2/data/data"]) == len(rig["left"]) - rig["left"].files[1].first
    # The folder can be moved.
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in [*tmp_path.glob("*.h5"), *tmp_path.glob("*.jsonl")]:
        path.rename(moved / path.name)
    with recorder_package.open_rig(moved / "x.rig.h5") as rig:
        assert len(rig["left"]) == told["cameras"]["left"]["frames"]
    refused = recorder("info", moved / "x.rig.h5")
    assert (refused.code, "x_left.h5, next_left.h5, x_right.h5" in refused.err) == (2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the process by /proc")
def test_one_camera_is_killed_and_the_other_goes_on(
    start: Callable[..., Running], recorder: Recorder
) -> None:
    rig = start()
    rig.until_it_records("left", "right")
    os.kill(rig.process_of("left"), signal.SIGKILL)
    right = rig.folder / "x_right.h5"
    before = frames(right)
    until(lambda: frames(right) > before + 100)
    rig.run.send_signal(signal.SIGINT)
    code, told, err = rig.finish()
    assert code == 1
    assert "left failed: its process was ended by SIGKILL; recorder recover x_left.h5" in err
    assert 'right: going on, as rig.on_failure = "go on" says' in err
    assert told["verdict"] == "failed"
    assert told["cameras"]["left"]["verdict"] == "failed"
    assert told["cameras"]["right"]["verdict"] == "interrupted"
    assert told["cameras"]["right"]["lost"] == 0
    assert recorder("recover", "x_left.h5").code == 0
    sound = recorder("verify", "x_left.h5", "x_right.h5")
    assert (sound.code, "x_left.h5: sound, but not complete" in sound.out) == (3, True)
    with recorder_package.open_rig(rig.folder / "x.rig.h5") as opened:
        assert opened.verdict == "failed"
        assert opened.verdicts["left"] == ("failed", "its process was ended by SIGKILL")
        assert opened.aligned("right").index[-1, 0] == -1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes by /proc")
def test_cameras_end_in_order_where_the_rig_is_killed(
    start: Callable[..., Running], recorder: Recorder
) -> None:
    rig = start()
    rig.until_it_records("left", "right")
    cameras = [rig.process_of("left"), rig.process_of("right")]
    rig.run.kill()
    rig.run.communicate()
    until(lambda: not any(Path(f"/proc/{number}").exists() for number in cameras))
    for name in ("left", "right"):
        with h5py.File(rig.folder / f"x_{name}.h5") as file:
            assert file["entry/verdict"][()] == b"interrupted"
            assert b"the program that gave the commands has ended" in file["entry/cause"][()]
    assert recorder("verify", "x_left.h5", "x_right.h5").code == 0
    with recorder_package.open_rig(rig.folder / "x.rig.h5") as opened:
        assert opened.verdict == "recording"
        assert opened["left"].verdict == "interrupted"


def test_what_is_wrong_is_said_before_anything_starts(
    recorder: Recorder, rig_file: Path, tmp_path: Path
) -> None:
    rig_file.write_text(RIG.replace("[camera.right]", "[camera.right]\nconfig = 'simulted.toml'"))
    result = recorder("rig", "rig.toml", "--headless")
    told = "recorder: rig.toml: camera right: simulted.toml: no such configuration file\n"
    assert (result.code, result.err) == (2, told)
    result = recorder("rig", "rig.toml", "--headless", "--frames", "no", "--set", "right.camera.rate=-1")
    assert result.code == 2
    assert list(tmp_path.iterdir()) == [rig_file]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")
def test_the_console_shows_all_cameras(tmp_path: Path, rig_file: Path) -> None:
    terminal = Terminal(tmp_path, command=("rig", "rig.toml", "--output", "x.rig.h5"))
    try:
        terminal.until("left: LINE to one")
        terminal.type("lfet: mark a", "did you mean left?")
        terminal.type("mark both", "mark both on frame")
        terminal.type("left: mark one", "left: mark one on frame")
        terminal.type("status", "survive a power cut")
        terminal.type("left: quit", "left: stop ends its recording")
        terminal.type("stop", "stopping")
        terminal.until("complete: ")
        terminal.type("start", "x_left_2.h5")
        terminal.type("quit", "left, right are being saved")
        since = len(terminal.shown)
        terminal.type("y")
        terminal.until("rig: complete", since)
        for name in ("left", "right"):
            assert re.search(rf"{name}: complete: \d+ frames in x_{name}.h5", terminal.shown[since:])
        assert terminal.run.wait(20) == 0
    finally:
        terminal.close()
    with h5py.File(tmp_path / "x_right.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"both"]
