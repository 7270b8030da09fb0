"""Type at the console of the installed program, in a terminal."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from recorder.storage.layout import DETECTOR
from tests.system.conftest import COMMAND, DEEP, LITTLE_MEMORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")


class Terminal:
    """A recorder in a pseudo-terminal, `size` in lines and columns."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        size: tuple[int, int] = (30, 150),
        command: tuple[str, ...] = ("run", "--output", "x.h5", *LITTLE_MEMORY, *DEEP),
    ) -> None:
        import pty

        self.folder = folder
        self.parent, child = pty.openpty()
        self.resize(*size)
        ours = {"TERM": "xterm", "XDG_STATE_HOME": str(folder / "state"), "DISPLAY": ""}
        self.run = subprocess.Popen(
            [*COMMAND, *command, *arguments],
            cwd=folder,
            stdin=child,
            stdout=child,
            stderr=child,
            env={**os.environ, **ours, **(environment or {})},
            start_new_session=True,
        )
        os.close(child)
        self.shown = ""

    def resize(self, rows: int, columns: int) -> None:
        """Have the terminal be of another size, which its program is told."""
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.parent, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float = 0.05) -> None:
        """Take in what is shown, answering the terminal's own questions."""
        while select.select([self.parent], [], [], seconds)[0]:
            try:
                data = os.read(self.parent, 65536)
            except OSError:
                return
            if not data:
                return
            self.take(data.decode(errors="replace"))
            if b"\x1b[6n" in data:
                line, column = self.cursor()
                os.write(self.parent, f"\x1b[{line};{column}R".encode())

    def take(self, text: str) -> None:
        """Take in a piece of what is shown."""
        self.shown += text

    def cursor(self) -> tuple[int, int]:
        """Line and column of the cursor, from 1 on, as far as this terminal knows."""
        return 1, 1

    def until(self, text: str, since: int = 0, seconds: float = 40) -> None:
        """Wait until `text` is shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown[since:]:
            assert time.monotonic() < deadline, f"{text!r} was not shown:\n{self.shown[-3000:]}"
            self.read()

    def type(self, line: str, answer: str = "", end: str = "\r") -> None:
        """Type a line and wait for an answer."""
        since = len(self.shown)
        os.write(self.parent, (line + end).encode())
        if answer:
            self.until(answer, since)

    def close(self) -> None:
        self.run.kill()
        self.run.wait()
        os.close(self.parent)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    try:
        # Only the toolbar of a run has it; of a word that changes, the terminal gets the new letters alone.
        opened.until("lost 0")
        yield opened
    finally:
        opened.close()


def left(terminal: Terminal) -> int:
    deadline = time.monotonic() + 20
    while terminal.run.poll() is None and time.monotonic() < deadline:
        terminal.read()
    terminal.read()
    return terminal.run.wait(1)


def leave(terminal: Terminal, verdict: str = "complete", code: int = 0) -> None:
    """Quit while frames are being saved, which it asks for."""
    terminal.type("quit", "leave? y/N > ")
    terminal.type("y", f"{verdict}:")
    assert left(terminal) == code


def test_what_is_typed_takes_effect_live(terminal: Terminal) -> None:
    terminal.type("mark trial3 left eye", "mark trial3 left eye on frame")
    terminal.type("exposure 2ms", "exposure 2ms from frame")
    terminal.type("preview on", "preview on")
    terminal.type("status", "preview on")
    terminal.type("preview off", "preview off")
    terminal.type("mark trial4", "mark trial4 on frame")
    leave(terminal)
    with h5py.File(terminal.folder / "x.h5") as file:
        exposures = file[DETECTOR]["exposure"][:]
        assert [row["label"] for row in file["entry/marks"]] == [b"trial3", b"trial4"]
        assert {row["source"] for row in file["entry/commands"]} == {b"console"}
        assert len(file["entry/losses"]) == 0
    entries = [json.loads(line) for line in (terminal.folder / "x.commands.jsonl").read_text().splitlines()]
    (change,) = [e for e in entries if e.get("command") == "exposure 2ms"]
    assert change["effective_frame"] == np.flatnonzero(exposures == 0.002)[0]


def test_a_wrong_line_is_answered_and_changes_nothing(terminal: Terminal) -> None:
    terminal.type("exposre 5ms", "did you mean exposure?")
    terminal.type("exposure 5", "needs a unit")
    terminal.type("preview maybe", "must be on or off or toggle")
    terminal.type("mark", "LABEL is missing")
    terminal.type("trigger", "no software trigger")
    terminal.type("start", "already running")
    terminal.type("set camera.rate 50", "stop, set camera.rate 50, start")
    leave(terminal)
    with h5py.File(terminal.folder / "x.h5") as file:
        assert set(file[DETECTOR]["exposure"][:]) == {0.005}
        assert {row["status"] for row in file["entry/commands"][:-1]} == {b"refused", b"failed"}


def test_ctrl_c_clears_the_line_and_ctrl_d_asks(terminal: Terminal) -> None:
    terminal.type("mark never", end="\x03")
    terminal.type("mark once", "mark once on frame")
    terminal.type("", "leave? y/N > ", end="\x04")
    terminal.type("", end="\x03")
    terminal.type("y", 'unknown command "y"')
    terminal.type("", "leave? y/N > ", end="\x04")
    terminal.type("yes", "complete:")
    assert left(terminal) == 0
    with h5py.File(terminal.folder / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"once"]


def test_quit_now_does_not_ask(terminal: Terminal) -> None:
    terminal.type("quit now", "complete:")
    assert left(terminal) == 0
    assert "y/N" not in terminal.shown


def test_an_exposure_that_looks_mistyped_is_asked_about(terminal: Terminal) -> None:
    terminal.type("exposure 20s", "expose for 20s? y/N > ")
    assert "20s is 4000 times the 5ms of now" in terminal.shown
    terminal.type("n", "going on")
    # One that does not is not, and scripts are not asked.
    terminal.type("exposure 50ms", "exposure 50ms from frame")
    terminal.type("exposure 1s", "expose for 1s? y/N > ")
    terminal.type("y", "exposure 1s from frame")
    terminal.type("exposure 5ms", "exposure 5ms from frame")
    leave(terminal)
    with h5py.File(terminal.folder / "x.h5") as file:
        assert set(file[DETECTOR]["exposure"][:]) == {0.005, 0.05, 1.0}
        assert b"exposure 1s now" in [row["command"] for row in file["entry/commands"]]


def test_the_preview_is_seen_above_the_prompt(tmp_path: Path) -> None:
    """Two pixels a character, redrawn in place; typing and answers go on, and what is over is erased."""
    opened = Terminal(tmp_path, "--set", "preview.on=true", environment={"COLORTERM": "truecolor"})
    try:
        opened.until("lost 0")
        opened.until("preview here shows it in this terminal")
        opened.type("preview here sixel", "by sixel")
        opened.until("\x1bP0;1q")
        opened.type("preview here", "preview on, here: two pixels a character")
        opened.until("▀")
        assert re.search(r"\x1b\[(0;)?38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀", opened.shown)
        opened.until("counter")
        opened.type("region eye 100 100 300 300", "region eye: 200 x 200")
        opened.until("■")
        opened.type("preview mode dff", "mode dff, baseline running")
        opened.until("dF/F")
        opened.type("mark seen", "mark seen on frame")
        opened.resize(12, 80)
        opened.type("mark small", "mark small on frame")
        opened.resize(40, 120)
        since = len(opened.shown)
        opened.until("▀", since)
        opened.type("stop", "stopping")
        opened.until("stopped;")
        opened.type("preview here off", "not shown here any more")
        opened.read(0.3)
        since = len(opened.shown)
        opened.read(0.3)
        assert "▀" not in opened.shown[since:]
        opened.type("quit", "complete:")
        assert left(opened) == 0
    finally:
        opened.close()
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"seen", b"small"]
        assert len(file["entry/losses"]) == 0


def test_a_terminal_that_is_not_read_holds_up_nothing(tmp_path: Path) -> None:
    """Pictures of the preview fill what a pseudo-terminal takes; the session goes on, and is seen again."""
    where = ("--set", "remote.listen=127.0.0.1:0", "--set", "remote.token=tok")
    opened = Terminal(tmp_path, *where, environment={"COLORTERM": "truecolor"})
    try:
        opened.resize(40, 120)
        opened.until("lost 0")
        (address,) = re.findall(r"listening on ([\d.:]+)", opened.shown)
        opened.type("preview here", "two pixels a character")
        opened.until("▀")
        # A picture for each change of colours, of which the terminal takes none.
        for colours in ("inferno", "viridis", "grey", "diverging"):
            command = [*COMMAND, "send", "--to", address, "--token", "tok", "preview", "colours", colours]
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        command = [*COMMAND, "send", "--to", address, "--token", "tok", "mark", "unseen"]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
        opened.until("remote: mark unseen on frame")
        opened.type("quit now", "complete:")
        assert left(opened) == 0
    finally:
        opened.close()
    with h5py.File(tmp_path / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"unseen"]
        assert len(file["entry/losses"]) == 0


def test_any_other_line_is_no_answer_to_quit(terminal: Terminal) -> None:
    for other, answer in (("n", "going on"), ("mark calm", "mark calm on frame"), ("", "> ")):
        terminal.type("exit", "leave? y/N > ")
        terminal.type(other, answer)
        terminal.type("y", 'unknown command "y"')
    leave(terminal)
    with h5py.File(terminal.folder / "x.h5") as file:
        assert [row["label"] for row in file["entry/marks"]] == [b"calm"]


def test_what_another_program_does_is_seen(tmp_path: Path) -> None:
    where = ("--set", "remote.listen=127.0.0.1:0", "--set", "remote.token=tok")
    opened = Terminal(tmp_path, *where)
    try:
        opened.until("lost 0")
        (address,) = re.findall(r"listening on ([\d.:]+)", opened.shown)
        for line in ("mark trial3", "note the eye moved", "exposure 2ms", "status"):
            command = [*COMMAND, "send", "--to", address, "--token", "tok", *line.split()]
            subprocess.run(command, check=True, capture_output=True)
        opened.until("remote: exposure 2ms from frame")
        assert "remote: mark trial3 on frame" in opened.shown
        assert "remote: note the eye moved: noted" in opened.shown
        assert "remote: status" not in opened.shown
        leave(opened)
    finally:
        opened.close()


def test_stop_ends_with_a_summary_and_status_is_a_table(terminal: Terminal) -> None:
    terminal.type("status", "frames delivered")
    assert re.search(r"state +running", terminal.shown)
    since = len(terminal.shown)
    terminal.type("stop", "nothing lost; buffer never fuller than")
    assert re.search(r"complete: \d+ frames in x.h5", terminal.shown[since:])
    since = len(terminal.shown)
    terminal.type("quit", "complete:")
    assert left(terminal) == 0
    assert terminal.shown[since:].count("complete:") == 1
    # In green, on the terminal that the program leaves.
    assert "\x1b[32mcomplete:" in terminal.shown[since:]


def test_save_off_and_on_and_stop_and_start(terminal: Terminal) -> None:
    terminal.type("save off", "saving nothing")
    terminal.type("save on", "saving x_2.h5")
    terminal.type("stop", "stopping")
    terminal.until("stopped")
    terminal.type("start", "started, saving x_3.h5")
    leave(terminal)
    numbers = []
    for name in ("x.h5", "x_2.h5", "x_3.h5"):
        with h5py.File(terminal.folder / name) as file:
            assert file["entry/verdict"][()] == b"complete"
            numbers.append(file[DETECTOR]["frame_number"][:])
    assert numbers[0][0] == numbers[2][0] == 1
    assert numbers[1][0] > numbers[0][-1]


def test_a_start_that_fails_leaves_one_at_the_prompt(terminal: Terminal) -> None:
    terminal.type("stop", "stopping")
    terminal.until("stopped")
    terminal.type("set pool.memory 1000GB", "from the next start on")
    terminal.type("start", "are more than this machine has")
    terminal.type("set pool.memory 64MB", "pool.memory = 64MB from the next start on")
    terminal.type("start", "started, saving x_2.h5")
    terminal.type("mark again", "mark again on frame")
    leave(terminal, "failed", 1)
    with h5py.File(terminal.folder / "x_2.h5") as file:
        assert file["entry/verdict"][()] == b"complete"


def test_the_first_lines_say_what_runs_where_and_what_to_type(terminal: Terminal) -> None:
    terminal.until("type mark LABEL")
    assert "640 x 540, 100 frames/s, 69 MB/s" in terminal.shown
    assert re.search(r"into x\.h5; disk full in \d+ ", terminal.shown)
    leave(terminal)


def test_at_the_console_a_playback_begins_again(tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "data" / "bacteria-in-droplet.tif"
    camera = ("camera.kind=playback", f"camera.source={source}", "camera.rate=max")
    opened = Terminal(tmp_path, *(word for setting in camera for word in ("--set", setting)))
    try:
        opened.until("repeated until you stop it")
        opened.until("lost 0")
        leave(opened)
        with h5py.File(tmp_path / "x.h5") as file, tifffile.TiffFile(source) as stack:
            assert len(file["data"]) > len(stack.pages)
    finally:
        opened.close()


def test_a_limit_ends_the_session(tmp_path: Path) -> None:
    opened = Terminal(tmp_path, "--frames", "100")
    try:
        opened.until("complete: 100 frames")
        assert left(opened) == 0
    finally:
        opened.close()
