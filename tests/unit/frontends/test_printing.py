"""Nothing that comes from elsewhere commands the terminal."""

import json
import logging
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.frontends import above_prompt
from recorder.frontends.above_prompt import AbovePrompt
from recorder.frontends.printing import escaped, print_error, print_json, print_line
from recorder.frontends.terminal import ConsoleHandler, SafeConsole

# Clears the screen, rings, goes back to the start of the line; clears by a character of C1; turns text round.
NASTY = "a\x1b[2J\x07b\rc\x9b2Jd\u202ee\x7f"
SHOWN = r"a\x1b[2J\x07b\x0dc\x9b2Jd\u202ee\x7f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NASTY, SHOWN),
        ("plain", "plain"),
        ("5 °C, 20 µm, 眼", "5 °C, 20 µm, 眼"),
        ("two\nlines\tand", r"two\x0alines\x09and"),
        ("\u2028\udc80\U000e0001", r"\u2028\udc80\U000e0001"),
        ("", ""),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_line_breaks_stay_where_there_are_lines() -> None:
    assert escaped("a\n\tb\r\n", lines=True) == "a\n\tb\\x0d\n"


@given(st.text())
def test_whatever_it_is_can_be_printed(text: str) -> None:
    shown = escaped(text)
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in shown)
    shown.encode()
    assert escaped(shown) == shown


def test_what_is_printed_is_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    print_line(f"{NASTY}\nnext")
    print_error(f"{NASTY}\nnext")
    out, err = capfd.readouterr()
    assert out == f"{SHOWN}\nnext\n"
    assert err == f"recorder: {SHOWN}\\x0anext\n"


def test_json_stays_json(capfd: pytest.CaptureFixture[str]) -> None:
    print_json({"message": NASTY})
    out, _ = capfd.readouterr()
    assert out.isascii()
    assert "\x7f" not in out
    assert json.loads(out) == {"message": NASTY}


def test_an_answer_at_the_console_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str]] = []
    monkeypatch.setattr(above_prompt, "print_formatted_text", lambda parts, **_: shown.extend(parts))
    AbovePrompt().show(f"{NASTY}\nnext\x0bline", "class:refused")
    assert shown[1] == ("class:refused", SHOWN)
    assert shown[2:] == [("", "\n"), ("class:hint", " " * 9), ("class:refused", r"next\x0bline")]


def test_a_record_of_the_log_is_escaped_and_cannot_pass_for_two() -> None:
    stream = StringIO()
    console = SafeConsole(file=stream, force_terminal=True, color_system=None)
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s: %s", (NASTY, "one\n12:00:00 two"), None)
    ConsoleHandler(console).emit(record)
    first, second, end = stream.getvalue().split("\n")
    assert first.endswith(f" {SHOWN}: one")
    assert second.strip("\r") == "  12:00:00 two"
    assert end == ""


def test_colours_are_for_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_line("lost 3", "red")
    assert capsys.readouterr().out == "lost 3\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    print_line("lost \x1b[2J", "red")
    assert capsys.readouterr().out == "\x1b[31mlost \\x1b[2J\x1b[0m\n"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as without:
            without.setenv(name, value)
            print_line("lost 3", "red")
        assert capsys.readouterr().out == "lost 3\n"
