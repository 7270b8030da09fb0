import asyncio
import threading

import pytest

from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import Channel, ChannelClosedError, LatestChannel
from recorder.frames.pool import FrameSpan, Pool
from tests.conftest import SMALL, fill, take


@pytest.fixture
def pool() -> Pool:
    return Pool(SMALL, 8, 4 * 8 * SMALL.nbytes)


def numbers(spans: list[FrameSpan]) -> list[int]:
    found = [int(n) for span in spans for n in span.metadata["frame_number"]]
    for span in spans:
        span.release()
    return found


async def test_a_channel_keeps_all_in_order_and_ends_when_closed(pool: Pool) -> None:
    channel = Channel("writer")
    block = take(pool)
    for i in range(4):
        with fill(block, i, i + 1, i + 1) as span:
            channel.offer(span)
    assert channel.statistics().waiting == 4
    assert repr(channel) == "<Channel for writer, 4 waiting, open>"
    assert numbers(await channel.receive()) == [1, 2, 3, 4]
    with fill(block, 4, 5, 5) as span:
        channel.offer(span)
        channel.close()
        channel.offer(span)
    assert numbers(await channel.receive()) == [5]
    with pytest.raises(ChannelClosedError):
        await channel.receive()
    assert pool.leases() == 0


async def test_a_receiver_waits_for_what_comes(pool: Pool) -> None:
    channel = Channel("writer")
    receiving = asyncio.ensure_future(channel.receive())
    await asyncio.sleep(0)
    assert not receiving.done()
    with fill(take(pool), 0, 1, 9) as span:
        channel.offer(span)
    assert numbers(await receiving) == [9]


async def test_a_wait_given_up_loses_nothing(pool: Pool) -> None:
    channel = Channel("writer")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await channel.receive()
    with fill(take(pool), 0, 1, 9) as span:
        channel.offer(span)
    assert numbers(await channel.receive()) == [9]


async def test_the_latest_channel_gives_older_leases_back(pool: Pool) -> None:
    channel = LatestChannel("preview")
    for i in range(4):
        with fill(take(pool), 0, 1, i + 1) as span:
            channel.offer(span)
    assert pool.statistics().free == pool.statistics().blocks - 1
    assert channel.statistics().skipped == 3
    assert numbers(await channel.receive()) == [4]


async def test_discard_gives_back_what_waits(pool: Pool) -> None:
    channel = Channel("writer")
    with fill(take(pool), 0, 3, 1) as span:
        channel.offer(span)
    channel.discard()
    assert pool.leases() == 0


async def test_a_broadcaster_carries_everything_from_another_thread_in_order(pool: Pool) -> None:
    loop = asyncio.get_running_loop()
    broadcaster = Broadcaster(loop)
    every, latest = Channel("writer"), LatestChannel("preview")
    broadcaster.connect(every)
    disconnect = broadcaster.connect(latest)
    count = 500

    def camera() -> None:
        number = 1
        while number <= count:
            lease = pool.take("camera", 1)
            assert lease is not None
            with lease:
                broadcaster.publish(fill(lease.block, 0, 1, number))
            number += 1
        loop.call_soon_threadsafe(every.close)

    thread = threading.Thread(target=camera)
    thread.start()
    seen: list[int] = []
    try:
        while True:
            seen += numbers(await every.receive())
            numbers(await latest.receive())
    except ChannelClosedError:
        pass
    thread.join()
    disconnect()
    latest.discard()
    assert seen == list(range(1, count + 1))
    assert pool.leases() == 0


async def test_the_eager_see_frames_before_they_are_published_and_nobody_else_does(pool: Pool) -> None:
    broadcaster = Broadcaster(asyncio.get_running_loop())
    every, eager = Channel("writer"), LatestChannel("analysis")
    broadcaster.connect(every)
    assert not broadcaster.has_eager
    disconnect = broadcaster.connect(eager, eager=True)
    assert broadcaster.has_eager
    block = take(pool)
    for i in range(3):
        broadcaster.show_early(fill(block, i, i + 1, i + 1))
    broadcaster.deliver()
    assert numbers(await eager.receive()) == [3]
    assert every.statistics().waiting == 0
    # Frames shown early and frames published come in their order, whichever thread was late.
    broadcaster.publish(FrameSpan(block, 0, 4, "broadcaster"))
    broadcaster.show_early(fill(block, 2, 3, 3))
    broadcaster.deliver()
    assert numbers(await every.receive()) == numbers(await eager.receive())
    disconnect()
    assert not broadcaster.has_eager
    broadcaster.show_early(fill(block, 4, 5, 5))
    broadcaster.deliver()
    assert pool.leases() == 0
