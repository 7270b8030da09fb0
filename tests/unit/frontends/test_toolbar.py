"""The toolbar keeps what matters where not all fits."""

import math
from dataclasses import replace

import pytest

from recorder.control import commands
from recorder.frontends.live_status import LiveStatus
from recorder.frontends.toolbar import hint, toolbar

assert commands

NOW = LiveStatus(
    state="running",
    saving="recording_20260101T120000Z.h5",
    number=123456,
    rate=100.0,
    flow=69e6,
    pool=0.02,
    lost=0,
    exposure="5ms",
    temperature=25.3,
    disk_time_left_s=7300.0,
    preview=False,
    in_camera=None,
    waits_for="",
    analysis={},
    durable=0,
    unanswered="",
    marks=0,
    labels=[],
)


def figures(now: LiveStatus, columns: int) -> str:
    text = "".join(part for _, part in toolbar(now, None, columns, "", "simulated"))
    return text.partition("\n")[0]


def test_at_80_columns_it_says_what_matters() -> None:
    line = figures(NOW, 80)
    assert len(line) <= 80
    for words in ("running", "saving …60101T120000Z.h5", "100.0/s", "lost 0", "disk 2 h", "exp 5ms"):
        assert words in line


def test_at_120_columns_the_name_is_whole() -> None:
    line = figures(NOW, 120)
    assert len(line) <= 120
    assert "saving recording_20260101T120000Z.h5" in line
    assert "buffer 2%" in line


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120, 200])
def test_it_never_takes_more_than_a_line(columns: int) -> None:
    assert len(figures(replace(NOW, temperature=math.nan), columns)) <= columns


def test_what_is_alarming_stays() -> None:
    assert "lost 7" in figures(replace(NOW, lost=7), 20)


def test_the_hint_is_about_the_command_being_typed() -> None:
    assert hint("", "simulated").startswith("Tab completes")
    assert hint("exposure 2", "simulated").startswith("exposure [TIME]")
    assert hint("in 2s", "simulated").startswith("in TIME [LINE...]")
    assert hint("at counter 500 mark x", "simulated").startswith("mark LABEL [TEXT...]")
    assert hint("q", "simulated").startswith("quit")
    # Of a key, what the list of completions has no room for.
    assert (
        hint("in 2s set camera.width", "simulated") == "camera.width  —  Width of a frame; pixels: 16 to 8192"
    )
    assert hint("set camera.roi", "simulated").startswith("set KEY")
    assert hint("set", "simulated").startswith("set KEY")


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_what_is_told_has_two_lines_that_fit(columns: int) -> None:
    told = "".join(part for _, part in toolbar(NOW, None, columns, "set recording.output", "simulated"))
    _, *lines = told.split("\n")
    assert 1 <= len(lines) <= 2
    assert all(len(line) <= columns for line in lines)
    assert ("…" in told.partition("\n")[2]) == (columns < 120)
