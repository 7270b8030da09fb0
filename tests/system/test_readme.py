"""Every block of the README and its pages is run as it stands there, and what it promises is looked for."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from recorder.settings.model import load
from recorder.storage.layout import DETECTOR
from tests.house.test_readme import console_lines
from tests.readme import BLOCKS, PROSE, paragraph, spans, table
from tests.system.conftest import Result
from tests.system.test_remote import TOKEN, listen

# The installed program: `python -m recorder` would look for modules in the folder it is started in.
PROGRAM = str(Path(sys.executable).with_name("recorder"))

# Parts of a block that are not run, with the reason.
SKIPPED = {
    "python3 -m venv .venv": "makes the environment that this test runs in",
    ".venv/bin/pip install -q .": "asks the package index; .ci/run installs",
    ".venv/bin/pip install -q uv": "asks the package index; .ci/run installs",
    ".venv/bin/uv pip install -q -e '.[dev]'": "asks the package index; .ci/run installs",
    ".venv/bin/python -m pytest": "this test is part of it",
}

# Blocks by their first line, and the test that runs each.
RUN_BY = {
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/recorder run": (
        "test_the_first_command_records"
    ),
    "mark trial3 left eye": "test_the_lines_of_the_tour_are_carried_out",
    "recorder run --headless --frames 200 --output mouse.h5": "test_the_commands_of_the_tour_run",
    "from h5py import File": "test_the_commands_of_the_tour_run",
    "recorder config --template pco --output rig.toml": "test_the_commands_of_the_tour_run",
    (
        "python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv pip install -q -e '.[dev]' && "
        ".venv/bin/python -m pytest"
    ): "",
    "recorder run [CONFIG] [--headless] [--frames N] [--duration 10s] [--output PATH] [--script FILE]": (
        "test_every_line_of_the_synopsis_runs"
    ),
    "recorder export mouse.h5 part.tif --frames 100:200": "test_each_task_after_a_recording_is_a_line",
    "import recorder": "test_each_task_after_a_recording_is_a_line",
    "[analysis]": "test_an_analysis_of_ones_own_runs",
    "import h5py": "test_the_program_that_reads_a_file_runs",
    "import xarray as xr": "test_the_program_for_xarray_runs",
    "import os, socket, time": "test_the_program_of_a_stimulus_computer_runs",
}

# Shorter than the README's, so that the test is.
SHORTER = {"2s": "0.2s", "14:30": "23:59:59", "2GB": "300MB"}

# How lines of the console's table are answered, if not with ok: the simulated camera runs free, and nothing
# is held of before.
ANSWERED = {"trigger": "failed", "capture flame out": "refused"}


def run(folder: Path, *words: object, stdin: str = "") -> Result:
    done = subprocess.run(
        [PROGRAM, *map(str, words)],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def shorter(text: str) -> str:
    return " ".join(SHORTER.get(word, word) for word in text.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's first command was run, with what it says one may type."""
    folder = tmp_path_factory.mktemp("readme")
    (command,) = (
        part
        for part in BLOCKS[0].text.split(" && ")
        if part not in SKIPPED and part.startswith(".venv/bin/recorder ")
    )
    program, *words = shlex.split(shorter(command))
    assert program == ".venv/bin/recorder"
    typed = [line for line in spans(paragraph("Set up and open a live session")) if line.islower()]
    assert typed == ["mark trial3", "exposure 2ms", "help", "quit"]
    # Columns that the README names.
    words += ["--set", "storage.checksum=true", "--set", 'recording.channels=["blue", "violet"]']
    words += ["--set", "analysis.regions=true", "--set", "preview.regions.NAME=[0, 0, 9, 9]"]
    told = run(folder, *words, "--script", "-", "--json", stdin="\n".join(["wait 0.5s", *typed]))
    assert told.code == 0, told.err
    assert told.json["marks"] == 1
    return folder


@pytest.fixture(scope="module")
def recording(folder: Path) -> Path:
    """The one recording there, under the name that the README's program opens."""
    (found,) = (folder / "recordings").glob("recording_*.h5")
    (block,) = (block for block in BLOCKS if block.name == "import h5py")
    (name,) = re.findall(r"recordings/\w+\.h5", block.text)
    named = folder / str(name)
    named.hardlink_to(found)
    return named


def test_every_block_is_accounted_for() -> None:
    assert [block.name for block in BLOCKS] == list(RUN_BY)
    for block in BLOCKS:
        if not RUN_BY[block.name]:
            assert set(block.text.split(" && ")) <= set(SKIPPED)
        else:
            assert RUN_BY[block.name] in globals()


