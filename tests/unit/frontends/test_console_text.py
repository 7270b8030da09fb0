"""What the console shows: answers to all, tables that fit, how a run ended."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.assembly import build_session
from recorder.control import commands
from recorder.control.command_types import CommandResult
from recorder.control.dispatcher import Answer
from recorder.control.registry import find_command
from recorder.frontends.console_text import OTHERS_PER_S, ConsoleAnswers, table_text, welcome
from recorder.frontends.printing import wrapped
from recorder.frontends.terminal import summary_text
from recorder.session.status import FinishReason, Summary
from recorder.settings.model import validate
from recorder.storage.records import Verdict
from tests.virtual_time import VirtualClock

assert commands

Shown = list[tuple[str, str]]


@pytest.fixture
def shown() -> Shown:
    return []


@pytest.fixture
def answers(shown: Shown) -> ConsoleAnswers:
    return ConsoleAnswers(lambda text, style: shown.append((text, style)), lambda: 70)


def answer(line: str, source: str, message: str, status: str = "ok") -> Answer:
    return Answer(line, source, find_command(line), CommandResult(status, message))


async def test_what_others_do_is_shown_with_their_name(answers: ConsoleAnswers, shown: Shown) -> None:
    answers.on_answer(answer("mark trial3", "remote", "mark trial3 on frame 5 (counter 6)"))
    answers.on_answer(answer("note the eye moved", "page", "noted"))
    answers.on_answer(answer("quit", "remote", "x.h5 is being saved", "refused"))
    answers.on_answer(replace(answer("status", "page", "running"), only_tells=True))
    assert shown == [
        ("remote: mark trial3 on frame 5 (counter 6)", "class:others"),
        ("page: note the eye moved: noted", "class:others"),
        ("remote: quit: x.h5 is being saved", "class:refused"),
    ]
    answers.close()


async def test_the_console_has_its_answers_and_knows_of_what_was_planned(
    answers: ConsoleAnswers, shown: Shown
) -> None:
    answers.on_answer(answer("note a", "console", "noted"))
    answers.on_answer(replace(answer("note a", "console", "noted"), is_planned=True))
    answers.on_answer(replace(answer("status", "console", "running; x"), table=(("state", "running"),)))
    answers.on_answer(answer("wait 1s", "console", ""))
    assert shown == [("noted", ""), ("note a: noted", ""), ("state  running", "")]


async def test_a_crowd_of_marks_leaves_the_console_usable(answers: ConsoleAnswers, shown: Shown) -> None:
    for i in range(100):
        answers.on_answer(answer(f"mark m{i}", "remote", f"mark m{i} on frame {i}"))
    answers.on_answer(answer("stop", "remote", "stopping"))
    assert len(shown) == OTHERS_PER_S + 1
    assert shown[-1] == ("remote: stopping", "class:others")
    await asyncio.sleep(1.1)
    assert shown[-1][0] == f"and {100 - OTHERS_PER_S} more lines of others; the journal has them all"
    answers.on_answer(answer("mark after", "remote", "mark after on frame 101"))
    assert shown[-1][0] == "remote: mark after on frame 101"
    answers.close()


@pytest.mark.parametrize(
    ("verdict", "style"),
    [
        (Verdict.COMPLETE, "class:complete"),
        (Verdict.FRAMES_LOST, "class:failed"),
        (Verdict.FAILED, "class:failed"),
    ],
)
def test_how_a_run_ended_is_shown_in_its_colour(
    answers: ConsoleAnswers, shown: Shown, verdict: Verdict, style: str
) -> None:
    cause = "the disk" if verdict is Verdict.FAILED else ""
    answers.show_end(replace(Summary.of_nothing(cause), verdict=verdict, reason=FinishReason.STOPPED))
    if cause:
        assert shown.pop(0) == (cause, style)
    assert shown[0] == (f"{verdict}: 0 frames in no file", style)


def test_the_summary_says_what_the_figures_mean() -> None:
    ended = replace(
        Summary.of_nothing(""), verdict=Verdict.COMPLETE, frames=500, bytes=10**9, seconds=5.0, blocks=123
    )
    ended = replace(ended, lowest_free=121, longest_pause_s=0.0031, files=((Path("x.h5"), 500),))
    assert summary_text(ended) == (
        "complete: 500 frames in x.h5\n1.000 GB in 5.00 s, 100.0 frames/s, 200 MB/s; nothing lost; "
        "buffer never fuller than 2 %; never longer than 3.1 ms without reading the camera"
    )
    lost = replace(ended, verdict=Verdict.FRAMES_LOST, lost=3, losses={"storage": 3}, lowest_free=0)
    told = summary_text(lost)
    assert told.startswith(
        "frames lost: 3 of 503 (storage: the disk was too slow, full or broken); 500 frames in x.h5\n"
    )
    assert "nothing lost" not in told
    assert "never fuller than 100 %" in told


def test_a_table_wraps_at_words_and_keeps_its_columns() -> None:
    table = (("state", "running"), ("pauses", "longest time without reading the camera 3.1 ms"))
    assert table_text(table, 34).split("\n") == [
        "state   running",
        "pauses  longest time without",
        "        reading the camera 3.1 ms",
    ]


def test_text_wraps_at_words_only() -> None:
    assert wrapped("one two three four five six\n  indented as it was\n", 20) == [
        *("one two three four", "  five six"),
        *("  indented as it was", ""),
    ]
    path = "/a/very/long/path/that/no/line/holds.h5"
    assert wrapped(f"saving {path}", 20) == ["saving", f"  {path}"]


async def test_the_first_words_are_three_lines_that_fit(tmp_path: Path, virtual_time: VirtualClock) -> None:
    tree = {"recording": {"output": str(tmp_path / "x.h5")}, "camera": {"width": 64, "height": 32}}
    session = build_session(validate(tree), dry_run=False)
    assert welcome(session) == ""
    await session.start()
    runs, writes, words = welcome(session).split("\n")
    assert runs == "simulated pco.edge, 64 x 32, 100 frames/s, 0 MB/s"
    assert writes.startswith(f"into {tmp_path / 'x.h5'}; disk full in ")
    assert len(words) <= 80 - 9
    await session.close()
    assert welcome(session) == ""


def test_a_number_and_its_unit_stay_on_a_line() -> None:
    text = "the disk is full in 12 min and 4 % of 0.348 GB, 10.5 ms at 68 MB/s; 640 x 540, 98.1 frames/s"
    together = ("12 min", "4 %", "0.348 GB", "10.5 ms", "68 MB/s", "98.1 frames/s")
    for columns in range(20, 100):
        lines = wrapped(text, columns)
        assert all(any(one in line for line in lines) for one in together), columns
        assert " ".join(" ".join(lines).split()) == text
        assert all(len(line) <= columns for line in lines)
