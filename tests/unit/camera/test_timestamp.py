import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorder.camera.timestamp import COUNTER_MODULUS, PIXELS, Timestamp, TimestampWriter, read

SECONDS = 4_000_000_000  # to the year 2096


@given(st.integers(0, 10 * COUNTER_MODULUS), st.integers(0, SECONDS * 10**6 - 1))
def test_what_is_stamped_is_read(number: int, microseconds: int) -> None:
    frame = np.full((2, 16), 777, np.uint16)
    TimestampWriter().write(frame, number, microseconds * 1000)
    assert read(frame) == Timestamp(number % COUNTER_MODULUS, microseconds * 1000)
    assert (frame.reshape(-1)[PIXELS:] == 777).all()


def test_the_digits_stand_as_the_manual_says() -> None:
    frame = np.zeros((1, 16), np.uint16)
    # 2023-11-14 22:13:20.123456 UTC
    TimestampWriter().write(frame, 1234567, 1_700_000_000_123_456_789)
    digits = [f"{code:02x}" for code in frame[0, :PIXELS]]
    assert digits == ["01", "23", "45", "67", "20", "23", "11", "14", "22", "13", "20", "12", "34", "56"]


def test_one_writer_stamps_many_seconds() -> None:
    writer = TimestampWriter()
    frame = np.zeros((1, 16), np.uint16)
    for time_ns in (0, 999_999_000, 10**9, 86_400 * 10**9, 5 * 10**9):
        writer.write(frame, 1, time_ns)
        assert read(frame) == Timestamp(1, time_ns)


@given(st.lists(st.integers(0, 65535), min_size=0, max_size=20))
def test_pixels_that_are_no_stamp_are_none_or_read_as_some_time(values: list[int]) -> None:
    stamp = read(np.array(values, np.uint16).reshape(1, -1))
    assert stamp is None or stamp.number < COUNTER_MODULUS
