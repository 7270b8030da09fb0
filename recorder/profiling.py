"""Profile a run: one file for all, and one for each of our threads, readable with SnakeViz."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import yappi

from recorder.errors import UsageError


@contextlib.contextmanager
def profiled(path: Path | None) -> Iterator[None]:
    """Write the statistics of all threads to `path`, each thread's beside it as `<stem>.<thread><suffix>`.

    None: profile nothing. Raises UsageError where a file of that name exists or cannot be made.
    """
    if path is None:
        yield
        return
    try:
        path.touch(exist_ok=False)
    except OSError as error:
        raise UsageError(f"--profile {path}: {error.strerror or error}") from None
    yappi.set_clock_type("wall")
    yappi.set_context_name_callback(_thread_name)
    yappi.start()
    try:
        yield
    finally:
        yappi.stop()
        yappi.get_func_stats().save(str(path), "pstat")
        for thread in yappi.get_thread_stats():
            part = path.with_name(f"{path.stem}.{thread.name}{path.suffix}")
            yappi.get_func_stats(filter={"ctx_id": thread.id}).save(str(part), "pstat")
        yappi.clear_stats()


def _thread_name() -> str:
    """Call our threads by their names: "loop", "camera", "storage"."""
    thread = threading.current_thread()
    return "loop" if thread is threading.main_thread() else thread.name.removesuffix("_0")