def test_the_first_command_records(tmp_path: Path) -> None:
    """Without a terminal it says so and records, as with --headless; all of the block but the skipped.

    It is interrupted before its minute is over.
    """
    (command,) = (part for part in BLOCKS[0].text.split(" && ") if part not in SKIPPED)
    words = [PROGRAM, *shlex.split(command)[1:]]
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline().endswith(
            "no terminal to type at: running as with --headless, for 60s\n"
        )
        # A line of figures: frames are coming.
        assert "frames" in running.stderr.readline()
        running.terminate()
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert re.match(r"interrupted: [1-9]\d* frames in recordings/recording_\w+\.h5", out)


def test_the_lines_of_the_tour_are_carried_out(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.name == "mark trial3 left eye")
    lines = [typed for line in block.text.splitlines() for typed in (line, "wait 0.1s")]
    done = run(tmp_path, "run", "--script", "-", stdin="\n".join(["wait 0.2s", *lines, "quit"]))
    assert (done.code, done.out.startswith("complete: ")) == (0, True), done
    (journal,) = (tmp_path / "recordings").glob("*.commands.jsonl")
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    answers = {row["command"]: row["status"] for row in rows if "command" in row}
    assert {line: answers[line] for line in block.text.splitlines()} == dict.fromkeys(
        block.text.splitlines(), "ok"
    )
    assert (tmp_path / "recordings" / "second.h5").is_file()


