"""The structures of HDF5, as we read and write them, against the library's own."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, NotOurFileError
from recorder.storage.chunk_index import ChunkIndex
from recorder.storage.direct_io import open_again
from recorder.storage.file_addresses import GrowingDataset
from recorder.storage.file_bytes import OnDisk
from recorder.storage.object_header import UNDEFINED, ObjectHeader

PER_CHUNK = 2

# Where the index begins to grow another kind of block: none, index block, data blocks, super blocks, pages.
COUNTS = [0, 1, 4, 5, 20, 21, 36, 68, 69, 100, 250, 500, 1000, 5000, 20_000, 150_000]


def make(path: Path, chunks: int) -> int:
    """Write a file with a dataset of so many chunks; return its header's address."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        data = file.create_dataset("x", (0,), "u4", maxshape=(None,), chunks=(PER_CHUNK,))
        rows = chunks * PER_CHUNK
        data.resize((rows,))
        data[:] = np.arange(rows) + 1
    with h5py.File(path) as file:
        return int(file.id.links.get_info(b"x").u)


@contextmanager
def opened(path: Path) -> Iterator[OnDisk]:
    fd = open_again(path)
    try:
        yield OnDisk(fd)
    finally:
        os.close(fd)


def index_of(file: OnDisk, address: int) -> ChunkIndex:
    place = ObjectHeader.read(file, address).chunk_index
    return ChunkIndex.read(file, place.address, place.packed_from)


# Values in a chunk that may be packed; where they are noise the library stores it as it is.
PER_PACKED = 64


