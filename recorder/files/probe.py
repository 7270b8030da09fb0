"""Look into a file in a process of its own, which is given up where HDF5 does not return or crashes."""

import contextlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from recorder.errors import DamagedFileError, RecorderError, StorageError, UnreadableFileError

T = TypeVar("T")

# A file that is well answers within a fraction of a second; the process begins in about half of one.
TIMEOUT_S = 4.0
BEGIN_S = 20.0


class Probe:
    """A process in which files are looked at; begun when it is needed, and anew after it was given up.

    `patience`: how many times longer than usual it is waited for, where others go first.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, look: Callable[[Path], T], path: Path, timeout_s: float = TIMEOUT_S) -> T:
        """Return `look(path)`, a function of a module; blocks for `timeout_s` times its patience at most.

        Raises what it raises, and UnreadableFileError where it does not return in time, or ends the process.
        """
        if self._process is None:
            command = [sys.executable, "-m", "recorder.files.probe"]
            try:
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self._receive(BEGIN_S * self._patience)
            except (OSError, EOFError) as error:  # TimeoutError is one
                self.close()
                raise StorageError(f"{path}: no process can be begun to look at it: {error!r}") from error
        timeout_s *= self._patience
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            pickle.dump((look, path), self._process.stdin)
            self._process.stdin.flush()
        try:
            is_error, answer = self._receive(timeout_s)
        except (TimeoutError, EOFError) as error:
            self.close()
            hangs = isinstance(error, TimeoutError)
            problem = f"does not end within {timeout_s:g} s" if hangs else "ends the program"
            raise UnreadableFileError(f"{path}: damaged: reading it {problem}; keep a copy of it") from None
        if is_error:
            raise answer
        return answer  # type: ignore[no-any-return]

    def _receive(self, timeout_s: float) -> tuple[bool, Any]:
        """Return what the process says; raises TimeoutError, and EOFError where it ends."""
        process, found = self._process, []

        def receive() -> None:
            with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
                if process is not None and process.stdout is not None:
                    found.append(pickle.load(process.stdout))

        # A thread, as Windows knows no time limit for pipes; it ends with the process.
        receiving = threading.Thread(target=receive, name="probe", daemon=True)
        receiving.start()
        receiving.join(timeout_s)
        if process is not None and receiving.is_alive():
            process.kill()
            receiving.join()
            raise TimeoutError
        if not found:
            raise EOFError
        return found[0]  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give the process up; a second time does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextlib.contextmanager
def probing(patience: float = 1.0) -> Iterator[Probe]:
    """Lend a process for looking at files during `with`; see `Probe`."""
    probe = Probe(patience)
    try:
        yield probe
    finally:
        probe.close()


def serve() -> None:
    """Answer one question after the other from standard input, in the process."""
    # Whatever else writes to standard output does not reach the answers.
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    message: object = (False, None)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pickle.dump(message, answers)
            answers.flush()
            look, path = pickle.load(sys.stdin.buffer)
            try:
                message = (False, look(path))
            except RecorderError as error:
                message = (True, error)
            except Exception as error:  # whatever it is, the question has an answer
                message = (True, DamagedFileError(f"{path}: cannot be read: {error!r}"))


if __name__ == "__main__":
    serve()
