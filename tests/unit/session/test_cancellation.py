"""A session that is cancelled at any step leaves whole files and nothing else.

It runs on a clock that jumps, with all that an operator does, and is cancelled at its step k = 1, 2, 3...
A step is a turn of the event loop; or a place where whoever carries out the lines waits: then it is cancelled
before a thread has begun to work for it, or while the thread does.
"""

import asyncio
import contextlib
import gc
import json
import os
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import pytest

from recorder.assembly import build_session
from recorder.camera import timestamp
from recorder.camera.acquisition import AcquisitionThread
from recorder.camera.simulated.camera import SimulatedCamera
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate
from recorder.storage.layout import DETECTOR
from recorder.storage.recording import Recording
from tests import leaks
from tests.virtual_time import VirtualLoop, use

# What the operator does: every kind of command that waits for something.
LINES = (
    *("wait 0.1s", "mark a", "exposure 2ms", "snapshot s.tif", "save new", "mark b", "note c", "stop"),
    *("note between", "start", "wait 0.1s", "quit"),
)

# What a thread needs to begin; making a file takes some ms.
MOMENT_S = 0.0005

# Every so manieth turn is tried, which takes some 5 s; 1 tries all.
STRIDE = int(os.environ.get("CANCELLATION_STRIDE", "13"))


class Watched:
    """Await a coroutine, and call `on_wait` each time it has begun to wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], on_wait: Callable[[], object]) -> None:
        self._coroutine, self._on_wait = coroutine, on_wait

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        step, value = inner.send, None
        while True:
            try:
                waited_for = step(value)
            except StopIteration:
                return
            self._on_wait()
            try:
                step, value = inner.send, (yield waited_for)
            except BaseException as error:
                step, value = inner.throw, error


class SteppedSession:
    """A session in `folder` from its beginning to its end, cancelled at step `k`: a "turn" or a "wait".

    `after_s` is given to threads first. Whoever runs it closes it, also when cancelled.
    """

    def __init__(self, folder: Path, k: int, step: str, after_s: float) -> None:
        self.folder, self.k, self.step, self.after_s = folder, k, step, after_s
        self.steps = 0
        # Where everybody was when it was cancelled.
        self.places: list[str] = []
        self.main: asyncio.Task[None] | None = None
        self._counts = False

    async def _watched(self) -> None:
        self.main = asyncio.current_task()
        self._coroutine = self._whole()
        await Watched(self._coroutine, partial(self._is_now, "wait"))

    async def _whole(self) -> None:
        tree = {
            "recording": {"output": str(self.folder / "x.h5")},
            "camera": {"width": 32, "height": 32, "rate": 100, "exposure": "1ms"},
            "pool": {"memory": "4MB"},
        }
        session = build_session(validate(tree), dry_run=False)
        async with session_context(session) as dispatch:
            self._counts = True
            try:
                await session.start()
                await self._play(dispatch)
            finally:
                self._counts = False
                await session.close()

    async def _play(self, dispatch: Dispatcher) -> None:
        for line in LINES:
            await dispatch.execute(line.replace("s.tif", str(self.folder / "s.tif")), "script")

    def _is_now(self, step: str) -> bool:
        if self.main is None or not self._counts or step != self.step:
            return False
        self.steps += 1
        if self.steps != self.k:
            return False
        others = asyncio.all_tasks(self.main.get_loop()) - {self.main}
        self.places = [leaks.where(one) for one in (self._coroutine, *(task.get_coro() for task in others))]
        threading.Event().wait(self.after_s)
        # A task cannot cancel itself before it waits.
        self.main.get_loop().call_soon(self.main.cancel)
        return True

    def run(self) -> None:
        """Run as asyncio.run does, which cancels at the end what is left."""
        with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.MonkeyPatch.context() as patch:
            loop = runner.get_loop()
            assert isinstance(loop, VirtualLoop)
            use(loop.clock, patch, AcquisitionThread, Recording, SimulatedCamera)
            loop.selector.on_turn = partial(self._is_now, "turn")
            with contextlib.suppress(asyncio.CancelledError):
                runner.run(self._watched())
            loop.selector.on_turn = lambda: False
            runner.run(_cancel_all())
            loop.clock.run_on()
        self.main = None


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def problems_of(path: Path) -> Iterator[str]:
    """Look for what must not be in a file that is closed."""
    try:
        # Without `swmr`: a file that was not closed in order is refused.
        with h5py.File(path) as file:
            numbers, frames = file[DETECTOR]["sequence_number"][:], file["data"][:]
            verdict, lost = file["entry/verdict"][()].decode(), file["entry/losses"]["count"].sum()
    except OSError as error:
        yield f"{path.name} was never closed: {error}"
        return
    if verdict == "recording":
        yield f"{path.name} has no verdict"
    if len(numbers) != len(frames):
        yield f"{path.name} has {len(frames)} frames and {len(numbers)} rows"
    for number, frame in zip(numbers, frames, strict=False):
        stamp = timestamp.read(frame)
        if stamp is None or stamp.number != number:
            yield f"{path.name} has {stamp} where frame {number} should be"
    if len(numbers) and numbers[-1] - numbers[0] + 1 > len(numbers) + lost:
        yield f"{path.name} lacks frames that it does not tell of"


@pytest.mark.parametrize(
    ("step", "after_s", "stride"), [("turn", 0, STRIDE), ("wait", 0, 1), ("wait", MOMENT_S, 1)]
)
def test_a_session_that_is_cancelled_at_any_step_leaves_whole_files_and_nothing_else(
    tmp_path: Path, step: str, after_s: float, stride: int
) -> None:
    k, is_reached = 1, True
    while is_reached:
        folder = tmp_path / str(k)
        folder.mkdir()
        before = leaks.Snapshot.take()
        session = SteppedSession(folder, k, step, after_s)
        session.run()
        gc.collect()
        found = leaks.left_since(before)
        for path in sorted(folder.glob("*.h5")):
            found += problems_of(path)
        for path in folder.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                json.loads(line)
        assert not found, f"cancelled at {step} {k}:\n" + "\n".join([*found, "when it was:", *session.places])
        is_reached = session.steps >= k
        k += stride
    # It was run to its end at last, and has what it should.
    assert {path.name for path in folder.glob("*.h5")} == {"x.h5", "x_2.h5", "x_3.h5"}
    assert k > {"turn": 200, "wait": 40}[step]
