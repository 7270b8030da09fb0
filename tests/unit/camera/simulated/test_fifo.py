from hypothesis import given
from hypothesis import strategies as st

from recorder.camera.simulated.fifo import Fifo

MS = 1_000_000


def test_frames_come_at_the_rate_and_in_order() -> None:
    fifo = Fifo(100, 0.005, 8, 0)
    assert fifo.advance(4 * MS) == 0
    assert fifo.next_complete_ns() == 5 * MS
    assert fifo.advance(25 * MS) == 3
    assert [fifo.pop().start_ns for _ in range(3)] == [0, 10 * MS, 20 * MS]


def test_a_full_fifo_pauses_and_the_counter_shows_the_gap() -> None:
    fifo = Fifo(100, 0.005, 4, 0)
    assert fifo.advance(95 * MS) == 4
    assert fifo.pop().number == 1
    assert fifo.advance(105 * MS) == 4
    frames = [fifo.pop() for _ in range(4)]
    assert [(f.number, f.overflowed) for f in frames] == [(2, False), (3, False), (4, False), (11, True)]


def test_an_exposure_longer_than_the_period_slows_the_camera() -> None:
    fifo = Fifo(100, 0.020, 8, 0)
    assert fifo.advance(100 * MS) == 5


def test_a_new_exposure_begins_with_the_next_frame() -> None:
    fifo = Fifo(100, 0.005, 100, 0)
    fifo.advance(12 * MS)
    fifo.set_exposure(0.002, 32 * MS)  # frame 4 began at 30 ms
    fifo.advance(75 * MS)
    frames = [fifo.pop() for _ in range(8)]
    assert [f.exposure_s for f in frames] == [0.005] * 4 + [0.002] * 4
    assert [f.start_ns for f in frames] == [i * 10 * MS for i in range(8)]


def test_an_exposure_set_for_a_later_frame_stays_when_another_comes_before_it() -> None:
    fifo = Fifo(100, 0.005, 100, 0)
    fifo.set_exposure(0.002, 12 * MS, first=8)
    fifo.set_exposure(0.020, 32 * MS)  # from frame 5 on, at half the rate
    fifo.advance(150 * MS)
    frames = [fifo.pop() for _ in range(10)]
    assert [f.exposure_s for f in frames] == [0.005] * 4 + [0.020] * 3 + [0.002] * 3
    assert [f.start_ns // MS for f in frames] == [0, 10, 20, 30, 40, 60, 80, 100, 110, 120]


def test_halt_keeps_what_was_exposed() -> None:
    fifo = Fifo(100, 0.005, 100, 0)
    assert fifo.halt(36 * MS) == 4
    assert fifo.advance(1000 * MS) == 4


@given(
    st.integers(1, 10),
    st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(0, 8), st.sampled_from([None, 0.001, 0.03]), st.integers(0, 20)
        ),
        max_size=40,
    ),
)
def test_no_frame_is_delivered_twice_or_out_of_order_and_gaps_are_flagged(
    depth: int, steps: list[tuple[int, int, float | None, int]]
) -> None:
    fifo = Fifo(100, 0.005, depth, 0)
    now, last, last_start = 0, 0, -1
    for wait_ms, reads, exposure, ahead in steps:
        now += wait_ms * MS
        if exposure is not None:
            fifo.set_exposure(exposure, now, last + ahead)
        if fifo.advance(now) == 0:
            assert fifo.next_complete_ns() > now
        assert fifo.advance(now) <= depth
        for _ in range(min(reads, fifo.advance(now))):
            frame = fifo.pop()
            assert frame.number > last
            assert frame.overflowed == (frame.number != last + 1)
            assert frame.start_ns > last_start
            assert frame.start_ns + round(frame.exposure_s * 1e9) <= now
            last, last_start = frame.number, frame.start_ns
