"""Recordings whose frames Blosc packs, made of others by h5py: what another program would write."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin
import imagecodecs
import numpy as np
from h5py import h5f, h5p
from numpy.typing import NDArray

from recorder.files.opening import open_recording
from recorder.frames.pool import PAGE
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import OnDisk, Readable
from recorder.storage.layout import DETECTOR
from recorder.storage.records import Verdict
from recorder.storage.superblock import Superblock

# Open for writing, and with SWMR.
OPEN_FLAGS = 0b101


def packed_chunk(frames: NDArray[np.uint16] | bytes, fill: bytes = b"\0") -> bytes:
    """Pack the frames of a chunk as filter 32001 does, and fill up to a whole page."""
    data = frames if isinstance(frames, bytes) else frames.tobytes()
    packed = imagecodecs.blosc_encode(data, level=1, compressor="lz4", typesize=2, shuffle="bitshuffle")
    return bytes(packed).ljust(-(-len(packed) // PAGE) * PAGE, fill)


def every_third(chunk: int) -> bool:
    return chunk % 3 == 1


def pack(path: Path, is_as_it_is: Callable[[int], bool] = every_third, *, packs_last: bool = False) -> None:
    """Have Blosc pack the frames of a closed file, but for the chunks that `is_as_it_is` is true of.

    A last chunk that is not full is stored as it is, too, unless `packs_last`.
    """
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_alignment(PAGE, PAGE)
    with h5py.File(h5f.open(str(path).encode(), h5f.ACC_RDWR, fapl=access)) as file:
        detector = file[DETECTOR]
        old = detector["data"]
        frames, per_chunk = old[:], old.chunks[0]
        scales = [old.dims[axis][0] if len(old.dims[axis]) else None for axis in range(3)]
        for axis, scale in enumerate(scales):
            if scale is not None:
                old.dims[axis].detach_scale(scale)
        kept = {
            name: old.attrs[name] for name in ("interpretation", "long_name", "units") if name in old.attrs
        }
        blosc = hdf5plugin.Blosc(cname="lz4", clevel=1, shuffle=hdf5plugin.Blosc.BITSHUFFLE)
        form = {"shape": frames.shape, "maxshape": old.maxshape, "chunks": old.chunks, "dtype": old.dtype}
        new = detector.create_dataset("packed", **form, **blosc)
        new.attrs.update(kept)
        for axis, scale in enumerate(scales):
            if scale is not None:
                new.dims[axis].attach_scale(scale)
        for chunk, begin in enumerate(range(0, len(frames), per_chunk)):
            part = frames[begin : begin + per_chunk]
            whole = np.zeros((per_chunk, *frames.shape[1:]), frames.dtype)
            whole[: len(part)] = part
            if is_as_it_is(chunk) or (len(part) < per_chunk and not packs_last):
                new.id.write_direct_chunk((begin, 0, 0), whole.tobytes(), 1)
            else:
                new.id.write_direct_chunk((begin, 0, 0), packed_chunk(whole), 0)
        # Only now, so that chunks stand in their order behind all others.
        del detector["data"], old
        detector.move("packed", "data")


def chunk_at(path: Path, chunk: int) -> tuple[int, int]:
    """Return address and size of a chunk in the file."""
    with open_recording(path) as file:
        data = file["data"]
        info = data.id.get_chunk_info_by_coord((chunk * data.chunks[0], 0, 0))
        return int(info.byte_offset), int(info.size)


def overwrite(path: Path, address: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(address)
        file.write(data)


def kill(path: Path, durable: int) -> None:
    """Have a closed file be one of a killed recorder, with `durable` frames on the disk for certain."""
    readable = Readable.of(path)
    with h5py.File(path) as file:
        places = FileAddresses.of(file, readable.content)
        rows = [len(file["entry"][name]) for name in places.tables]
    readable.close()
    with path.open("r+b") as raw:
        disk = OnDisk(raw.fileno())
        places.set_text(disk, "verdict", Verdict.RECORDING)
        places.set_text(disk, "cause", "")
        places.set_durable(disk, [durable, *rows])
        replace(Superblock.read(disk, path), flags=OPEN_FLAGS).write(disk)
