"""Which files are meant: one, several, those of a pattern, of a folder's session, or of a journal's."""

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from recorder.errors import UsageError, did_you_mean
from recorder.storage.layout import JOURNAL_SUFFIX

SUFFIX = ".h5"

# The answers of `save`, `save new` and `start`.
SAVING = re.compile(r"saving (.*\.h5)\b")


def files_meant(given: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the files, each once; raises UsageError where there is none."""
    if not given:
        raise UsageError('name a recording: recorder.open("FILE.h5")')
    found: dict[Path, None] = {}
    for one in given:
        found |= dict.fromkeys(_meant_by(os.fspath(one)))
    return list(found)


def _meant_by(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if text.endswith(JOURNAL_SUFFIX):
        return session_files(path)
    if path.is_dir():
        return _of_folder(path)
    if path.exists():
        return [path.resolve()]
    if glob.has_magic(text):
        matching = sorted(Path(name) for name in glob.glob(str(path)))  # noqa: PTH207 - absolute patterns too
        found = [match.resolve() for match in matching if match.suffix == SUFFIX and match.is_file()]
        if not found:
            raise UsageError(f"{text}: no file ending in {SUFFIX} has such a name")
        return found
    beside = [other.name for other in path.parent.glob(f"*{SUFFIX}")]
    raise UsageError(f"{path}: no such file{did_you_mean(path.name, beside)}")


def _of_folder(folder: Path) -> list[Path]:
    journals = sorted(folder.glob(f"*{JOURNAL_SUFFIX}"))
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if len(journals) == 1:
        return session_files(journals[0])
    if not journals and len(files) == 1:
        return [files[0].resolve()]
    if not files:
        raise UsageError(f"{folder}: no file ending in {SUFFIX} in it")
    names = ", ".join(path.name for path in (journals or files)[:5])
    kind = "sessions" if journals else "recordings"
    raise UsageError(f"{folder}: {len(journals or files)} {kind} in it; name one of them: {names}")


def session_files(journal: Path) -> list[Path]:
    """Return the files that are there of a journal's session: its first one, and those that it names.

    Raises UsageError where there is no journal, or no file of it.
    """
    folder = journal.parent.resolve()
    first = folder / f"{journal.name.removesuffix(JOURNAL_SUFFIX)}{SUFFIX}"
    try:
        text = journal.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{journal}: cannot be read: {error.strerror or error}") from None
    # What was said where it was recorded: the folder may have moved since.
    names = dict.fromkeys([first.name, *(name for line in text.splitlines() for name in _named(line))])
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise UsageError(f"{journal}: none of its session's files is beside it")
    return found


def _named(line: str) -> list[str]:
    """Return the names of the files that a line of a journal says frames go to, or went to in a run."""
    try:
        row = json.loads(line)
        if "end_of_run" in row:
            # Among them those that no answer names: `recording.split` begins them.
            return [_name(path) for path in row.get("files", [])]
        said = SAVING.search(row["message"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return [_name(said[1])] if said else []


def _name(path: str) -> str:
    """Return a path's last part, whichever system it is of."""
    return re.split(r"[\\/]", path)[-1]
