"""Open our own files to read them, whatever state they are in."""

import contextlib
import struct
from pathlib import Path

import h5py

from recorder.errors import DamagedFileError, NotOurFileError, UsageError
from recorder.storage import layout
from recorder.storage.file_bytes import Changed, Readable
from recorder.storage.packed_chunk import BLOSC
from recorder.storage.rig_file import RIG
from recorder.storage.superblock import Superblock

# No sensor has more.
MAX_FRAME_BYTES = 2**31

# What HDF5 raises for structures that are damaged.
DAMAGE = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(MemoryError, struct.error),
)


def is_recording(path: Path) -> bool:
    """Return whether `path` is an HDF5 file."""
    return path.is_file() and bool(h5py.is_hdf5(path))


def require_file(path: Path) -> None:
    """Raise UsageError where there is no file at `path`."""
    if not path.is_file():
        raise UsageError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")


def show_closed(content: Changed, path: Path) -> Superblock:
    """Show a file, to whoever reads `content`, as one that is closed and whole; return what it really says.

    Raises OSError, and NotOurFileError.
    """
    before = Superblock.read(content, path)
    before.closed().ending_at(content.size).write(content)
    return before


def open_recording(path: Path) -> h5py.File:
    """Open one of our files to read, also while it grows or after a crash.

    HDF5's own way to read a file that grows waits for ever for one that is damaged; so the file is shown to
    it as one that is closed. Raises UsageError where there is none, NotOurFileError where it is something
    else, DamagedFileError where it cannot be read.
    """
    require_file(path)
    try:
        file = _open(path)
    except UsageError:
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path}: cannot be read: {error}") from None
    try:
        check_layout(file, path)
        _check_frames(file, path)
    except DAMAGE as error:
        file.close()
        if isinstance(error, NotOurFileError):
            raise
        raise DamagedFileError(f"{path}: cannot be read: {error}") from None
    return file


def _open(path: Path) -> h5py.File:
    if not h5py.is_hdf5(path):
        raise NotOurFileError(f"{path}: not an HDF5 file; expected a file that this recorder wrote")
    readable = Readable.of(path)
    with contextlib.ExitStack() as undo:
        undo.callback(readable.close)
        superblock = Superblock.read(readable.content, path)
        if readable.content.size < superblock.end:
            raise DamagedFileError(f"{path}: cut short; recorder recover keeps what can be read")
        if superblock.is_open:
            show_closed(readable.content, path)
            file = h5py.File(readable, "r")
            undo.pop_all()
            return file
    return h5py.File(path, "r")


def check_layout(file: h5py.File, path: Path) -> None:
    """Raise NotOurFileError where this recorder did not write the file, or a newer one did.

    Looks at what never changes after the file was made, and may therefore not be damaged by a power cut.
    """
    if RIG in file:
        files = ", ".join(bytes(row["file"]).decode(errors="replace") for row in file[RIG]["files"][:8])
        raise NotOurFileError(
            f"{path}: the file of a rig, without frames; name those of its cameras: {files}"
        )
    missing = [
        name for name in (f"{layout.DETECTOR}/data", "entry/losses", "entry/verdict") if name not in file
    ]
    if missing:
        raise NotOurFileError(f"{path}: has no {missing[0]}; expected a file that this recorder wrote")
    version = int(file["entry/definition_version"][()]) if "entry/definition_version" in file else 1
    if version > layout.LAYOUT_VERSION:
        raise NotOurFileError(
            f"{path}: written by a newer recorder (layout {version}, this one reads up to "
            f"{layout.LAYOUT_VERSION}); update this one"
        )


def _check_frames(file: h5py.File, path: Path) -> None:
    data = file[layout.DETECTOR]["data"]
    is_stack = isinstance(data, h5py.Dataset) and data.ndim == 3 and data.chunks is not None
    if not is_stack or data.dtype.kind != "u" or not 0 < _frame_bytes(data) <= MAX_FRAME_BYTES:
        raise NotOurFileError(f"{path}: {layout.DETECTOR}/data is no stack of frames of this recorder")
    if filters(data) not in ([], [BLOSC]):
        known = " and ".join(map(str, filters(data)))
        raise NotOurFileError(
            f"{path}: its frames are compressed by HDF5's filter {known}, and this recorder reads Blosc "
            f"({BLOSC}) alone; h5py may read them"
        )


def filters(data: h5py.Dataset) -> list[int]:
    """Return the numbers of the filters that HDF5 sends the dataset's chunks through."""
    plist = data.id.get_create_plist()
    return [int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters())]


def _frame_bytes(data: h5py.Dataset) -> int:
    return int(data.shape[1]) * int(data.shape[2]) * int(data.dtype.itemsize)
