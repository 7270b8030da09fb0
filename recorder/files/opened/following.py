"""A recording that grows: its frames as they come, until it ends."""

import contextlib
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


class Growth:
    """Looks whether a recording has grown, in a process of its own; `given` is what was opened.

    What was given may mean more files later. Blocks; used from one thread.
    """

    def __init__(
        self, recording: "OpenedRecording", given: Sequence[str | os.PathLike[str]], probe: Probe
    ) -> None:
        self._recording, self._given, self._probe = recording, given, probe
        self._quiet_since_s = time.monotonic()
        self.has_ended = False
        self._has_next = False  # a file that has no frame yet

    def look(self) -> bool:
        """Have the recording show what came since the last look; return whether anything did.

        From then on `has_ended` says whether nothing will come any more.
        """
        # Whether it is being written is asked first: what came before it ended is then seen.
        is_alive = _is_written(self._recording.contents[-1])
        is_news = self._show_what_came()
        if is_news or is_alive:
            self._quiet_since_s = time.monotonic()
        is_still = time.monotonic() - self._quiet_since_s > STILL_S
        is_over = self._recording.contents[-1].was_closed and not self._has_next
        self.has_ended = not is_news and (is_over or is_still)
        return is_news

    def _show_what_came(self) -> bool:
        """Have the recording show what came since the last look; return whether anything did."""
        *before, last = self._recording.contents
        self._has_next = False
        if not last.was_closed:
            later = last.followed_by(ask_contents(last.path, self._probe, last.frames))
            self._recording.show([*before, later])
            return later.frames > last.frames or later.was_closed
        known = {file.path for file in self._recording.contents}
        for path in files_meant(self._given):
            if path in known:
                continue
            try:
                found = ask_contents(path, self._probe)
            except UsageError:
                if path.is_file():
                    raise
                continue  # no frame came for it, and it is gone
            if not found.is_prepared:
                self._recording.show([*before, last, found])
                return True
            # Frames will come for it, or it is left by one who was killed.
            self._has_next |= _is_written(found)
        return False


def follow(
    recording: "OpenedRecording",
    given: Sequence[str | os.PathLike[str]],
    first: int,
    poll_s: float,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """See `OpenedRecording.follow`; `given` is what was opened."""
    if poll_s <= 0:
        raise UsageError(f"poll_s = {poll_s}; write how long to wait between two looks, above 0 s")
    with probing() as probe:
        growth = Growth(recording, given, probe)
        while True:
            is_news = growth.look()
            yield from recording.frames.blocks(first, block_bytes=BLOCK_BYTES)
            first = max(first, len(recording))
            if growth.has_ended:
                return
            if not is_news:
                time.sleep(poll_s)


def with_frames(contents: Sequence[Contents]) -> list[Contents]:
    """Return the first file, and of those behind it the ones with frames: the next may have none yet."""
    return [file for i, file in enumerate(contents) if i == 0 or file.frames]


def any_growing(given: Sequence[str | os.PathLike[str]]) -> bool:
    """Return whether a recorder is writing one of the files that are meant; raises UsageError for none."""
    with contextlib.suppress(OSError):
        return any(is_being_written(path, may_write=False) for path in files_meant(given))
    return False


def _is_written(file: Contents) -> bool:
    """Return whether a recorder may have the file open; True where that cannot be known."""
    try:
        return is_being_written(file.path)
    except OSError:
        return True
