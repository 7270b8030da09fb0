import json
import re
import sys
from pathlib import Path

import h5py
import pytest

from tests.system.conftest import LITTLE_MEMORY, ROOT, Recorder


def test_info_tells_the_story(recorder: Recorder) -> None:
    recorder(
        *("run", "--headless", *LITTLE_MEMORY, "--frames", 50, "--output", "x.h5"),
        *("--set", 'camera.faults=[{kind="drop", at=10, count=2}]'),
    )
    result = recorder("info", "x.h5")
    assert result.code == 0
    for words in (
        "frames lost",
        "50 of 640x540 uint16",
        "2 (counter gap: the camera skipped them)",
        "simulated pco.edge",
        "frames/s over 0.510 s",
        "; residual ",
    ):
        assert words in result.out
    told = json.loads(recorder("info", "x.h5", "--json").out)
    assert told["clock"]["uncertainty"] < 0.5
    assert (told["frames"], told["lost"], told["losses"]) == (50, 2, {"counter gap": 2})


def test_info_lists_exposures_and_marks(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(
        "mark trial3 left eye\nmeta lost 3\nexposure 2ms\nwait 100ms\nmark late\nquit\n"
    )
    arguments = ("run", "--headless", *LITTLE_MEMORY, "--script", "s.txt", "--output", "x.h5")
    recorder(*arguments, "--set", "recording.pixel_size=650nm")
    told = recorder("info", "x.h5")
    exposure = re.search(r"^exposure +5ms, 2ms from frame (\d+) on$", told.out, re.MULTILINE)
    assert exposure, told.out
    for shown in ("pixel on the sample +650nm", r"pixel size +6\.5um", "lost +0", "meta lost +3"):
        assert re.search(f"^{shown}$", told.out, re.MULTILINE), shown
    head, *rows = told.out.split("\n\n")[1].splitlines()
    assert head.split() == ["frame", "time", "label", "text", "from"]
    assert [re.split(r" {2,}", row.strip())[2:] for row in rows] == [
        ["trial3", "left eye", "script"],
        ["late", "script"],
    ]
    found = json.loads(recorder("info", "x.h5", "--json").out)
    assert found["exposures"] == [[0, 0.005], [int(exposure[1]), 0.002]]
    assert [row["label"] for row in found["mark_rows"]] == ["trial3", "late"]
    assert rows[0].split()[0] == str(found["mark_rows"][0]["frame"])
    with h5py.File(tmp_path / "x.h5") as file:
        size = file["entry/instrument/detector/x_pixel_size"]
        assert (size[()], size.attrs["units"]) == (6.5e-6, b"m")
        size = file["entry/instrument/optics/x_pixel_size"]
        assert (size[()], size.attrs["units"]) == (0.65, b"um")


def test_a_file_does_not_command_the_terminal(recorder: Recorder, tmp_path: Path) -> None:
    recorder("run", "--headless", *LITTLE_MEMORY, "--frames", 5, "--output", "x.h5")
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["entry/cause"]
        file["entry/cause"] = "\x1b[2J\x9b2J\a\rdone\nverdict                  complete"
    result = recorder("info", "x.h5")
    assert result.code == 0
    assert r"ended                    \x1b[2J\x9b2J\x07\x0ddone\x0averdict      " in result.out
    assert sum(line.startswith("verdict") for line in result.out.splitlines()) == 1
    told = json.loads(recorder("info", "x.h5", "--json").out)
    assert told["cause"].startswith("\x1b[2J\x9b2J\a\r")


@pytest.mark.parametrize("name", ["a\x1b[2J.h5", "a\udc80.h5", "a\nb.h5"])
@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_does_not_command_the_terminal(recorder: Recorder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello")
    result = recorder("info", name)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.isprintable()
    assert name not in line


@pytest.mark.parametrize("kind", ["nothing", "text", "folder", "foreign", "cut"])
def test_a_file_that_is_not_ours_is_one_line(recorder: Recorder, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.h5"
    match kind:
        case "text":
            path.write_text("hello")
        case "folder":
            path.mkdir()
        case "foreign":
            with h5py.File(path, "w") as file:
                file["data"] = [1, 2, 3]
        case "cut":
            recorder("run", "--headless", *LITTLE_MEMORY, "--frames", 5, "--output", "whole.h5")
            path.write_bytes((tmp_path / "whole.h5").read_bytes()[:4000])
    result = recorder("info", path)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert "x.h5" in line


def test_bench_measures_and_gives_a_verdict(recorder: Recorder, tmp_path: Path) -> None:
    arguments = ("bench", ROOT / "configs" / "small-roi.toml", "--seconds", 0.05, "--rounds", 1)
    result = recorder(*arguments, "--folder", tmp_path, "--json")
    assert result.code == 0, result.err
    told = result.json
    assert "128x128 at 5000 frames/s" in told["verdict"]
    assert "0.164 GB/s needed" in told["verdict"]
    ways = {row["way"] for row in told["rows"]}
    assert {"memcpy", "raw buffered", "recorder buffered"} <= ways
    assert all(row["GB/s"] > 0 for row in told["rows"])
    assert {row["frames"] for row in told["rows"]} == {"128x128"}
    assert list(tmp_path.iterdir()) == []
    table = recorder(*arguments, "--folder", tmp_path, "--small-frames")
    assert re.match(r"this computer (keeps up|does NOT keep up) with 128x128 at 5000 frames/s", table.out)
    assert "raw buffered" in table.out
    assert "256x256" in table.out


def test_bench_measures_compression_beside_none_on_a_slower_disk(recorder: Recorder, tmp_path: Path) -> None:
    arguments = (
        "bench",
        "--seconds",
        0.05,
        "--rounds",
        1,
        "--folder",
        tmp_path,
        "--set",
        "camera.electrons=100",
    )
    result = recorder(*arguments, "--compression", "lossless", "--disk-limit", "1MB/s", "--json")
    assert result.code == 0, result.err
    assert "a scene of 100 electrons" in result.err
    assert "slowed down to 1 MB/s" in result.err
    rows = {row["way"]: row for row in result.json["rows"]}
    plain, packed = rows["recorder buffered"], rows["recorder buffered, lossless"]
    # All but what the cache of such a disk holds.
    assert plain["GB/s"] < 0.1
    assert (plain["ratio"], plain["% as is"]) == (1, 100)
    assert packed["ratio"] > 1.5
    assert packed["% as is"] < 100
    wrong = recorder(*arguments, "--disk-limit", "500")
    assert wrong.code == 2
    assert wrong.err.startswith("recorder: --disk-limit = 500: must be a size per second, from 1MB/s")


def test_bench_writes_no_more_than_asked_for(recorder: Recorder, tmp_path: Path) -> None:
    arguments = ("bench", "--seconds", 5, "--rounds", 1, "--folder", tmp_path, "--write")
    told = recorder(*arguments, "200MB", "--json").err
    (written,) = re.findall(r"^([\d.]+) GB are written", told)
    assert float(written) <= 0.2
    too_little = recorder(*arguments, "50MB")
    assert too_little.code == 2
    assert re.search(r"^recorder: --write 50MB: \d measurements .* write \d+MB at least", too_little.err)
    assert "unknown unit" in recorder(*arguments, "2 lots").err


def test_bench_says_what_it_cannot_measure(recorder: Recorder) -> None:
    assert "no such folder" in recorder("bench", "--folder", "nowhere").err
    assert recorder("bench", ROOT / "configs" / "playback.toml").code == 2


def test_help_and_wrong_commands(recorder: Recorder) -> None:
    for arguments in ([], ["--help"], ["run", "--help"], ["info", "-h"], ["bench", "-h"]):
        result = recorder(*arguments)
        assert "Usage" in result.out + result.err
    result = recorder("rnu")
    assert (result.code, result.err) == (2, "recorder: No such command 'rnu'. Did you mean 'run'?\n")
    assert "0.1.0" in recorder("--version").out
