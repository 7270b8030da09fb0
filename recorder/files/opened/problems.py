"""What keeps a file from being in order, and the command that helps."""

from collections.abc import Iterator

from recorder.files.opened.contents import Contents
from recorder.storage.writer_lock import is_being_written


class RecoverWarning(UserWarning):
    """A file was never closed, or was cut short; the message has the command that puts it in order."""


def problems_of(file: Contents) -> Iterator[str]:
    """Yield a line for each thing that is wrong with a file, none where it is in order or grows."""
    if file.without_pixels:
        yield (
            f"{file.path}: cut short: {file.without_pixels} more frames have no pixels; "
            f"recorder recover {file.path} closes it"
        )
    elif not file.was_closed and not is_being_written(file.path, may_write=False):
        yield (
            f"{file.path}: never closed by its recorder: {file.frames} frames are whole; "
            f"recorder recover {file.path} closes it"
        )
