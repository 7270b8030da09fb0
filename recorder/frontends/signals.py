"""What asks a program to end: Ctrl-C, SIGTERM, a closed terminal."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def ending() -> list[signal.Signals]:
    """Return those of them that this system has."""
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


@contextlib.contextmanager
def handled(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call `on_signal` on the event loop's thread for each of them, during `with`.

    On the main thread, with its event loop running.
    """
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as undo:
        for number in ending():
            try:
                loop.add_signal_handler(number, on_signal)
                undo.callback(loop.remove_signal_handler, number)
            except NotImplementedError:  # Windows
                before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
                undo.callback(signal.signal, number, before)
        yield
