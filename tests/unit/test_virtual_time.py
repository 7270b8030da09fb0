"""The clock that jumps: waits cost nothing, work is waited for, and the order is that of the moments."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import virtual_time as module
from tests.virtual_time import VirtualClock

real_s = time.perf_counter


async def test_an_hour_of_waiting_takes_no_time(virtual_time: VirtualClock) -> None:
    began_s, now_s = real_s(), asyncio.get_running_loop().time()
    await asyncio.sleep(3600)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() - now_s == pytest.approx(3660)
    assert time.perf_counter() == asyncio.get_running_loop().time()
    assert real_s() - began_s < 1
    assert virtual_time.jumps == 2


async def test_threads_and_tasks_wake_in_the_order_of_their_moments(virtual_time: VirtualClock) -> None:
    woken: list[float] = []

    def on_thread(seconds: float) -> None:
        virtual_time.wait(seconds)
        woken.append(seconds)

    async def on_loop(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(3) as executor:
        await asyncio.gather(
            *(loop.run_in_executor(executor, on_thread, seconds) for seconds in (5, 1, 3)),
            *(on_loop(seconds) for seconds in (4, 2, 6)),
        )
    assert woken == [1, 2, 3, 4, 5, 6]


async def test_the_clock_stands_still_while_a_thread_works(virtual_time: VirtualClock) -> None:
    """Work of a moment of real time ends before the shortest wait."""
    ended: list[str] = []

    def work() -> None:
        threading.Event().wait(0.05)
        ended.append("work")

    async def short_wait() -> None:
        await asyncio.sleep(1e-6)
        ended.append("wait")

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor:
        for _ in range(3):
            ended.clear()
            waiting = asyncio.create_task(short_wait())
            await loop.run_in_executor(executor, work)
            ended.append("told")
            await waiting
            assert ended == ["work", "told", "wait"]


async def test_what_a_job_tells_comes_before_the_next_moment(virtual_time: VirtualClock) -> None:
    """However short the jobs are, none is overtaken by a timer."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor:
        for i in range(500):
            async with asyncio.timeout(1e-6):
                assert await loop.run_in_executor(executor, int, str(i)) == i


async def test_a_job_that_fails_or_is_cancelled_is_over(virtual_time: VirtualClock) -> None:
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ValueError, match="invalid literal"):
            await asyncio.wrap_future(executor.submit(int, "x"))
        blocking = executor.submit(virtual_time.wait, 1)
        never = executor.submit(int, "1")
        assert never.cancel()
        await asyncio.wrap_future(blocking)
    await asyncio.sleep(1)
    assert not virtual_time.somebody_works


async def test_a_thread_that_hangs_does_not_stop_time(
    virtual_time: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANGS_S", 0.05)
    go = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        hanging = asyncio.wrap_future(executor.submit(go.wait, 20))
        await asyncio.sleep(100)
        assert not hanging.done()
        go.set()
        assert await hanging
