"""NAME.rig.h5: the recordings of several cameras under one name, by external links; no pixel is in it.

/                  NXroot
/CAMERA            link to /entry of that camera's first file; /CAMERA_2 to that of its second one, ...
/rig               NXcollection: verdict, master, configuration (TOML), boot_id
/rig/files         table: camera, file (relative to this file, with /), link, in their order
/rig/cameras       table: camera, verdict, cause

Links are relative, so that the folder can be moved. Until the cameras' files are there, and after one is
removed, its link leads nowhere, which harms nothing.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from recorder import __version__
from recorder.errors import StorageError
from recorder.storage.atomic_file import new_file
from recorder.storage.boot_id import boot_id
from recorder.storage.direct_io import sync_folder
from recorder.storage.nexus import describe, fixed, make_group
from recorder.storage.records import TEXT, WORD, fitted
from recorder.storage.superblock import with_checksum

RIG_SUFFIX = ".rig.h5"

# The group of what is said of all cameras.
RIG = "rig"

FILES = np.dtype([("camera", WORD), ("file", TEXT), ("link", WORD)])
CAMERAS = np.dtype([("camera", WORD), ("verdict", WORD), ("cause", TEXT)])


@dataclass(frozen=True)
class RigContents:
    """What a rig's file says: the files of each camera, by its name, and how it ended, with the cause."""

    files: Mapping[str, Sequence[Path]]
    verdicts: Mapping[str, tuple[str, str]]
    verdict: str
    master: str
    configuration: str


def create(path: Path, what: RigContents) -> None:
    """Make a rig's file; blocks. Raises UsageError where it exists, StorageError where it cannot be made."""
    with new_file(path) as file:
        file.write(_image(path, what))


def update(path: Path, what: RigContents) -> None:
    """Have the file that `create` made say something else; blocks, raises StorageError.

    It is whole at every moment: the old one, or the new one.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            file.write(_image(path, what))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _image(path: Path, what: RigContents) -> bytes:
    """Return the bytes of the file."""
    with h5py.File(path.name, "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        describe(file, NX_class="NXroot", creator=f"recorder {__version__}", file_name=path.name)
        rows = []
        for camera, files in what.files.items():
            for number, one in enumerate(files, 1):
                link = camera if number == 1 else f"{camera}_{number}"
                place = _relative(one, path.parent)
                file[link] = h5py.ExternalLink(place, "/entry")
                rows.append(_packed(FILES, camera, place, link))
        if rows:
            describe(
                file, default=what.master or next(camera for camera, files in what.files.items() if files)
            )
        rig = make_group(file, RIG, "NXcollection")
        rig["verdict"], rig["master"] = fixed(what.verdict), fixed(what.master)
        rig["configuration"], rig["boot_id"] = fixed(what.configuration), fixed(boot_id())
        rig["files"] = np.array(rows, FILES)
        ends = [_packed(CAMERAS, camera, *end) for camera, end in what.verdicts.items()]
        rig["cameras"] = np.array(ends, CAMERAS)
        file.flush()
        # HDF5 1.14.2 changes the superblock of the image and not its checksum.
        return with_checksum(file.id.get_file_image())


def _packed(kind: np.dtype[np.void], *texts: str) -> tuple[bytes, ...]:
    return tuple(fitted(text, kind[i].itemsize) for i, text in enumerate(texts))


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return file.absolute().as_posix()
