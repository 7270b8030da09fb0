"""A journal that comes from elsewhere: what it may not do on the computer that replays it."""

import contextlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import h5py
import pytest

from tests.system.conftest import COMMAND, Recorder
from tests.system.test_remote import free_port

OLD_TOKEN = "everybody-knows-it"


def entry(seq: int, line: str, number: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "time": "2026-01-01T00:00:00.000+00:00",
        "elapsed_s": number / 200,
        "frame": number - 1,
        "source": "page",
        "command": line,
        "status": "ok",
        "message": "",
        "effective_frame": None,
        "run": 1,
        "number": number,
        "effective_number": None,
    }


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal made by somebody else, beside a module of the name it wants imported."""
    (tmp_path / "evil.py").write_text(
        "import pathlib\npathlib.Path('imported').touch()\ndef f(frame, m): return 1\n"
    )
    configuration = {
        "recording": {"output": "/somewhere/else", "frames": 300},
        "camera": {"kind": "simulated", "width": 64, "height": 32, "rate": 200, "exposure": "1ms"},
        "pool": {"memory": "4MB"},
        "analysis": {"function": "evil:f"},
        "remote": {"listen": f"127.0.0.1:{free_port()}", "token": OLD_TOKEN},
        "preview": {"web": f"127.0.0.1:{free_port()}", "token": OLD_TOKEN, "window": True, "rate": 3.0},
    }
    lines = ["snapshot ../out.tif", "snapshot in.tif", "set recording.output /tmp", "mark kept"]
    rows = [entry(i, line, 20 * i) for i, line in enumerate(lines, 1)]
    path = tmp_path / "there" / "x.commands.jsonl"
    path.parent.mkdir()
    header = {"recorder": "0.1.0", "started": "", "configuration": configuration}
    path.write_text("".join(json.dumps(row) + "\n" for row in [header, *rows]))
    return path


def test_what_describes_the_recording_is_taken(recorder: Recorder, journal: Path, tmp_path: Path) -> None:
    done = recorder("replay", journal, "--json")
    assert done.code == 0, done.err
    told = (
        "recorder: left out of the journal: analysis.function, remote.listen, preview.web, "
        "preview.window; --with analysis,remote,page takes it all the same\n"
    )
    assert done.err.startswith(told)
    assert "snapshot ../out.tif: refused: snapshot ../out.tif: write a name without folders" in done.err
    assert not (tmp_path / "imported").exists()
    assert "listening" not in done.err
    assert "page: " not in done.err
    (file,) = tmp_path.rglob("*.h5")
    assert file.parent.parent == journal.parent
    assert [path.parent for path in tmp_path.rglob("*.tif")] == [file.parent]
    with h5py.File(file) as opened:
        assert [row["label"] for row in opened["entry/marks"]] == [b"kept"]
        assert b"rate = 3.0" in opened["entry/configuration"][()]
        assert len(opened["data"]) == 300


def test_what_is_asked_for_is_taken_with_tokens_of_its_own(journal: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "replay", str(journal), "--with", "analysis,remote,page", "--dry-run"]
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    command += ["--set", "preview.window=false", "--set", "recording.frames=1000"]
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    port = json.loads(journal.read_text().splitlines()[0])["configuration"]["remote"]["listen"].rpartition(
        ":"
    )[2]
    answer = b"nobody"
    deadline = time.monotonic() + 20
    while answer == b"nobody" and time.monotonic() < deadline:
        time.sleep(0.05)
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", int(port)), timeout=5) as client,
        ):
            client.sendall(f"{OLD_TOKEN}\n".encode())
            answer = client.recv(100)
    run.terminate()
    _, told = run.communicate(timeout=20)
    assert answer == b"", told
    assert (tmp_path / "imported").exists()
    assert "listening on 127.0.0.1" in told
    assert ", token " in told
    assert "?token=" in told
    assert OLD_TOKEN not in told
    assert "left out" not in told


def test_a_wrong_part_is_said(recorder: Recorder, journal: Path) -> None:
    done = recorder("replay", journal, "--with", "analysis,pages")
    assert done.code == 2
    assert "--with pages: must be analysis or remote or page" in done.err
    assert "did you mean page?" in done.err


def test_no_token_is_in_a_journal_or_a_file(recorder: Recorder, tmp_path: Path) -> None:
    keys = ["remote.listen=127.0.0.1:0", "remote.token=s3cret-a"]
    keys += ["preview.web=127.0.0.1:0", "preview.token=s3cret-b"]
    (tmp_path / "s.txt").write_text(
        "set remote.token s3cret-c\nat 10ms set preview.token s3cret-d\nwait 1s\n"
    )
    arguments = [word for key in keys for word in ("--set", key)]
    done = recorder("run", "--headless", "--frames", 50, "--output", "x.h5", *arguments, "--script", "s.txt")
    assert done.code == 0, done.err
    for path in tmp_path.glob("x.*"):
        assert b"s3cret" not in path.read_bytes(), path
