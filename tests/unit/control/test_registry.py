import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.control import commands, view_commands
from recorder.control.completion import complete
from recorder.control.help_text import GROUPS, described, help_table
from recorder.control.registry import COMMANDS, MAX_LINE, joined, parse, split
from recorder.errors import UsageError
from recorder.frontends.console_text import table_text
from recorder.frontends.printing import wrapped

assert commands
assert view_commands

# What 80 leave beside the time of day.
COLUMNS = 70


def test_every_command_of_the_design_is_there() -> None:
    expected = {
        *("help", "status", "preview", "preview rate", "preview levels", "exposure", "mark", "note"),
        *("save", "save new", "snapshot", "start", "stop", "trigger", "set", "at", "wait", "quit"),
        *("quit now", "marks", "unmark", "in", "every", "at list", "at cancel"),
        *("quit now", "preview colours", "preview gamma", "preview mode", "preview range"),
        *("baseline", "baseline running", "region", "region off"),
    }
    assert set(COMMANDS) >= expected
    assert all(known.summary for known in COMMANDS.values())


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("exposure 5ms", "exposure", [0.005]),
        ("preview off", "preview", ["off"]),
        ("preview rate 10", "preview rate", [10.0]),
        ("preview levels auto", "preview levels", ["auto"]),
        ("save new night", "save new", ["night"]),
        ("save on", "save", ["on"]),
        ('mark trial3 "left eye" closed # a comment', "mark", ["trial3", "left eye", "closed"]),
        ("note don't stop", "note", ["don't", "stop"]),
        ("exposure 2 ms", "exposure", [0.002]),
        ("exposure", "exposure", []),
        ("wait 1.5 s # a comment", "wait", [1.5]),
        ("? mark", "help", ["mark"]),
        ("exit", "quit", []),
        ("q", "quit", []),
        ("q now", "quit now", []),
        ("at frame 500 mark x", "at", ["frame", "500", "mark", "x"]),
        ("at 2 s mark x", "at", ["2s", "mark", "x"]),
        ("at list", "at list", []),
        ("at cancel 3", "at cancel", [3]),
        ("in 2 s mark x", "in", [2.0, "mark", "x"]),
        ("every 10s snapshot", "every", [10.0, "snapshot"]),
    ],
)
def test_lines_become_calls(line: str, name: str, arguments: list[object]) -> None:
    parsed = parse(line)
    assert parsed is not None
    assert (parsed.command.name, parsed.arguments) == (name, arguments)


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "\t"])
def test_empty_lines_are_nothing(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exposre 5ms", "did you mean exposure?"),
        ("exposure 5", "needs a unit"),
        ("exposure 5m", "unknown unit"),
        ("mark", "LABEL is missing"),
        ("exposure 5 mss", "needs a unit"),
        ("exposure 5ms 6ms", "must be now"),
        ("exposure 5ms now 6ms", "too much"),
        ("preview of", "did you mean off?"),
        ("preview rate -1", "more than 0"),
        ('mark "open', "double quote"),
        ("mark a\x00b", "control character"),
        ("mark " + "x" * 2000, "longest allowed"),
        ("xyzzy", "type help"),
    ],
)
def test_wrong_lines_say_what_is_right(line: str, words: str) -> None:
    with pytest.raises(UsageError) as told:
        parse(line)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@settings(max_examples=300)
@given(
    st.text(max_size=60)
    | st.sampled_from(sorted(COMMANDS)).flatmap(lambda n: st.text(max_size=30).map(lambda t: f"{n} {t}"))
)
def test_no_line_is_anything_but_a_call_or_one_sentence(line: str) -> None:
    try:
        parse(line)
    except UsageError as error:
        assert str(error)
        assert len(str(error)) < MAX_LINE


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=20)))
def test_joined_words_are_split_again(words: list[str]) -> None:
    assert split(joined(words)) == words


def test_quotes_and_escapes() -> None:
    assert split(r'a "b c" "say \"hi\""  d#e') == ["a", "b c", 'say "hi"', "d#e"]


def test_completion_offers_what_may_follow_with_its_meaning() -> None:
    assert {"exposure", "preview", "save"} <= {word for word, _ in complete("")}
    assert {word for word, _ in complete("preview ")} >= {"on", "off", "toggle", "rate", "levels"}
    assert ("5ms", "a time with its unit") in set(complete("exposure "))
    assert {word for word, _ in complete("save ")} >= {"on", "off", "new"}
    assert {word for word, _ in complete("set camera.exp")} == {"camera.exposure", "camera.exposure_lines"}
    assert {word for word, _ in complete("set ")} >= {
        "camera.roi",
        "camera.width",
        "pool.memory",
        "preview.rate",
    }
    assert list(complete("mark a b c ")) == []


def test_every_word_that_is_offered_has_a_meaning() -> None:
    for name in COMMANDS:
        for words in (name, f"{name} x", f"{name} x y"):
            for word, meaning in complete(f"{words} "):
                assert len(meaning) > len("one of"), (words, word)


def test_what_is_carried_out_later_is_completed_too() -> None:
    whole = {word for word, _ in complete("")}
    for moment in (
        "at counter 500 ",
        "at frame 500 ",
        "at 2s ",
        "in 2 s ",
        "every 10s ",
        "at 14:30 in 2s ",
        "in 1s at frame 5 ",
    ):
        assert {word for word, _ in complete(moment)} == whole, moment
        assert {word for word, _ in complete(f"{moment}save ")} == {word for word, _ in complete("save ")}
    assert {"counter", "list", "cancel"} <= {word for word, _ in complete("at ")}
    assert ("5ms", "a time with its unit") in set(complete("in "))
    assert {word for word, _ in complete("? ")} == {word for word, _ in complete("help ")} == whole
    assert [word for word, _ in complete("help save ")] == ["new"]
    assert list(complete("help exposure ")) == []


def test_help_has_every_command_on_one_screen() -> None:
    """24 rows at 80 columns: the text beside the time of day, and below prompt, figures and hint."""
    shown = wrapped(table_text(help_table(), COLUMNS), COLUMNS)
    assert len(shown) <= 24 - 4
    assert all(len(line) <= COLUMNS for line in shown)
    for known in COMMANDS.values():
        assert any(known.usage in line for line in shown), known.usage
    assert {name.split()[0] for name in COMMANDS} == {word for words in GROUPS.values() for word in words}


def test_help_of_one_wraps_once() -> None:
    usage, *paragraphs = described([COMMANDS["at"]]).split("\n")
    assert usage == "at WHEN [LINE...]"
    assert len(paragraphs) == 2
    assert all(line.startswith("    ") and not line.startswith("     ") for line in paragraphs)
