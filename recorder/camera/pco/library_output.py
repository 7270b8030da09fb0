"""What the vendor's libraries print while they load: kept from people, and logged for those who look for it.

They print by C, on the process's standard output and standard error, about drivers that are not there and
need not be. Nobody can tell such a line from one of ours once it is written; so it is caught only where our
own streams write to other descriptors (`frontends.terminal.reserve_output`).
"""

import contextlib
import ctypes
import faulthandler
import logging
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

log = logging.getLogger(__name__)

_OUTPUTS = (1, 2)

# More than any library says.
_MAX_BYTES = 64 * 1024


@contextlib.contextmanager
def caught() -> Iterator[None]:
    """Log, at debug level, what C libraries print during `with`; where it cannot be caught, it is seen.

    A crash meanwhile is reported on our own standard error all the same. Not on Windows, where each library
    may have descriptors of its own.
    """
    if sys.platform == "win32" or not _ours_are_elsewhere():
        yield
        return
    # In memory: no disk has to have room for it.
    with open(os.memfd_create("library output"), "w+b") as file, contextlib.ExitStack() as undo:  # noqa: PTH123
        _flush()
        before = [os.dup(number) for number in _OUTPUTS]
        undo.callback(_log, file)
        undo.callback(_restore, before)
        if not faulthandler.is_enabled():
            faulthandler.enable(sys.stderr.fileno())
            undo.callback(faulthandler.disable)
        for number in _OUTPUTS:
            os.dup2(file.fileno(), number)
        yield


def _ours_are_elsewhere() -> bool:
    try:
        return not {sys.stdout.fileno(), sys.stderr.fileno()} & set(_OUTPUTS)
    except (AttributeError, OSError, ValueError):
        return False


def _flush() -> None:
    """Write out what C has in its buffers."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def _restore(before: list[int]) -> None:
    _flush()
    for number, descriptor in zip(_OUTPUTS, before, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _log(file: BinaryIO) -> None:
    file.seek(0)
    for line in file.read(_MAX_BYTES).decode(errors="replace").splitlines():
        log.debug("the camera's libraries: %s", line)
