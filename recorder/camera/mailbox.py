"""Commands for the camera that other threads submit, called on the camera thread between two frames."""

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from recorder.camera.base import Camera
from recorder.errors import CameraError, CameraNotRunningError

T = TypeVar("T")


class Mailbox:
    """A queue of commands: `submit` is called on any thread, `serve` and `close` on the camera thread.

    Its truth value is whether commands are pending.
    """

    def __init__(self) -> None:
        self._pending: deque[tuple[Callable[[Camera], Any], Future[Any]]] = deque()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._pending)

    def submit(self, command: Callable[[Camera], T]) -> Future[T]:
        """Have `command(camera)` called on the camera thread; does not block.

        The future gets the command's result, or a CameraError: for whatever the command raised, or where the
        camera is not running. Cancelling the future before the command is called cancels the command.
        """
        future: Future[T] = Future()
        self._pending.append((command, future))
        if self._closed:
            self._refuse()
        return future

    def serve(self, camera: Camera) -> None:
        """Call the pending commands, oldest first; blocks as long as they do. Errors go to the futures."""
        while self._pending:
            command, future = self._pending.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(command(camera))
            except CameraError as error:
                future.set_exception(error)
            except Exception as error:
                # A library may raise any exception at a command; reading frames goes on.
                future.set_exception(CameraError(f"the camera refused: {error!r}"))

    def close(self) -> None:
        """Set a CameraError on the pending commands and on all that are submitted later."""
        self._closed = True
        self._refuse()

    def _refuse(self) -> None:
        # Two threads may empty the queue at the same time.
        with contextlib.suppress(IndexError):
            while True:
                _, future = self._pending.popleft()
                if future.set_running_or_notify_cancel():
                    future.set_exception(CameraNotRunningError("the camera is not running"))
