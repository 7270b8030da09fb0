"""The remote control server: what a stimulus computer sends, and what strangers do."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pytest

from recorder.storage.layout import DETECTOR
from tests.system.conftest import COMMAND, DEEP, LITTLE_MEMORY

TOKEN = "correct-horse"


@dataclass
class Listening:
    folder: Path
    port: int
    run: "subprocess.Popen[str]"

    def connect(self, token: str = TOKEN) -> tuple[socket.socket, Any]:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        lines = client.makefile("r")
        client.sendall(f"{token}\n".encode())
        return client, lines

    def finish(self) -> dict[str, Any]:
        self.run.terminate()
        out, err = self.run.communicate(timeout=20)
        assert self.run.returncode == 130, err
        told: dict[str, Any] = json.loads(out)
        assert told["lost"] == 0
        return told


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listen(folder: Path, *arguments: str) -> Listening:
    """Start a recorder in `folder` with its remote control server, and wait until it records."""
    port = free_port()
    options = ["--headless", "--output", "x.h5", "--json", *LITTLE_MEMORY, *DEEP]
    command = [*COMMAND, "run", *arguments, *options]
    command += ["--set", f"remote.listen=127.0.0.1:{port}", "--set", f"remote.token={TOKEN}"]
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    opened = Listening(folder, port, run)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            client, lines = opened.connect()
            with client:
                assert json.loads(lines.readline())["status"] == "ok"
                client.sendall(b"status\n")
                if "running" in json.loads(lines.readline())["message"]:
                    break
        time.sleep(0.05)
    return opened


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    opened = listen(tmp_path)
    yield opened
    opened.run.kill()
    opened.run.communicate()


def test_marks_from_another_program_are_all_in_the_file(listening: Listening) -> None:
    client, lines = listening.connect()
    assert json.loads(lines.readline())["status"] == "ok"
    with client:
        client.sendall("".join(f"mark m{i}\n" for i in range(300)).encode())
        answers = [json.loads(lines.readline()) for _ in range(300)]
    assert {answer["status"] for answer in answers} == {"ok"}
    assert listening.finish()["marks"] == 300
    with h5py.File(listening.folder / "x.h5") as file:
        rows = file["entry/marks"][:]
        assert sorted(int(row["label"][1:]) for row in rows) == list(range(300))
        assert {row["source"] for row in rows} == {b"remote"}
        frames = len(file[DETECTOR]["frame_number"])
        assert all(0 <= row["frame"] < frames for row in rows)
        assert TOKEN.encode() not in file["entry/configuration"][()]
    assert TOKEN not in (listening.folder / "x.commands.jsonl").read_text()


def test_send_is_a_client_for_scripts(listening: Listening) -> None:
    to = ["send", "--to", f"127.0.0.1:{listening.port}"]

    def send(*arguments: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        command = [*COMMAND, *to, *arguments]
        return subprocess.run(command, capture_output=True, text=True, input=text, timeout=20, check=False)

    done = send("--token", TOKEN, "mark", "trial3", "left eye")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ok")
    done = send("--token", TOKEN, "-", text="exposure 2ms\nexposre 3ms\n")
    assert done.returncode == 1
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "refused"]
    done = send("--token", "wrong", "mark", "never")
    assert (done.returncode, done.stdout) == (1, "")
    assert "token is wrong" in done.stderr
    listening.finish()
    with h5py.File(listening.folder / "x.h5") as file:
        assert [(row["label"], row["text"]) for row in file["entry/marks"]] == [(b"trial3", b"left eye")]


def test_send_quit_asks_while_frames_are_saved(listening: Listening) -> None:
    to = [*COMMAND, "send", "--to", f"127.0.0.1:{listening.port}", "--token", TOKEN]
    done = subprocess.run([*to, "quit"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    told = "x.h5 is being saved; stop, close the file and leave? y/N (quit now does not ask)"
    assert json.loads(done.stdout) == {"status": "refused", "message": told, "effective_frame": None}
    assert listening.run.poll() is None
    # Another connection was not asked.
    done = subprocess.run([*to, "y"], capture_output=True, text=True, timeout=20, check=False)
    assert "unknown command" in done.stdout
    done = subprocess.run(
        [*to, "-"], input="quit\ny\n", capture_output=True, text=True, timeout=20, check=False
    )
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == [told, "leaving"]
    out, err = listening.run.communicate(timeout=20)
    assert listening.run.returncode == 0, err
    frames = json.loads(out)["frames"]
    # Again, it ends at the same frame.
    again = [*COMMAND, "replay", "x.commands.jsonl", "--output", "y.h5", "--json"]
    done = subprocess.run(
        again, cwd=listening.folder, capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == frames


def test_strangers_change_nothing_and_disturb_nobody(listening: Listening) -> None:
    strangers = []
    for i in range(200):
        with contextlib.suppress(OSError):
            client = socket.create_connection(("127.0.0.1", listening.port), timeout=5)
            if i % 3 == 0:
                client.sendall(b"\x00\xff" * 20_000)
            elif i % 3 == 1:
                client.sendall(b"wrong\nmark never\n")
            strangers.append(client)
    time.sleep(2.5)
    client, lines = listening.connect()
    with client:
        assert json.loads(lines.readline())["status"] == "ok"
        client.sendall(b"mark yes\n")
        assert json.loads(lines.readline())["status"] == "ok"
        # One that floods and never reads.
        flood, _ = listening.connect()
        flood.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10_000):
                flood.send(b"status\n" * 100)
        client.sendall(b"mark still\n")
        assert json.loads(lines.readline())["status"] == "ok"
    for stranger in [*strangers, flood]:
        stranger.close()
    told = listening.finish()
    with h5py.File(listening.folder / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"yes", b"still"]
    assert told["marks"] == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"status": "ok", "message": "a\x7f\\u001b[2J"}\n', ""),
        (b'{"status": "refused", "message": "a\x7f\\u001b[2J"}\n', r"a\x7f\x1b[2J"),
        (b"\x1b[2JSSH-2.0\r\n", "what listens there is no recorder"),
        (b"[]\n", "what listens there is no recorder"),
    ],
)
def test_what_answers_does_not_command_the_terminal(answer: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = f"127.0.0.1:{server.getsockname()[1]}"
        command = [*COMMAND, "send", "--to", to, "--token", TOKEN, "mark", "x"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        client, _ = server.accept()
        with client:
            client.sendall(answer * 2)
            out, err = run.communicate(timeout=20)
    assert run.returncode == (1 if told else 0), err
    assert b"\x1b" not in out + err
    assert b"\x7f" not in out + err
    assert told in err.decode()
    if not told:
        assert json.loads(out) == {"status": "ok", "message": "a\x7f\x1b[2J"}


@pytest.mark.parametrize(
    ("token", "code", "told"),
    [("x", 1, "no recorder listens there"), ("", 2, "no token: set RECORDER_TOKEN, or write --token")],
)
def test_nothing_listens_unless_asked(tmp_path: Path, token: str, code: int, told: str) -> None:
    done = subprocess.run(
        [*COMMAND, "send", "--to", f"127.0.0.1:{free_port()}", "--token", token, "mark", "x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=20,
        check=False,
    )
    assert done.returncode == code
    assert told in done.stderr
