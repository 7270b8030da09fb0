"""Where a session's files go: new names only, beside each other, and the journal's."""

import os
import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from recorder.errors import UsageError
from recorder.settings.model import Settings
from recorder.storage.layout import JOURNAL_SUFFIX

# What names of files end in, such as .tif or .hdf5; folders are called 2026.11.24 too.
FILE_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,4}")

# Names tried where several files of the same name begin in the same second.
MAX_SAME_SECOND = 1000


def new_path(
    settings: Settings,
    name: str | None = None,
    *,
    first: bool = False,
    promised: Collection[Path | None] = (),
) -> Path:
    """Return a file that does not exist and is not `promised`, called `name` if given; raises UsageError.

    The first one is what `recording.output` asks for: that file, or a new one in that folder. The next
    ones stand beside it. Making the file looks again: something may come between the two.
    """
    try:
        return _new_path(settings.recording.output, settings.recording.name, name, first, promised)
    except OSError as error:
        raise UsageError(f"{settings.recording.output}: cannot be used: {error.strerror}") from None


def _new_path(
    text: str, recording: str, name: str | None, first: bool, promised: Collection[Path | None]
) -> Path:
    output = Path(text)
    is_file = output.suffix == ".h5"
    meant_as_folder = text.endswith(("/", os.sep)) or output.is_dir()
    if FILE_SUFFIX.fullmatch(output.suffix) and not is_file and not meant_as_folder:
        raise UsageError(
            f"{output}: write a file name that ends in .h5, or a folder's, with / at its end where it is new"
        )
    if first and is_file:
        if output.exists():
            raise UsageError(
                f"{output}: exists already, and nothing is ever overwritten; choose another name"
            )
        return output
    if not is_file and output.exists() and not output.is_dir():
        raise UsageError(f"{output}: not a folder, and not a file name that ends in .h5")
    if name is not None and (Path(name).name != name or name.startswith(".")):
        raise UsageError(f"{name}: write a name without folders")
    folder = output.parent if is_file else output
    stem = output.stem if is_file else f"{recording}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    if name is not None:
        stem = name.removesuffix(".h5")
        path = folder / f"{stem}.h5"
        if path.exists() or path in promised:
            raise UsageError(f"{path}: exists already, and nothing is ever overwritten")
    for number in range(1, MAX_SAME_SECOND):
        path = folder / (f"{stem}.h5" if number == 1 else f"{stem}_{number}.h5")
        if path not in promised and not path.exists() and not path.with_suffix(JOURNAL_SUFFIX).exists():
            break
    return path
