"""What stands on the terminal of the installed program, line by line."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.conftest import COMMAND
from tests.system.screen import Screen
from tests.system.test_console import leave, left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")

REMOTE = ("--set", "remote.listen=127.0.0.1:0", "--set", "remote.token=tok")

# What a line above the prompt begins with: the time of day, or as many blanks.
TOLD = re.compile(r"(\d\d:\d\d:\d\d| {8}) \S|^ {8,}")

REMARK = "a remark that is longer than what a line of 80 columns, or one of 120, has room for, whole"


def send(screen: Screen, line: str) -> None:
    """Have another program give a line."""
    (address,) = re.findall(r"listening on ([\d.:]+)", screen.shown)
    command = [*COMMAND, "send", "--to", address, "--token", "tok", *line.split()]
    subprocess.run(command, check=True, capture_output=True, timeout=20)


@pytest.mark.parametrize("size", [(24, 80), (40, 120)])
def test_what_others_do_stands_above_what_is_typed(tmp_path: Path, size: tuple[int, int]) -> None:
    screen = Screen(tmp_path, *REMOTE, size=size)
    try:
        screen.until("lost 0")
        screen.until("listening on")
        screen.type("note half", end="")
        send(screen, "mark door")
        send(screen, f"note {REMARK}")
        screen.stands(f"remote: note {REMARK}: noted > note half running")
        *told, prompt, figures, hint = filter(None, screen.lines)
        assert prompt == "> note half"
        assert figures.startswith(" running")
        assert hint.startswith(" note [TEXT...]")
        assert all(TOLD.match(line) for line in told), told
        assert sum("remote: mark door on frame" in line for line in told) == 1
        screen.type("", "noted")
        leave(screen)
    finally:
        screen.close()


def test_the_terminal_itself_never_echoes_what_is_typed(tmp_path: Path) -> None:
    """Between two prompts, and while something is printed, a line typed fast would stand without a prompt."""
    import termios

    screen = Screen(tmp_path, size=(24, 80))
    try:
        screen.until("lost 0")
        for n in range(20):
            os.write(screen.parent, f"note line{n}\r".encode())
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                assert not termios.tcgetattr(screen.parent)[3] & termios.ECHO
                screen.read(0)
        screen.stands("> note line19")
        leave(screen)
        assert termios.tcgetattr(screen.parent)[3] & termios.ECHO
    finally:
        screen.close()


def test_the_end_is_wrapped_and_says_first_why(tmp_path: Path) -> None:
    fault = 'camera.faults=[{kind="disconnect", at=400}]'
    screen = Screen(tmp_path, "--set", fault, size=(24, 80))
    try:
        screen.until("lost 0")
        screen.type("every 1h mark tick", "planned")
        assert left(screen) == 1
        at = next(i for i, line in enumerate(screen.lines) if line.startswith("recorder: "))
        *_, tick = screen.lines[:at]
        assert tick.endswith("every 1h mark tick: ended with the run")
        why, again, how, *figures = screen.lines[at:]
        assert why == "recorder: the camera vanished at frame 400: check its cable and power, then"
        assert again == "  start again"
        assert how == "failed: 399 frames in x.h5"
        assert [line[:2] for line in figures] == ["0.", "  "]
        # Both in red.
        red = {screen.screen.buffer[row][0].fg for row in (at, at + 2)}
        assert red == {"red"}
    finally:
        screen.close()
