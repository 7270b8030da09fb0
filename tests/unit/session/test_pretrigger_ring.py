"""What the ring holds, and what it gives back."""

from typing import Any

import pytest

from recorder.errors import CameraError, StorageError
from recorder.frames.channel import Channel, ChannelClosedError
from recorder.frames.ledger import Ledger
from recorder.frames.pool import RING, WRITER, Pool
from recorder.frames.timeline import Timeline
from recorder.session.capture import Capture
from recorder.session.capture_window import CapturePlan
from recorder.session.file_sequence import FileSequence
from recorder.session.pretrigger_ring import PretriggerRing
from recorder.settings.model import RecordingSettings
from tests.conftest import SMALL, fill, take

PER_BLOCK = 4
BLOCKS = 20


class Subject:
    """A ring of frames of 10 ms, and what came of them."""

    def __init__(self, most_blocks: int = BLOCKS, before: int = 10, after: int = 5) -> None:
        self.pool = Pool(SMALL, PER_BLOCK, BLOCKS * PER_BLOCK * SMALL.nbytes)
        self.channel = Channel(WRITER)
        self.files = FileSequence(lambda *_: pytest.fail("no file is made here"), 1.0)
        plan = CapturePlan.of(RecordingSettings(pretrigger=before, posttrigger=after), 100.0)
        books = Timeline(), Ledger()
        self.ring = PretriggerRing(self.channel, plan, most_blocks, self.pool, self.files, *books)
        self.begun: list[Capture] = []
        self.over: list[Capture] = []
        self.ring.on_begin, self.ring.on_over = self.begun.append, self.over.append
        self._block: Any = None
        self._filled = PER_BLOCK

    def come(self, *numbers: int) -> None:
        """Have frames come, one span each, in blocks that are filled one after the other."""
        for number in numbers:
            if self._filled == PER_BLOCK:
                self._block, self._filled = take(self.pool), 0
            with fill(self._block, self._filled, self._filled + 1, number) as span:
                self.ring.offer(span)
            self._filled += 1

    async def written(self) -> list[int]:
        """The counters of the frames that have come to the writer."""
        numbers = []
        for span in await self.channel.receive():
            with span:
                numbers += span.metadata["frame_number"].tolist()
        return numbers

    def held(self) -> list[int]:
        return [int(n) for span in self.ring._spans for n in span.metadata["frame_number"]]


@pytest.fixture
async def subject() -> Any:
    made: list[Subject] = []

    def make(**options: int) -> Subject:
        made.append(Subject(**options))
        return made[-1]

    yield make
    for one in made:
        one.ring.discard()
        assert one.pool.leases() == 0
        assert one.pool.held == 0
        await one.files.close()


async def test_the_oldest_frames_are_given_back_block_by_block(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 61))
    # Spans of one frame each: what a trigger of the newest frame asks for, and that frame.
    assert here.held() == list(range(50, 61))
    assert here.ring.held == (10, pytest.approx(0.1))
    figures = here.pool.statistics()
    assert (figures.held, figures.blocks - figures.free, figures.fill) == (3, 3, 0.0)
    assert here.pool.largest_holder() != RING


async def test_more_than_there_is_room_for_is_not_held(subject: Any) -> None:
    here = subject(most_blocks=2)
    here.come(*range(1, 61))
    assert here.held() == list(range(53, 61))
    capture, number = await here.ring.begin_at(60, "")
    assert (capture.trigger, number, capture.before) == (60, 60, 7)
    assert here.files[capture.file_index].asked.first == 53


async def test_who_may_name_a_frame_keeps_what_is_before_it(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 31))
    with here.ring.keeping():
        here.come(*range(31, 45))
        assert here.held() == list(range(20, 45))
        capture, _ = await here.ring.begin_at(30, "")
    here.come(45)
    assert here.held() == list(range(35, 46))
    assert capture in here.over
    here.ring.made(capture)
    assert await here.written() == list(range(20, 35))


async def test_frames_wait_for_their_file_and_no_longer(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 31))
    first, _ = await here.ring.begin_at(30, "")
    here.come(*range(31, 40))
    second, _ = await here.ring.begin_at(39, "")
    here.ring.made(second)
    # The first one's come first.
    assert here.channel.statistics().waiting == 0
    here.ring.made(first)
    spans = await here.channel.receive()
    found: dict[int, list[int]] = {}
    for span in spans:
        with span:
            found.setdefault(span.file_index, []).extend(span.metadata["frame_number"].tolist())
    assert found == {
        first.file_index: list(range(20, 35)),
        here.files.current_index + 2: [],
        second.file_index: list(range(29, 40)),
    }
    here.come(*range(40, 45))
    assert await here.written() == [40, 41, 42, 43]


async def test_a_capture_that_has_no_file_gives_its_frames_back(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 31))
    capture, _ = await here.ring.begin_at(30, "")
    here.come(31)
    here.ring.lose(capture, StorageError("no room"))
    here.come(*range(32, 61))
    assert await here.written() == []
    assert capture.frames == 15
    assert here.pool.statistics().blocks - here.pool.statistics().free == 3


async def test_pieces_end_where_the_chunks_of_the_file_do(subject: Any) -> None:
    here = subject(before=6, after=5)
    here.come(*range(1, 12))
    capture, _ = await here.ring.begin_at(11, "")
    here.come(*range(12, 20))
    here.ring.made(capture)
    at = 0
    for span in await here.channel.receive():
        with span:
            assert at % PER_BLOCK + len(span) <= PER_BLOCK
            at += len(span)
    assert at == 11


async def test_a_counter_that_begins_anew_ends_what_was_before(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 31))
    capture, _ = await here.ring.begin_at(30, "")
    here.ring.made(capture)
    here.come(31, 1, 2, 3)
    assert here.over == [capture]
    assert here.held() == [1, 2, 3]
    assert await here.written() == list(range(20, 32))
    again, _ = await here.ring.begin_at(3, "")
    assert (again.before, here.files[again.file_index].asked.first) == (2, 1)


async def test_the_end_of_a_run_is_the_end_of_captures_to_come(subject: Any) -> None:
    here = subject()
    here.come(*range(1, 31))
    never = here.ring.begin_at(100, "")
    capture, _ = await here.ring.begin_at(30, "")
    assert here.ring.asked_by(50) == 34
    assert here.ring.asked_by(31) == 31
    here.ring.close()
    assert capture.lacks == "4 frames"
    with pytest.raises(CameraError, match="the run ended before"):
        await never
    with pytest.raises(CameraError, match="the run ended before"):
        await here.ring.begin_at(30, "")
    # The writer waits for the file as long as it takes.
    assert here.channel.statistics().waiting == 0
    here.ring.made(capture)
    assert await here.written() == list(range(20, 31))
    with pytest.raises(ChannelClosedError):
        await here.channel.receive()


async def test_where_a_frame_is_in_its_file_is_known(subject: Any) -> None:
    here = subject(before=10, after=10)
    here.come(*range(1, 15), *range(18, 25), 27)
    capture, number = await here.ring.begin_at(25, "")
    assert number == 27
    here.come(*range(28, 40))
    numbers = [*range(18, 25), *range(27, 37)]
    assert [capture.index_of(n) for n in numbers] == list(range(len(numbers)))
    assert [capture.index_of(n) for n in (16, 17, 25, 26, 37, 100)] == [None] * 6
    entry = here.files[capture.file_index]
    assert (entry.asked.first, entry.asked.last) == (17, 36)
