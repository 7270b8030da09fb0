import gc
import threading
import warnings

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from recorder.frames.pool import MIN_BLOCKS, PAGE, BlockLease, FrameFormat, FrameSpan, Pool
from tests.conftest import SMALL, fill, let_go, take


def test_blocks_are_page_aligned_and_apart() -> None:
    odd = FrameFormat(5, 7, np.dtype(np.uint16))
    pool = Pool(odd, 3, 10 * PAGE)
    blocks = [take(pool) for _ in range(pool.statistics().blocks)]
    for i, block in enumerate(blocks):
        assert block.pixels.ctypes.data % PAGE == 0
        assert block.pixels.shape == (3, 5, 7)
        block.pixels[:] = i
    assert [int(block.pixels.max()) for block in blocks] == list(range(len(blocks)))
    assert pool.take("test", 0) is None
    for block in blocks:
        let_go(block)


def test_a_pool_has_a_few_blocks_however_small_its_memory() -> None:
    assert Pool(SMALL, 4, 1).statistics().blocks == MIN_BLOCKS


@pytest.mark.parametrize(
    ("height", "width", "rate", "frames"),
    [
        (2160, 2560, 100, 1),
        (2160, 2560, float("inf"), 1),
        (128, 128, float("inf"), 256),
        (128, 128, 5000, 256),
        (128, 128, 1000, 60),
        (128, 128, 1, 1),
        (540, 640, 100, 6),
        (1, 16, float("inf"), 4096),
    ],
)
def test_a_block_holds_megabytes_but_not_more_than_comes_in_a_moment(
    height: int, width: int, rate: float, frames: int
) -> None:
    assert FrameFormat(height, width, np.dtype(np.uint16)).frames_per_block(rate) == frames


def test_a_span_is_a_view_and_its_lease_keeps_the_block() -> None:
    pool = Pool(SMALL, 4, 1)
    block = take(pool)
    with fill(block, 1, 3, 7) as span:
        assert span.pixels.base is not None
        assert span.pixels[:, 0, 0].tolist() == [7, 8]
        assert span.metadata["frame_number"].tolist() == [7, 8]
        assert len(span) == 2
        with span.share("other"):
            span.release()
            span.release()
            assert pool.statistics().free == MIN_BLOCKS - 1
            assert repr(block) == "<Block of 4 frames, 1 leases>"
    assert pool.statistics().free == MIN_BLOCKS
    assert pool.leases() == 0


def test_a_lease_that_nobody_gave_back_warns_and_is_given_back() -> None:
    pool = Pool(SMALL, 1, 1)
    span = fill(take(pool), 0, 1, 1, "forgetful")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del span
        gc.collect()
    assert "forgetful" in str(caught[0].message)
    assert pool.leases() == 0


def test_who_waits_gets_the_block_that_comes_back() -> None:
    pool = Pool(SMALL, 1, 1)
    spans = [fill(take(pool), 0, 1, 1, "writer") for _ in range(MIN_BLOCKS)]
    got: list[BlockLease | None] = []
    taker = threading.Thread(target=lambda: got.append(pool.take("waiting", 10)))
    taker.start()
    spans[0].release()
    taker.join()
    (lease,) = got
    assert lease is not None
    assert lease.block is spans[0].block
    assert pool.statistics().lowest_free == 0
    assert pool.largest_holder() == "writer"
    for held in (*spans, lease):
        held.release()


class PoolMachine(RuleBasedStateMachine):
    """Blocks and leases in any order: no block is ever both free and leased."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(SMALL, 2, 6 * 2 * SMALL.nbytes)
        self.spans: list[FrameSpan] = []

    @rule(owner=st.sampled_from(["writer", "preview"]))
    def take(self, owner: str) -> None:
        lease = self.pool.take(owner, 0)
        leased = {id(span.block) for span in self.spans}
        if lease is None:
            assert len(leased) == self.pool.statistics().blocks
        else:
            assert id(lease.block) not in leased
            with lease:
                self.spans.append(FrameSpan(lease.block, 0, 2, owner))

    @precondition(lambda self: self.spans)
    @rule(data=st.data())
    def share(self, data: st.DataObject) -> None:
        self.spans.append(data.draw(st.sampled_from(self.spans)).share("analysis"))

    @precondition(lambda self: self.spans)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        span = self.spans.pop(data.draw(st.integers(0, len(self.spans) - 1)))
        span.release()

    @invariant()
    def adds_up(self) -> None:
        figures = self.pool.statistics()
        assert figures.free + len({id(span.block) for span in self.spans}) == figures.blocks
        assert self.pool.leases() == len(self.spans)

    def teardown(self) -> None:
        for span in self.spans:
            span.release()
        assert self.pool.statistics().free == self.pool.statistics().blocks


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=50, stateful_step_count=30)