def test_the_commands_of_the_tour_run(tmp_path: Path) -> None:
    """In their order, in one folder, as a shell runs them."""
    path = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
    told = ""
    for block in BLOCKS:
        if RUN_BY[block.name] != "test_the_commands_of_the_tour_run":
            continue
        for line in [block.text] if block.language == "python" else block.text.splitlines():
            words = [sys.executable, "-c", line] if block.language == "python" else shlex.split(line)
            done = subprocess.run(
                [shutil.which(words[0], path=path) or words[0], *words[1:]],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert done.returncode == 0, (line, done.stderr)
            told += done.stdout
    assert "(200, 540, 640) b'complete'" in told
    assert "mouse.h5: sound: 200 frames" in told
    assert "part.tif: 100 frames, read back and compared" in told
    assert re.search(r"this computer (keeps up|does NOT keep up) with 640x540 at 100 frames/s", told)
    assert load(tmp_path / "rig.toml").camera.kind == "pco"


def test_every_line_of_the_synopsis_runs(folder: Path, recording: Path, tmp_path: Path) -> None:
    """Each program once, in the order of the block; `cameras` says what is missing where there is none."""
    (block,) = (block for block in BLOCKS if block.text.startswith("recorder run ["))
    (journal,) = recording.parent.glob("*.commands.jsonl")
    script = tmp_path / "script"
    script.write_text("mark a\n")
    given: dict[str, list[object]] = {
        "[CONFIG]": [Path(__file__).parents[2] / "configs" / "small-roi.toml"],
        "--frames N": ["--frames", 100],
        "--output PATH": ["--output", tmp_path / "x.h5"],
        "--script FILE": ["--script", script],
        "--set camera.exposure=5ms ...": ["--set", "camera.exposure=50us"],
        "--profile FILE": ["--profile", tmp_path / "profile"],
        "JOURNAL": [journal],
        "FILE": [recording],
        "OUT": [tmp_path / "x.tif"],
        "[KEY]": ["camera.exposure"],
    }
    expected = {
        "run": "verdict",
        "replay": "complete",
        "config": "time: 1us to 1min",
        "info": "complete",
        "verify": "sound",
        "export": "read back and compared",
        "report": "frames, complete",
        "recover": "nothing to do",
    }
    wrong_exit = {"cameras": 1}
    ran = []
    for line in re.sub(r"\n {2,}", " ", block.text).splitlines():
        usage = re.split(r" {3,}", line.removeprefix("recorder "))[0]
        name, _, rest = usage.partition(" ")
        ran.append(name)
        if name in {"send", "view", "rig"}:
            continue  # to a recorder that listens: the next test; until they are ended: test_view, test_rig
        words: list[object] = []
        for optional, needed in re.findall(r"\[([^\]]+)\]|(\S+)", rest):
            part = optional or needed
            # The limit of --frames comes first; an option without a value stands for itself.
            words += given.get(part, given.get(f"[{part}]", part.split()))
        words += ["--seconds", 0.05, "--rounds", 1, "--folder", tmp_path] if name == "bench" else []
        done = run(folder, name, *words)
        assert done.code == wrong_exit.get(name, 0), done
        assert expected.get(name, "") in done.out
        if name == "cameras":
            assert done.err.startswith("recorder: ")
    assert len(ran) == len(set(ran)) == 14


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and token of a recorder that listens as the README says, on a free port; it ends by itself."""
    (listen,) = re.findall(r"--set (remote\.listen=[\d.]+):\d+", PROSE)
    command = [PROGRAM, "run", "--headless", "--output", "x.h5", "--set", f"{listen}:0", "--duration", "20s"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        told = ""
        until_s = time.perf_counter() + 20
        while not (found := re.search(r"listening on (\S+), token (\S+)", told)):
            assert time.perf_counter() < until_s, told
            told += running.stderr.readline()
        try:
            while "running" not in run(tmp_path, "send", "--to", found[1], "--token", found[2], "status").out:
                assert time.perf_counter() < until_s
            yield found[1], found[2]
        finally:
            running.terminate()
            running.communicate()
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"trial3", b"again"]


def test_a_line_is_sent_to_a_recorder_that_listens(
    listening: tuple[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, token = listening
    sends = [span for span in spans(PROSE) if "recorder send" in span]
    assert sends == ["RECORDER_TOKEN=... recorder send mark trial3", "recorder send -"]
    for span, stdin in zip(sends, ("", "mark again\nstatus\n"), strict=True):
        monkeypatch.setenv("RECORDER_TOKEN", token)
        _, _, words = span.partition("recorder send ")
        done = run(folder, "send", "--to", address, *words.split(), stdin=stdin)
        answers = [json.loads(line) for line in done.out.splitlines()]
        assert (done.code, {answer["status"] for answer in answers}) == (0, {"ok"}), done
        assert len(answers) == max(1, stdin.count("\n"))
        assert isinstance(answers[0]["effective_frame"], int)


def test_every_line_of_the_consoles_table_is_carried_out(tmp_path: Path) -> None:
    # A picture in the terminal needs one: tests/system/test_console.py.
    lines = [shorter(line) for line in console_lines() if not line.startswith("preview here")]
    # A setting is for between two runs; what comes after it needs one.
    lines.remove("start")
    lines.insert(next(i for i, line in enumerate(lines) if line.startswith("set ")) + 1, "start")
    # Of the two ways to leave only one can be gone.
    lines.remove("quit")
    done = run(tmp_path, "run", "--output", "x.h5", "--script", "-", stdin="\n".join(["wait 0.2s", *lines]))
    assert done.code == 0, done
    rows = [json.loads(line) for line in (tmp_path / "x.commands.jsonl").read_text().splitlines()]
    found = [(row["command"], row["status"]) for row in rows if row.get("source") == "script"]
    # What `at` had carried out comes at its own time.
    assert ("note later", "ok") in found
    found = [one for one in found if one[0] != "note later"]
    assert found == [(line, ANSWERED.get(line, "ok")) for line in ["wait 0.2s", *lines]]


def test_an_analysis_of_ones_own_runs(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.language == "toml")
    (tmp_path / "my.toml").write_text(block.text)
    names = spans(paragraph("It is called as `mean_of_eye"))
    known = [
        n
        for n in names
        if n in {"frame_number", "camera_time_ns", "host_time_ns", "exposure_s", "temperature_c"}
    ]
    (tmp_path / "my_analysis.py").write_text(
        "def mean_of_eye(frame, metadata, x, y):\n"
        f"    assert set(metadata) == {set(known)}, metadata\n"
        "    assert not frame.flags.writeable\n"
        "    return frame[y : y + 8, x : x + 8].mean()\n"
    )
    done = run(tmp_path, "run", "my.toml", "--headless", "--frames", 50, "--output", "x.h5")
    assert done.code == 0, done
    with h5py.File(tmp_path / "x.h5") as file:
        rows = file["entry/analysis"][:]
        assert list(rows.dtype.names) == spans(analysis_row())[: len(rows.dtype.names)]
        assert len(rows) > 3
        for row in rows:
            assert row["value"] == file["data"][row["frame"], 100:108, 200:208].mean()


def analysis_row() -> str:
    (text,) = (cells[1] for cells in table("where", "`/data`").rows if cells[0] == "`/entry/analysis`")
    return text


def test_the_program_that_reads_a_file_runs(folder: Path, recording: Path) -> None:
    (block,) = (block for block in BLOCKS if block.name == "import h5py")
    check = "\nassert frames.shape[1:] == (540, 640) and len(times) == len(frames) and len(losses) == 0"
    (fields,) = re.findall(r"\[:\]  # (after_frame.*)", block.text)
    check += f"\nassert ', '.join(losses.dtype.names) == {fields!r}, losses.dtype.names"
    program = block.text + check.replace("\n", "\n    ")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"complete \d+ \[.*\]\n", done.stdout)


def test_the_program_for_xarray_runs(folder: Path, recording: Path) -> None:
    pytest.importorskip("xarray")
    (block,) = (block for block in BLOCKS if block.name == "import xarray as xr")
    program = (
        f"{block.text}\nassert frames.dims == ('frame_time', 'y', 'x') and frames.shape[1:] == (540, 640)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 ", done.stdout)


def test_the_program_of_a_stimulus_computer_runs(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.name == "import os, socket, time")
    recorder = listen(tmp_path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", block.text.replace("7625", str(recorder.port))],
            env={**os.environ, "RECORDER_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            check=False,
        )
        (told,) = re.findall(r"print\(end\)  # (.*)", block.text)
        assert (done.stdout.strip(), done.stderr) == (told, "")
        assert recorder.finish()["signals"] == {"wheel": 1000}
    finally:
        recorder.run.kill()
        recorder.run.communicate()


@pytest.mark.timeout(120)
def test_each_task_after_a_recording_is_a_line(tmp_path: Path) -> None:
    """In one command, and in three lines of Python, of which two are the same for all."""
    pytest.importorskip("xarray")
    script = "\n".join(["wait 0.4s", "mark trial1", "wait 0.2s", "mark trial2", "wait 0.9s"])
    # Just as large as the region needs.
    size = ("--set", "camera.width=272", "--set", "camera.height=176")
    run(tmp_path, "run", "--frames", 200, "--output", "mouse.h5", *size, "--script", "-", stdin=script)
    shell, python = (
        block for block in BLOCKS if RUN_BY[block.name] == "test_each_task_after_a_recording_is_a_line"
    )
    for line in shell.text.splitlines():
        done = run(tmp_path, *shlex.split(line)[1:])
        assert (done.code, done.err) == (0, ""), done
    opening, tasks = (part.splitlines() for part in python.text.split("\n\n"))
    assert (len(opening), len(tasks)) == (2, len(shell.text.splitlines()))
    seen = (
        "import csv, numpy, tifffile, zarr",
        "part, clip = tifffile.imread('frames.tif'), tifffile.imread('clip_trial2.tif')",
        "assert numpy.array_equal(part, rec.frames[100:200])",
        "assert numpy.array_equal(part, tifffile.imread('part.tif'))",
        "rows = csv.DictReader(open('eye.csv', newline=''))",
        "assert numpy.array_equal([float(row['mean']) for row in rows], brightness)",
        "assert numpy.array_equal(zarr.open_array('mouse.ome.zarr/0', mode='r')[:], frames)",
        "assert numpy.array_equal(frames.time, rec.time)",
        "assert clips.shape == (2, 81, 176, 272) and not clips.missing.any()",
        "assert numpy.array_equal(clip, clips[1])",
        "rec.close()",
    )
    program = "\n".join([*opening, *tasks, *seen])
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=50)
    films = [(tmp_path / name).stat().st_size for name in ("film.mp4", "slow.mp4")]
    assert films[0] == films[1] > 10_000


def test_what_the_table_of_the_file_names_is_in_a_file(recording: Path) -> None:
    with h5py.File(recording) as file:
        for cells in table("where", "`/data`").rows:
            for path in spans(cells[0]):
                assert path in file, path
        of_other_runs = {"relative_frame", "channel"}
        for name in spans(next(c[1] for c in table("where", "`/data`").rows if "detector" in c[0])):
            assert (
                name in of_other_runs or name in file[DETECTOR] or name in file[DETECTOR]["start_time"].attrs
            )
        for table_name in ("marks", "commands"):
            assert {"frame", "number"} <= set(file["entry"][table_name].dtype.names)


def test_a_wrong_configuration_is_exit_code_2(tmp_path: Path) -> None:
    assert run(tmp_path, "run", "--set", "camera.rate=fast").code == 2
    assert list(tmp_path.iterdir()) == []
