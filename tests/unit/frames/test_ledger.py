import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorder.frames.ledger import Cause, Ledger, Loss
from recorder.frames.metadata import METADATA


def metadata(
    numbers: list[int], causes: dict[int, Cause] | None = None
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    rows = np.zeros(len(numbers), METADATA)
    rows["frame_number"] = numbers
    rows["host_time_ns"] = np.array(numbers) * 10**7
    for i, number in enumerate(numbers):
        cause = (causes or {}).get(number)
        rows["gap_cause"][i] = cause.code if cause else 0
    return rows


def test_nothing_is_lost_while_the_counter_is_whole() -> None:
    ledger = Ledger()
    assert ledger.account(metadata([1, 2, 3]), 0) == []
    assert ledger.account(metadata([4, 5]), 3) == []
    assert (ledger.lost, ledger.last_number) == (0, 5)


def test_a_gap_has_place_length_and_cause() -> None:
    ledger = Ledger()
    ledger.account(metadata([1, 2]), 0)
    losses = ledger.account(metadata([6, 7, 10], {10: Cause.STORAGE}), 2)
    assert losses == [
        Loss(1, 3, Cause.COUNTER_GAP, 5 * 10**7 * 1e-9, 3),
        Loss(3, 2, Cause.STORAGE, 9 * 10**7 * 1e-9, 8),
    ]
    assert ledger.by_cause() == {"counter gap": 3, "storage": 2}


def test_frames_before_the_first_and_after_the_last_count_too() -> None:
    ledger = Ledger()
    assert ledger.account(metadata([4]), 0)[0].after_frame == -1
    assert ledger.close(6, Cause.CAMERA_OVERFLOW, 1, 4 * 10**7) == [Loss(0, 2, Cause.CAMERA_OVERFLOW, 0.0, 5)]
    assert ledger.lost == 5
    assert (
        ledger.close(6, Cause.CAMERA_OVERFLOW, 1, 0) == ledger.close(None, Cause.CAMERA_OVERFLOW, 1, 0) == []
    )


def test_frames_that_never_reached_the_disk_are_lost_to_storage() -> None:
    ledger = Ledger()
    ledger.account(metadata([1, 2, 3, 4]), 0)
    assert ledger.abandon(0, 4, 1, 0) == []
    (loss,) = ledger.abandon(3, 1, 2, 0)
    assert (loss.after_frame, loss.count, loss.cause, loss.first_missing) == (0, 3, Cause.STORAGE, 2)


def test_a_counter_that_starts_again_loses_nothing() -> None:
    ledger = Ledger()
    assert ledger.account(metadata([1, 2, 1, 2]), 0) == []
    assert ledger.restarts == 1


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 50))
def test_what_came_and_what_is_lost_add_up_to_the_counter(came: list[bool], step: int) -> None:
    numbers = [i + 1 for i, here in enumerate(came) if here]
    ledger = Ledger()
    for i in range(0, len(numbers), step):
        ledger.account(metadata(numbers[i : i + step]), i)
    ledger.close(len(came), Cause.COUNTER_GAP, len(numbers), 0)
    assert len(numbers) + ledger.lost == len(came)
