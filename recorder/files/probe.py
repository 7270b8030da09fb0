"""Look into a file in a process of its own, which is given up where HDF5 does not return or crashes."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from recorder.errors import DamagedFileError, RecorderError

T = TypeVar("T")

# A file that is well answers within a fraction of a second; the process begins in about half of one.
TIMEOUT_S = 4.0


class Probe:
    """A process in which files are looked at; made when it is needed, and anew after it was given up."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def ask(self, look: Callable[[Path], T], path: Path, timeout_s: float = TIMEOUT_S) -> T:
        """Return `look(path)`, a function of a module; blocks for `timeout_s` at most.

        Raises what it raises, and DamagedFileError where it does not return in time, or ends the process.
        """
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            with contextlib.suppress(EOFError, OSError):
                self._connection.recv()  # it has begun
        try:
            self._connection.send((look, path))
            if self._connection.poll(timeout_s):
                is_error, answer = self._connection.recv()
                if is_error:
                    raise answer
                return answer  # type: ignore[no-any-return]
            problem = f"reading it does not end within {timeout_s:g} s"
        except (EOFError, OSError):
            problem = "reading it ends the program"
        self.close()
        raise DamagedFileError(f"{path}: damaged: {problem}; keep a copy of it")

    def close(self) -> None:
        """Give the process up; a second time does nothing."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None


@contextlib.contextmanager
def probing() -> Iterator[Probe]:
    """Lend a process for looking at files during `with`."""
    probe = Probe()
    try:
        yield probe
    finally:
        probe.close()


def _serve(connection: Connection) -> None:
    """Answer one question after the other, in the process."""
    connection.send(None)
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            look, path = connection.recv()
            try:
                answer = (False, look(path))
            except RecorderError as error:
                answer = (True, error)
            connection.send(answer)
