"""Profile a run: one file for all, and one for each of our threads, readable with SnakeViz."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import yappi

from recorder.errors import StorageError, UsageError


@contextlib.contextmanager
def profiled(path: Path | None) -> Iterator[None]:
    """Profile the `with` block: all threads in `path`, each of them in `<stem>.<thread><suffix>` beside it.

    None: profile nothing. Raises UsageError where one of these files exists or the folder does not,
    StorageError where they cannot be written.
    """
    if path is None:
        yield
        return
    there = [p for p in (path, *path.parent.glob(f"{path.stem}.*{path.suffix}")) if p.exists()]
    if there:
        raise UsageError(f"--profile {path}: {there[0]} exists already, and nothing is ever overwritten")
    if not path.parent.is_dir():
        raise UsageError(f"--profile {path}: no such folder")
    yappi.set_clock_type("wall")
    yappi.set_context_name_callback(_thread_name)
    yappi.start()
    worth_writing = True
    try:
        yield
    except UsageError:
        worth_writing = False
        raise
    finally:
        yappi.stop()
        if worth_writing:
            _write(path)
        yappi.clear_stats()


def _write(path: Path) -> None:
    try:
        yappi.get_func_stats().save(str(path), "pstat")
        for thread in yappi.get_thread_stats():
            part = path.with_name(f"{path.stem}.{thread.name}{path.suffix}")
            yappi.get_func_stats(filter={"ctx_id": thread.id}).save(str(part), "pstat")
    except OSError as error:
        raise StorageError(f"--profile {path}: cannot be written: {error.strerror or error}") from None


def _thread_name() -> str:
    """Call our threads by their names: "loop", "camera", "storage"."""
    thread = threading.current_thread()
    return "loop" if thread is threading.main_thread() else thread.name.removesuffix("_0")
