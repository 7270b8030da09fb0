"""What Blosc packs is unpacked as it was, and what is damaged does no harm."""

import subprocess
import sys

import numpy as np
import pytest

from recorder.errors import DamagedFileError
from recorder.frames.pool import PAGE
from recorder.storage.packed_chunk import is_size_possible, packed_bytes, unpack
from tests.unit.files.packed import packed_chunk
from tests.unit.storage.damaged_chunks import check

FRAMES = np.random.default_rng(0).poisson(1000, (2, 60, 100)).astype("<u2")


def test_what_is_packed_and_filled_up_is_unpacked_as_it_was() -> None:
    packed = packed_chunk(FRAMES)
    assert len(packed) % PAGE == 0
    size = packed_bytes(packed, FRAMES.nbytes)
    assert len(packed) - PAGE < size < len(packed)
    assert not any(packed[size:])
    for data in (packed, packed[:size], memoryview(packed)):
        out = bytearray(FRAMES.nbytes)
        unpack(data, memoryview(out))
        assert out == FRAMES.tobytes()


def test_sizes_that_cannot_be_are_told() -> None:
    assert [is_size_possible(size, 8000) for size in (0, 15, 16, 8000, 12_111, 12_112, 2**40)] == [
        *(False, False, True, True, True, False, False)
    ]


@pytest.mark.parametrize(
    ("at", "data"),
    [(4, b"\0"), (4, b"\xff\xff\xff\xff"), (12, bytes(4)), (12, b"\0\0\0\x01"), (0, bytes(24_000))],
)
def test_a_header_of_another_chunk_is_refused_before_anything_is_read(at: int, data: bytes) -> None:
    packed = bytearray(packed_chunk(FRAMES))
    packed[at : at + len(data)] = data
    for refused in (packed, packed[:15], packed[:0]):
        with pytest.raises(DamagedFileError, match="its first bytes are not those of one"):
            unpack(memoryview(refused), memoryview(bytearray(FRAMES.nbytes)))


def test_a_chunk_of_another_size_is_refused() -> None:
    for size in (FRAMES.nbytes - 2, FRAMES.nbytes + 2):
        with pytest.raises(DamagedFileError, match="its first bytes"):
            unpack(packed_chunk(FRAMES), memoryview(bytearray(size)))


def test_damaged_chunks_end_no_process() -> None:
    """A sample, in a process that may crash; more: python -m tests.unit.storage.damaged_chunks."""
    command = [sys.executable, "-m", "tests.unit.storage.damaged_chunks", "--chunks", "500"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    refused = int(done.stdout.split()[3])
    assert 100 < refused < 500
    assert check(0) == 0
