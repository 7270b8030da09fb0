"""Write a small new file, such as a picture: completely or not at all, and never over anything."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recorder.errors import StorageError, UsageError
from recorder.storage.direct_io import sync_folder


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write into during `with`; then it is on the disk and called `path`.

    Makes the folder. Until it is complete, the file has a name that nobody can foresee; neither name is ever
    one that exists, a link included. Where `with` or the disk fails, nothing is left behind, no folder
    either. Blocks for the disk. Raises UsageError where `path` exists, StorageError where it cannot be
    written, and what `with` raises, of which an OSError becomes a StorageError.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    made: list[Path] = []
    try:
        with contextlib.ExitStack() as undo:
            _make_folder(path.parent, made, undo)
            with partial.open("xb") as file:
                undo.callback(_remove, partial)
                yield file
                file.flush()
                os.fsync(file.fileno())
            give_name(partial, path)
            # Under its name it is complete: of what may still fail, none is a reason to remove it.
            undo.pop_all()
            _remove(partial)
            for folder in [path.parent, *(folder.parent for folder in made)]:
                sync_folder(folder)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _make_folder(folder: Path, made: list[Path], undo: contextlib.ExitStack) -> None:
    """Make the folders that are missing, list them in `made`, have `undo` remove them; raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            one.mkdir()
            made.append(one)
            undo.callback(_remove_folder, one)
    if not folder.is_dir():
        raise NotADirectoryError(0, f"{folder} is not a folder")


def give_name(partial: Path, path: Path) -> None:
    """Call a complete file `path`; raises FileExistsError where that name is taken, or another OSError."""
    if sys.platform == "win32":
        # Renaming fails there where the name is taken.
        partial.rename(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, FAT for example: first the name is made ours alone, then replaced.
        path.open("xb").close()
        try:
            partial.replace(path)
        except BaseException:
            _remove(path)
            raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
