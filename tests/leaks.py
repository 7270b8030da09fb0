"""What is open at this moment, and who holds it; `nothing_left_behind` compares before and after."""

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from recorder.frames.pool import BlockLease, FrameSpan

# How long threads and processes that are ending may take to be gone.
GRACE_S = 2.0

FDS = Path("/proc/self/fd")
TASKS = Path("/proc/self/task")

# matplotlib keeps the few fonts that it has drawn with open for ever.
KEPT_FONTS = "/matplotlib/mpl-data/fonts/"


@dataclass(frozen=True)
class Snapshot:
    """Threads, leases by `id`, descriptors with their targets, and child processes with their commands."""

    threads: frozenset[threading.Thread]
    leases: frozenset[int]
    descriptors: dict[int, str]
    children: dict[int, str]

    @classmethod
    def take(cls) -> Self:
        """Look now; descriptors and children on Linux only."""
        leases = frozenset(map(id, open_leases()))
        return cls(frozenset(threading.enumerate()), leases, descriptors(), children())


def left_since(before: Snapshot) -> list[str]:
    """Return a line for each thing that is there now and was not; waits a moment for what is ending."""
    leases = [lease for lease in open_leases() if id(lease) not in before.leases]
    problems = [f"{lease!r} was not given back; {holders(lease)}" for lease in leases]
    until_s = time.perf_counter() + GRACE_S
    for thread in set(threading.enumerate()) - before.threads:
        thread.join(max(0.0, until_s - time.perf_counter()))
        if thread.is_alive():
            problems.append(f"{thread!r} still runs; {position(thread)}")

    def new_children() -> dict[int, str]:
        return {pid: command for pid, command in children().items() if pid not in before.children}

    def new_descriptors() -> dict[int, str]:
        return {fd: target for fd, target in descriptors().items() if before.descriptors.get(fd) != target}

    problems += [f"child process {pid} is left: {what}" for pid, what in _lasting(new_children, until_s)]
    found = _lasting(new_descriptors, until_s)
    problems += [f"descriptor {fd} is open: {target}; {_opener(fd)}" for fd, target in found]
    return problems


def _lasting(look: Callable[[], dict[int, str]], until_s: float) -> list[tuple[int, str]]:
    """Return what is still there when it had its time to go."""
    while (found := look()) and time.perf_counter() < until_s:
        gc.collect()
        time.sleep(0.02)
    return sorted(found.items())


def descriptors() -> dict[int, str]:
    """Return the open descriptors with their targets; none where /proc is not there."""
    found = {}
    for name in os.listdir(FDS) if FDS.exists() else ():
        try:
            target = str((FDS / name).readlink())
        except OSError:  # that of the listing itself
            continue
        if KEPT_FONTS not in target:
            found[int(name)] = target
    return found


def children() -> dict[int, str]:
    """Return the processes that were started and are running or not waited for; none without /proc."""
    found = {}
    for task in TASKS.iterdir() if TASKS.exists() else ():
        try:
            pids = (task / "children").read_text().split()
        except OSError:  # a thread that has ended
            continue
        for pid in pids:
            try:
                words = (
                    Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            found[int(pid)] = words.strip() or "ended, and nobody waited for it"
    return found


def _opener(fd: int) -> str:
    """Name the Python object that holds a descriptor, where one does."""
    for thing in gc.get_objects():
        try:
            if type(thing).__module__ in {"_io", "socket", "mmap"} and thing.fileno() == fd:
                return f"{thing!r}, {holders(thing)}"
        except (AttributeError, OSError, ValueError, TypeError):
            continue
    return "no Python object has it"


def open_leases() -> list[BlockLease]:
    """Return the leases that are alive and not given back."""
    kinds = (BlockLease, FrameSpan)
    return [thing for thing in gc.get_objects() if type(thing) in kinds and thing._open]


def holders(thing: object) -> str:
    """Say who refers to `thing`: variables of modules, of functions under way, and types."""
    # What was there before the first test was taken out of sight.
    gc.unfreeze()
    told = [words for referrer in gc.get_referrers(thing) for words in _describe(referrer, thing)]
    return "held by " + (", ".join(told[:5]) or "nobody that can be seen")


def _describe(referrer: Any, thing: object, depth: int = 0) -> list[str]:
    """Name one who refers to `thing`; nothing for those who only look for it."""
    frame = referrer if isinstance(referrer, FrameType) else _frame_of(referrer)
    if frame is not None:
        mine = frame.f_code.co_filename == __file__
        return [] if mine else [f"{frame.f_code.co_qualname} ({_place(frame)})"]
    if isinstance(referrer, dict):
        names = [str(key) for key, value in referrer.items() if value is thing]
        return [f"{referrer.get('__name__', 'a dict')}: {', '.join(names)}"] if names else []
    kind = type(referrer).__qualname__
    if not isinstance(referrer, list | tuple | set):
        # Cells and iterators are those of this search.
        return [] if kind in {"cell", "list_iterator"} else [f"a {kind}"]
    outer = gc.get_referrers(referrer) if depth == 0 else []
    return [f"a {kind} in {words}" for one in outer for words in _describe(one, referrer, 1)]


def _frame_of(coroutine: object) -> FrameType | None:
    """Return the frame of a coroutine or a generator that is suspended."""
    found = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
    return found if isinstance(found, FrameType) else None


def position(thread: threading.Thread) -> str:
    """Say where a thread is."""
    frame = sys._current_frames().get(thread.ident or 0)
    return "it has ended" if frame is None else "in " + " < ".join(_stack(frame))


def _stack(frame: FrameType) -> Iterator[str]:
    for summary in reversed(traceback.extract_stack(frame)[-4:]):
        yield f"{summary.name} ({Path(summary.filename).name}:{summary.lineno})"


def _place(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


async def pending_tasks() -> list[str]:
    """Return a line for each other task of the running loop that does not end by itself at once."""
    mine = asyncio.current_task()
    # One that was cancelled, or whose future is set, needs some turns of the loop to end.
    for _ in range(10):
        left = asyncio.all_tasks() - {mine}
        if not left:
            return []
        await asyncio.sleep(0)
    left = {task for task in left if not task.done()}
    return [f"task {task.get_name()!r} is pending: {where(task.get_coro())}" for task in left]


def where(coroutine: Any) -> str:
    """Follow what a coroutine awaits down to where it stands."""
    name, places = getattr(coroutine, "__qualname__", repr(coroutine)), []
    while coroutine is not None:
        frame = _frame_of(coroutine)
        if frame is None:
            break
        places.append(f"{frame.f_code.co_name} ({_place(frame)})")
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return f"{name} waits in {' > '.join(places) or 'nothing: it has not begun'}"
