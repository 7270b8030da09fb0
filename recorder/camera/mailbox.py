"""Commands for the camera that other threads hand in, called on its own thread between two frames."""

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from recorder.camera.base import Camera
from recorder.errors import CameraError

T = TypeVar("T")


class Mailbox:
    """`submit` from any thread; `serve` and `close` on the camera's."""

    def __init__(self) -> None:
        self._pending: deque[tuple[Callable[[Camera], Any], Future[Any]]] = deque()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._pending)

    def submit(self, command: Callable[[Camera], T]) -> Future[T]:
        """Have `command(camera)` called; its result, or a CameraError, comes with the future."""
        future: Future[T] = Future()
        self._pending.append((command, future))
        if self._closed:
            self._refuse()
        return future

    def serve(self, camera: Camera) -> None:
        """Call what has been handed in."""
        while self._pending:
            command, future = self._pending.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(command(camera))
            except CameraError as error:
                future.set_exception(error)
            except Exception as error:
                # A library may raise anything at a command; the frames go on.
                future.set_exception(CameraError(f"the camera refused: {error!r}"))

    def close(self) -> None:
        """Refuse what is there and all that comes."""
        self._closed = True
        self._refuse()

    def _refuse(self) -> None:
        # Two threads may be emptying it at once.
        with contextlib.suppress(IndexError):
            while True:
                _, future = self._pending.popleft()
                if future.set_running_or_notify_cancel():
                    future.set_exception(CameraError("the camera is not running"))
