"""Which recordings may be packed: those that are finished and sound, and stay as they are meanwhile."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from recorder.errors import DamagedFileError, UsageError
from recorder.files.checks import Kind, Problem, Structure, structure_of
from recorder.files.opening import require_file
from recorder.files.probe import Probe
from recorder.files.verify import TIMEOUT_S, TIMEOUT_S_PER_GB
from recorder.storage.file_bytes import Readable
from recorder.storage.superblock import Superblock
from recorder.storage.writer_lock import is_being_written


@dataclass(frozen=True)
class Source:
    """A recording that was found sound, but for its pixels, which nobody has read yet.

    `identity` is what changes where another program writes to it, or puts another file into its place.
    """

    path: Path
    structure: Structure
    bytes: int
    identity: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, probe: Probe) -> Self:
        """Look at the file at `path`; blocks.

        Raises UsageError where there is none, a recorder writes to it, or was killed while it did,
        NotOurFileError for one of another program, DamagedFileError where it is not sound.
        """
        require_file(path)
        if is_being_written(path, may_write=False):
            raise UsageError(f"{path}: a recorder writes to it; compress it when that has closed it")
        identity, size = _identity(path), path.stat().st_size
        structure = ask_structure(path, probe)
        wrong = [problem for problem in told(structure) if problem.kind is Kind.DAMAGE]
        if _is_open(path) or any(problem.check == "closed" for problem in wrong):
            raise UsageError(f"{path}: was never closed by its recorder; recorder recover does that")
        if wrong:
            raise damaged(path, wrong[0].text)
        return cls(path, structure, size, identity)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is told of it, such as frames that it says are lost."""
        return told(self.structure)

    def require_unchanged(self) -> None:
        """Raise UsageError where it is not any more what it was."""
        if is_being_written(self.path, may_write=False) or _identity(self.path) != self.identity:
            raise UsageError(f"{self.path}: another program has changed it meanwhile; nothing is compressed")


def damaged(path: Path, text: str) -> DamagedFileError:
    """Return what is raised of a file that is not sound."""
    return DamagedFileError(f"{path}: damaged, and stays as it is: {text}; recorder verify tells all")


def ask_structure(path: Path, probe: Probe) -> Structure:
    """Have `probe` carry out all checks of a file but those of pixels."""
    return probe.ask(structure_of, path, TIMEOUT_S + path.stat().st_size * 1e-9 * TIMEOUT_S_PER_GB)


def told(structure: Structure) -> tuple[Problem, ...]:
    """Return what was found in a file, whatever its name and the journal beside it."""
    return tuple(problem for problem in structure.problems if problem.check != "journal")


def _is_open(path: Path) -> bool:
    readable = Readable.of(path)
    try:
        return Superblock.read(readable.content, path).is_open
    finally:
        readable.close()


def _identity(path: Path) -> tuple[int, ...]:
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
