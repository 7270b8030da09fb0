"""A recording that grows: its frames as they come, until it ends."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.files.opened.contents import Contents, ask_contents
from recorder.files.opened.frames import BLOCK_BYTES
from recorder.files.opened.session_files import files_meant
from recorder.files.probe import Probe, probing
from recorder.storage.writer_lock import is_being_written

if TYPE_CHECKING:
    from recorder.files.opened.recording import OpenedRecording

# A file that no recorder has open, and that has not changed for so long, will not change any more.
STILL_S = 2.0


def follow(
    recording: "OpenedRecording",
    given: Sequence[str | os.PathLike[str]],
    first: int,
    poll_s: float,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """See `OpenedRecording.follow`; `given` is what was opened: it may mean more files later."""
    if poll_s <= 0:
        raise UsageError(f"poll_s = {poll_s}; write how long to wait between two looks, above 0 s")
    quiet_since_s = time.monotonic()
    with probing() as probe:
        while True:
            # Whether it is being written is asked first: what came before it ended is then seen.
            is_alive = _is_written(recording.contents[-1])
            is_news = _look(recording, given, probe)
            yield from recording.frames.blocks(first, block_bytes=BLOCK_BYTES)
            first = max(first, len(recording))
            if is_news or is_alive:
                quiet_since_s = time.monotonic()
            if not is_news:
                if recording.contents[-1].was_closed or time.monotonic() - quiet_since_s > STILL_S:
                    return
                time.sleep(poll_s)


def _look(recording: "OpenedRecording", given: Sequence[str | os.PathLike[str]], probe: Probe) -> bool:
    """Have a recording show what came since the last look; return whether anything did."""
    *before, last = recording.contents
    if not last.was_closed:
        later = last.followed_by(ask_contents(last.path, probe, last.frames))
        recording.show([*before, later])
        return later.frames > last.frames or later.was_closed
    known = {file.path for file in recording.contents}
    for path in files_meant(given):
        if path in known:
            continue
        try:
            found = ask_contents(path, probe)
        except UsageError:
            if path.is_file():
                raise
            continue  # no frame came for it, and it is gone
        if not found.is_prepared:
            recording.show([*before, last, found])
            return True
    return False


def _is_written(file: Contents) -> bool:
    """Return whether a recorder may have the file open; True where that cannot be known."""
    try:
        return is_being_written(file.path)
    except OSError:
        return True
