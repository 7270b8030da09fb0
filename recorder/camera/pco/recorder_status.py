"""The state of the SDK's recorder as it tells it itself; its arguments are prepared once."""

import ctypes
from typing import Any


class RecorderStatus:
    """What PCO_RecorderGetStatus told when it was last asked; used from the camera thread.

    The flags mean less than their names (decision 8): `overflowed` stays set after the first overflow.
    `error` is a code, 0 where there is none.
    """

    def __init__(self, recorder: Any) -> None:  # noqa: ANN401 - the package's pco.Recorder
        self._get = recorder.PCO_Recorder.PCO_RecorderGetStatus
        self._handles = (recorder.recorder_handle, recorder.camera_handle)
        self._running, self._auto, self._full, self._overflow = (ctypes.c_bool() for _ in range(4))
        self._error, self._count, self._asked, self._began, self._ended = (
            ctypes.c_uint32() for _ in range(5)
        )

    def ask(self) -> int:
        """Ask anew, and return the code of the call; blocks for some microseconds."""
        code: int = self._get(
            *self._handles,
            self._running, self._auto, self._error, self._count, self._asked,
            self._full, self._overflow, self._began, self._ended,
        )  # fmt: skip
        return code

    @property
    def is_running(self) -> bool:
        """Whether it takes frames from the camera."""
        return self._running.value

    @property
    def overflowed(self) -> bool:
        """Whether its FIFO has ever been full when a frame came."""
        return self._overflow.value

    @property
    def waiting(self) -> int:
        """How many frames wait to be copied."""
        return self._count.value

    @property
    def error(self) -> int:
        """The last error that it met."""
        return self._error.value
