"""Where an export goes: new names only, and under its name only what is complete."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from recorder.errors import StorageError, UsageError
from recorder.storage.atomic_file import give_name
from recorder.storage.direct_io import sync_folder

# How often a folder is removed that comes back, and how long is waited to see whether it does.
REMOVALS = 20
LAST_WRITES_S = 0.05


def require_new(path: Path) -> None:
    """Raise UsageError where something stands at `path`, or its folder is not there."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: no such folder as {path.parent}; make it first")


@contextlib.contextmanager
def partial(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` for a file or folder to be made there; after `with` it is called `path`.

    Where `with` or the disk fails nothing is left behind. Raises UsageError where `path` exists by then,
    StorageError where it cannot be written, and what `with` raises; an OSError becomes a StorageError.
    """
    require_new(path)
    # With the ending: some writers look at it.
    suffixes = "".join(path.suffixes[-2:])
    hidden = path.with_name(f".{secrets.token_hex(8)}{suffixes}")
    try:
        yield hidden
        if hidden.is_dir():
            _sync_all_in(hidden)
            # A folder that is there is not replaced, but for an empty one, which `require_new` looks for.
            require_new(path)
            hidden.rename(path)
        else:
            _sync(hidden)
            give_name(hidden, path)
        sync_folder(path.parent)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if hidden.is_dir():
            _remove(hidden)
        else:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a folder; after a failure, threads of a library may still write into it for a moment."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(LAST_WRITES_S)
        if not folder.exists():
            return


def _sync_all_in(folder: Path) -> None:
    for inside, _, names in os.walk(folder):
        for name in names:
            _sync(Path(inside, name))
        sync_folder(Path(inside))


def _sync(path: Path) -> None:
    # Windows syncs no descriptor that is open for reading only.
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
