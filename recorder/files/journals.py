"""Find the journal of the session that a recording belongs to."""

import contextlib
import json
from pathlib import Path

from recorder.errors import UsageError
from recorder.files.opened.session_files import session_files
from recorder.files.opening import open_recording
from recorder.files.probe import Probe, probing
from recorder.storage.layout import JOURNAL_SUFFIX


def journal_of(recording: Path, probe: Probe | None = None) -> Path:
    """Return the journal of a recording's session, which stands beside the first file of that.

    That of a later file, or of one that was compressed under another name, is known by its commands; where
    the recording has none, by naming it. `probe` looks into it, if it is given. Blocks. Raises UsageError
    where there is none.
    """
    beside = recording.with_suffix(JOURNAL_SUFFIX)
    if beside.is_file():
        return beside
    with contextlib.nullcontext(probe) if probe else probing() as looking:
        given, original = looking.ask(_said, recording)
    names = {recording.resolve(), recording.resolve().with_name(original)}
    for journal in sorted(recording.parent.glob(f"*{JOURNAL_SUFFIX}")):
        if given <= _commands_in(journal) if given else not names.isdisjoint(_files_of(journal)):
            return journal
    raise UsageError(
        f"{recording}: {beside.name} is not there, and no other journal in its folder has its commands"
        f"{'' if given else ', or names it'}; name the journal itself"
    )


def _said(recording: Path) -> tuple[set[tuple[int, str]], str]:
    """Return number and time of each command in a recording, and what its file was called at first."""
    with open_recording(recording) as file:
        rows = file["entry/commands"][:]
        name = file.attrs.get("file_name", b"")
    name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    commands = {(int(row["seq"]), bytes(row["time"]).decode(errors="replace")) for row in rows}
    return commands, Path(name).name or recording.name


def _commands_in(journal: Path) -> set[tuple[int, str]]:
    """Return number and time of each command in a journal, none where it cannot be read."""
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
        return {(row["seq"], row["time"]) for row in map(json.loads, lines) if "seq" in row}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return set()


def _files_of(journal: Path) -> list[Path]:
    """Return the files of a journal's session, none where it cannot be read or they are gone."""
    try:
        return session_files(journal)
    except UsageError:
        return []
