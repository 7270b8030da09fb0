import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.units import (
    format_bytes,
    format_metres,
    format_seconds,
    parse_bytes,
    parse_metres,
    parse_rate,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("200us", 0.0002),
        ("2s", 2.0),
        ("1min", 60.0),
        (" 1.5 h ", 5400.0),
        ("10ns", 1e-8),
        ("3e2ms", 0.3),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["5", "ms", "", "5 parsecs", "5m", "1,5ms", "nanms", "infs", "0x5ms"])
def test_wrong_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_seconds(text)


@given(st.floats(min_value=1e-9, max_value=1e6))
def test_times_survive_being_written(seconds: float) -> None:
    assert parse_seconds(format_seconds(seconds)) == seconds


@pytest.mark.parametrize("text", ["650nm", "6.5um", "1.2mm", "0.5nm", "162.5nm"])
def test_lengths_survive_being_written(text: str) -> None:
    assert format_metres(parse_metres(text)) == text
    assert parse_metres(format_metres(parse_metres(text))) == parse_metres(text)


@given(st.integers(min_value=0, max_value=2**50))
def test_sizes_survive_being_written(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


def test_rates() -> None:
    assert parse_rate("max") == math.inf
    assert parse_rate("5kHz") == 5000
    assert parse_rate("100/s") == parse_rate("100") == 100
    with pytest.raises(ValueError, match="frame rate"):
        parse_rate("fast")
