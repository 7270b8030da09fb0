"""The reader of the FIFO, on a recorder that tells and gives what it is told to."""

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.camera.pco.fifo_reader import FifoReader
from recorder.camera.pco.frame_copier import CopiedFrame
from recorder.errors import CameraTimeoutError

DEPTH = 20


class Recorder:
    """A FIFO whose camera exposes so many frames while one is copied, and while one is passed over."""

    def __init__(self, waiting: int, after_copy: int = 0, after_skip: int = 0) -> None:
        self.waiting, self.after_copy, self.after_skip = waiting, after_copy, after_skip
        self.oldest = 1
        self.skipped: list[int] = []
        self.now_ns = 0
        self.recorder_handle = self.camera_handle = None
        self.PCO_Recorder = SimpleNamespace(PCO_RecorderGetStatus=self.tell)

    def tell(self, *arguments: Any) -> int:
        running, count = arguments[2], arguments[5]
        running.value, count.value = True, self.waiting
        self.now_ns += 1000
        return 0

    def _take(self, exposed: int) -> CopiedFrame:
        number, self.oldest = self.oldest, self.oldest + 1
        self.waiting = min(self.waiting - 1 + exposed, DEPTH - 3)
        return CopiedFrame(number, number * 1000, 0.001, 7.0)

    def copy(self, index: int, slot: NDArray[Any]) -> CopiedFrame:
        assert index == 0
        assert slot.shape == (4, 8)
        return self._take(self.after_copy)

    def skip(self, slot: NDArray[Any]) -> CopiedFrame:
        del slot
        self.skipped.append(self.oldest)
        return self._take(self.after_skip)


def reader_of(recorder: Recorder) -> FifoReader:
    camera = SimpleNamespace(
        rec=recorder,
        sdk=SimpleNamespace(get_sensor_signal_status=lambda: {"image count": 0}),
        stop=lambda: None,
    )
    copier: Any = recorder
    return FifoReader(camera, copier, DEPTH, 0.001, clock=lambda: recorder.now_ns, wait=lambda _: None)


def read(reader: FifoReader, count: int) -> list[tuple[int, bool]]:
    slot = np.zeros((4, 8), np.uint16)
    infos = [reader.read_into(slot, 1.0) for _ in range(count)]
    return [(info.number, info.overflowed) for info in infos]


def test_frames_of_a_fifo_with_room_are_all_kept() -> None:
    recorder = Recorder(waiting=DEPTH - 4)
    assert read(reader_of(recorder), DEPTH - 4) == [(i, False) for i in range(1, DEPTH - 3)]
    assert recorder.skipped == []


def test_a_full_fifo_is_read_when_there_is_room_in_it() -> None:
    recorder = Recorder(waiting=DEPTH - 3)
    found = read(reader_of(recorder), 3)
    assert recorder.skipped == [1, 2, 3, 4, 5]
    assert found == [(6, True), (7, False), (8, False)]


def test_a_frame_during_whose_copy_the_fifo_filled_up_is_not_kept() -> None:
    recorder = Recorder(waiting=DEPTH - 6, after_copy=3)
    found = read(reader_of(recorder), 4)
    kept = [number for number, _ in found]
    # The first copy leaves DEPTH - 4 waiting: the place of frame 1 may be taken.
    assert 1 not in kept
    assert [number for number, blamed in found if blamed] == [
        b for a, b in itertools.pairwise([0, *kept]) if b != a + 1
    ]


def test_a_camera_that_is_faster_than_all_reading_holds_nobody_up_for_longer_than_asked() -> None:
    reader = reader_of(Recorder(waiting=DEPTH - 3, after_copy=9, after_skip=9))
    with pytest.raises(CameraTimeoutError):
        reader.read_into(np.zeros((4, 8), np.uint16), 0.01)
