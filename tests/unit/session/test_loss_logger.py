"""What the log says of losses."""

import logging

import pytest

from recorder.frames.ledger import Cause, Loss, causes_text
from recorder.session.loss_logger import LossLogger


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        (
            [Loss(298, 5, Cause.COUNTER_GAP, 3.0, 300, 0.0001)],
            "lost 5 frames, counter 300 to 304: the camera skipped them (counter gap)",
        ),
        (
            [Loss(1498, 1, Cause.STORAGE, 3.0, 1500, 0.25)],
            "lost 1 frame, counter 1500: the disk was too slow, full or broken (storage); "
            "before, the camera was not read for 250 ms",
        ),
        (
            [Loss(8, 2, Cause.COUNTER_GAP, 3.0, 10), Loss(20, 3, Cause.COUNTER_GAP, 3.0, 24)],
            "lost 5 frames in 2 places, counter 10 to 26: the camera skipped them (counter gap)",
        ),
    ],
)
def test_a_loss_is_told_in_plain_words(
    caplog: pytest.LogCaptureFixture, losses: list[Loss], told: str
) -> None:
    logger = LossLogger()
    for loss in losses:
        logger.add(loss)
    with caplog.at_level(logging.WARNING):
        logger.log()
    assert [record.getMessage() for record in caplog.records] == [told]


def test_of_several_causes_each_has_its_count() -> None:
    assert causes_text({"aborted": 2}) == "aborted: left in the camera by an abort"
    assert causes_text({"counter gap": 3, "storage": 2}) == "3 counter gap, 2 storage"
    assert causes_text({"unheard of": 2}) == "unheard of"
    assert causes_text({}) == ""
