import asyncio
import threading

import pytest

from recorder.session.disk_thread import DiskThread


async def test_a_disk_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.session.disk_thread.UNANSWERED_S", 0.02)
    thread, answer = DiskThread("test"), threading.Event()
    assert thread.unanswered == ""
    first = asyncio.ensure_future(thread.call("writing frames", answer.wait))
    second = asyncio.ensure_future(thread.call("writing rows", lambda: 7))
    while not thread.unanswered:
        await asyncio.sleep(0.01)
    assert thread.unanswered == "the disk has not answered for 0 s (writing frames)"
    answer.set()
    assert await first is True
    assert await second == 7
    assert thread.unanswered == ""
    await thread.close(1)


async def test_a_thread_that_hangs_is_left_behind() -> None:
    thread, answer = DiskThread("test"), threading.Event()
    hanging = asyncio.ensure_future(thread.call("closing", answer.wait))
    await asyncio.sleep(0)
    await thread.close(0.05)
    assert not hanging.done()
    answer.set()
    await hanging


async def test_what_fails_on_the_thread_is_raised() -> None:
    thread = DiskThread("test")
    with pytest.raises(ZeroDivisionError):
        await thread.call("dividing", lambda: 1 // 0)
    await thread.close(1)
