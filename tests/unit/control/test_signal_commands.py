"""Rows of signals as they are written: by the command, and in a stream."""

import math

import pytest

from recorder.control import commands as _commands  # noqa: F401 - registers the commands
from recorder.control.registry import parse
from recorder.control.signal_commands import row_of
from recorder.errors import UsageError


def test_a_row_has_a_name_numbers_and_perhaps_the_time_of_its_sender() -> None:
    name, numbers, sender_s = row_of(["pupil", "0.3", "-1e-3", "nan", "inf"])
    assert (name, numbers[:2]) == ("pupil", [0.3, -1e-3])
    assert math.isnan(sender_s)
    assert math.isnan(numbers[2])
    assert math.isinf(numbers[3])
    assert row_of(["lick", "1", "@", "12.3456"]) == ("lick", [1.0], 12.3456)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lick up", 'lick "up": not a number, for example 0.3, -12, 1e-3 or nan'),
        ("lick 1_000", 'lick "1_000": not a number'),
        ("lick 1 @", "lick: after @ comes one time in s of your clock: NAME 0.3 @ 12.3456"),
        ("lick 1 @ 2 3", "after @ comes one time"),
        ("lick 1 @ nan", "after @ comes one time"),
        ("lick 1 @ 1e300", "after @ comes one time"),
        ("lick 1 @ now", "after @ comes one time"),
    ],
)
def test_what_is_no_row_is_told(line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        row_of(line.split())


def test_a_script_with_what_is_no_number_is_wrong_before_it_begins() -> None:
    with pytest.raises(UsageError, match=r'value number = "up": not a number, for example 0\.3'):
        parse("value lick up")
    with pytest.raises(UsageError, match="the time of a sender's clock is for rows of a stream"):
        parse("value lick 0.3 @ 12")
