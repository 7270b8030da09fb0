"""End between two steps of a long work once somebody asks for it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from recorder.frontends.signals import ending


@contextlib.contextmanager
def until_interrupted() -> Iterator[Callable[[], None]]:
    """Yield what raises KeyboardInterrupt once Ctrl-C, SIGTERM or a closed terminal has asked for an end.

    It is called between two blocks of frames: raised anywhere, an interrupt leaves threads of libraries at
    work, or is lost in them. A second one is raised at once.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    def go_on() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    # One that is ignored, as under nohup, stays so.
    before = {number: kind for number in ending() if (kind := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, ask)
    try:
        yield go_on
    finally:
        for number, kind in before.items():
            signal.signal(number, kind)