def values_to_pack(chunks: int) -> NDArray[np.uint32]:
    values = np.repeat(np.arange(chunks, dtype=np.uint32) + 1, PER_PACKED).reshape(chunks, PER_PACKED)
    noise = np.random.default_rng(0).integers(1, 2**32, (-(-chunks // 3), PER_PACKED), np.uint32)
    values[::3] = noise
    return values.reshape(-1)


def make_packed(path: Path, chunks: int, **filters: object) -> int:
    """Write a file with so many chunks, of which two in three are packed; return its header's address."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        form = {"shape": (0,), "dtype": "u4", "maxshape": (None,), "chunks": (PER_PACKED,)}
        data = file.create_dataset("x", **form, **(filters or hdf5plugin.Blosc("lz4", 1, 2)))
        data.resize((chunks * PER_PACKED,))
        data[:] = values_to_pack(chunks)
    with h5py.File(path) as file:
        return int(file.id.links.get_info(b"x").u)


@pytest.mark.parametrize("chunks", COUNTS[1:])
def test_the_index_is_read_and_written_as_the_library_does(tmp_path: Path, chunks: int) -> None:
    path = tmp_path / "x.h5"
    address = make(path, chunks)
    before = path.read_bytes()
    with h5py.File(path) as file:
        data = file["x"].id
        some = random.Random(chunks).sample(range(chunks), min(chunks, 50))
        library = {i: data.get_chunk_info_by_coord((i * PER_CHUNK,)).byte_offset for i in some}
    with opened(path) as file:
        index = index_of(file, address)
        assert len(index.addresses) == chunks
        assert {i: index.addresses[i] for i in some} == library
        index.keep(chunks)
        ObjectHeader.read(file, address).write(file)
    assert path.read_bytes() == before  # checksums, counts, page bits


@pytest.mark.parametrize("chunks", COUNTS[1:])
def test_a_shortened_dataset_is_read_and_extended_by_the_library(tmp_path: Path, chunks: int) -> None:
    path = tmp_path / "x.h5"
    random_ = random.Random(chunks)
    kept = random_.choice([c for c in COUNTS if c < chunks] + [random_.randrange(chunks)])
    address = make(path, chunks)
    with opened(path) as file:
        dataset = GrowingDataset.read(file, address)
        assert (dataset.rows, len(dataset.chunks)) == (chunks * PER_CHUNK, chunks)
        end = dataset.keep(file, kept * PER_CHUNK)
        assert end <= path.stat().st_size
    with h5py.File(path, "r+") as file:
        data = file["x"]
        assert data[:].tolist() == list(range(1, kept * PER_CHUNK + 1))
        assert data.id.get_num_chunks() == kept
        data.resize((chunks * PER_CHUNK,))
        assert not data[kept * PER_CHUNK :].any()
        data[:] = 7
    with h5py.File(path) as file:
        assert (file["x"][:] == 7).all()
        assert file["x"].id.get_num_chunks() == chunks


@pytest.mark.parametrize("chunks", [1, 4, 5, 20, 36, 69, 250, 1000, 5000, 150_000])
def test_an_index_of_packed_chunks_is_read_and_written_as_the_library_does(
    tmp_path: Path, chunks: int
) -> None:
    path = tmp_path / "x.h5"
    address = make_packed(path, chunks)
    before = path.read_bytes()
    with h5py.File(path) as file:
        data = file["x"].id
        some = random.Random(chunks).sample(range(chunks), min(chunks, 50))
        found = {i: data.get_chunk_info_by_coord((i * PER_PACKED,)) for i in some}
    with opened(path) as file:
        index = index_of(file, address)
        assert len(index.addresses) == len(index.packed) == chunks
        for i, info in found.items():
            assert info.filter_mask == (i % 3 == 0)
            assert (index.addresses[i], index.packed[i]) == (info.byte_offset, info.size * (i % 3 != 0))
        index.keep(chunks)
        ObjectHeader.read(file, address).write(file)
    assert path.read_bytes() == before


@pytest.mark.parametrize("chunks", [1, 5, 69, 1000, 5000])
def test_a_shortened_dataset_of_packed_chunks_is_read_and_extended_by_the_library(
    tmp_path: Path, chunks: int
) -> None:
    path = tmp_path / "x.h5"
    rows = random.Random(chunks).randrange(chunks * PER_PACKED)  # in the midst of a chunk
    address, values = make_packed(path, chunks), values_to_pack(chunks)
    with opened(path) as file:
        dataset = GrowingDataset.read(file, address)
        assert dataset.rows_within(path.stat().st_size) == dataset.rows == chunks * PER_PACKED
        last = dataset.read_rows(file, max(0, rows - 150), rows)
        assert np.array_equal(np.frombuffer(last, "<u4"), values[max(0, rows - 150) : rows])
        end = dataset.keep(file, rows)
        assert end == max((dataset.end_of(i) for i in range(-(-rows // PER_PACKED))), default=0)
    with h5py.File(path, "r+") as file:
        data = file["x"]
        assert np.array_equal(data[:], values[:rows])
        assert data.id.get_num_chunks() == -(-rows // PER_PACKED)
        data.resize((chunks * PER_PACKED,))
        data[rows:] = 7
    with h5py.File(path) as file:
        assert np.array_equal(file["x"][:rows], values[:rows])
        assert (file["x"][rows:] == 7).all()
        assert file["x"].id.get_num_chunks() == chunks


def test_rows_of_a_packed_chunk_are_within_a_file_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    address = make_packed(path, 6)
    with opened(path) as file:
        dataset = GrowingDataset.read(file, address)
        packed, as_it_is = dataset.end_of(4), dataset.end_of(3)
        assert [dataset.rows_within(size) for size in (packed, packed - 1)] == [5 * 64, 4 * 64]
        # Of four bytes each.
        assert [dataset.rows_within(as_it_is - i) for i in (0, 1, 4, 5)] == [4 * 64 - i for i in (0, 1, 1, 2)]


@pytest.mark.parametrize("where", ["size", "mask"])
def test_an_element_that_is_not_whole_ends_the_index(tmp_path: Path, where: str) -> None:
    """After a power cut: an element may stand across the edge of a sector."""
    path = tmp_path / "x.h5"
    address = make_packed(path, 200)
    content = path.read_bytes()
    with opened(path) as file:
        index = index_of(file, address)
        for chunk in (0, 3, 99, 150):
            element = content.index(index.addresses[chunk].to_bytes(8, "little"))
            at, size = (element + 8, 3) if where == "size" else (element + 11, 4)
            file.write(at, bytes(size))
            # Without its mask what is stored as it is could be packed: unpacking it will tell.
            is_possible = where == "mask"
            assert len(index_of(file, address).addresses) == (200 if is_possible else chunk)
            file.write(at, content[at : at + size])
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"compression": "gzip"}, "filter 1;"),
        ({"shuffle": True, **hdf5plugin.Blosc("lz4", 1, 2)}, "filter 2 and 1 more;"),
        ({**hdf5plugin.Blosc2("lz4", 1)}, "filter 32026;"),
    ],
    ids=["gzip", "two", "blosc2"],
)
def test_other_filters_are_refused(tmp_path: Path, filters: dict[str, object], named: str) -> None:
    path = tmp_path / "x.h5"
    address = make_packed(path, 3, **filters)
    with opened(path) as file, pytest.raises(DamagedFileError, match=named):
        GrowingDataset.read(file, address)


def test_a_block_half_written_loses_only_what_was_new(tmp_path: Path) -> None:
    """Of each 512 bytes that the last 300 chunks changed, those of before or of after are on the disk."""
    path = tmp_path / "x.h5"
    address = make(path, 1000)
    old = path.read_bytes()
    with h5py.File(path, "r+") as file:
        data = file["x"]
        data.resize((1300 * PER_CHUNK,))
        data[1000 * PER_CHUNK :] = 9
    new = path.read_bytes()
    assert len(new) > len(old)
    for seed in range(30):
        chance = random.Random(seed)
        mixed = bytearray(new)
        for at in range(0, len(new), 512):
            if chance.random() < 0.5:
                mixed[at : at + 512] = old[at : at + 512].ljust(len(new[at : at + 512]), b"\0")
        mixed[:512] = new[:512]  # the superblock has an owner of its own
        path.write_bytes(mixed)
        with opened(path) as file:
            header, index = ObjectHeader.read(file, address), index_of(file, address)
            kept = len(index.addresses)
            assert 1000 <= kept <= 1300
            index.keep(kept)
            header.set_length(1000 * PER_CHUNK)
            header.write(file)
        with h5py.File(path) as file:
            assert file["x"][:].tolist() == list(range(1, 1000 * PER_CHUNK + 1))


def test_a_header_with_a_wrong_checksum_is_refused_by_the_library_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    address = make(path, 10)
    with opened(path) as file:
        header = ObjectHeader.read(file, address)
        length_at = address + path.read_bytes()[address:].index((10 * PER_CHUNK).to_bytes(8, "little"))
        file.write(length_at, b"\xff\xff")
        with h5py.File(path) as hdf5, pytest.raises((KeyError, OSError), match="checksum"):
            _ = hdf5["x"]
        header = ObjectHeader.read(file, address)
        header.set_length(5)
        header.write(file)
    with h5py.File(path) as file:
        assert file["x"][:].tolist() == [1, 2, 3, 4, 5]


def test_values_in_one_place_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file["word"] = np.bytes_(b"recording")
        address, offset = file.id.links.get_info(b"word").u, file["word"].id.get_offset()
    with opened(path) as file:
        header = ObjectHeader.read(file, int(address))
        assert (header.shape, header.contiguous) == ((), (offset, 9))
        with pytest.raises(NotOurFileError, match="another kind"):
            _ = header.chunk_index


def test_what_is_no_structure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    address = make(path, 10)
    with opened(path) as file:
        for where in (0, 13, 10**9, UNDEFINED):
            with pytest.raises(NotOurFileError):
                ObjectHeader.read(file, where)
            with pytest.raises(NotOurFileError):
                ChunkIndex.read(file, where)
        place = ObjectHeader.read(file, address).chunk_index.address
        file.write(place + 4, b"\xff")
        assert file.read(place, 5) == b"EAHD\xff"
        with pytest.raises(NotOurFileError, match="no index"):
            ChunkIndex.read(file, place)
        with pytest.raises(NotOurFileError, match="less than"):
            file.write(place + 4, b"\0")
            index_of(file, address).keep(11)
