"""Frames put into a file and read back from it, with and without the page cache."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorder.files import page_reader
from recorder.files.export import raw_frames
from recorder.files.export.raw_frames import PAGE, put_frames, read_frames
from recorder.storage import direct_io

FRAMES = np.arange(40 * 33 * 17, dtype=np.uint16).reshape(40, 33, 17)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_frames, "BLOCK_BYTES", 3 * PAGE)


@pytest.mark.parametrize("offset", [PAGE, 3 * PAGE + 10])
@pytest.mark.parametrize("takes_direct", [True, False])
def test_what_is_put_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, takes_direct: bool
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * offset)
    if not takes_direct:
        read, opened = direct_io.read_into, direct_io.open_to_read
        direct: set[int] = set()

        def open_to_read(path: Path, *, past_cache: bool = False) -> int:
            fd = opened(path)
            (direct.add if past_cache else direct.discard)(fd)
            return fd

        def read_into(fd: int, *given: Any) -> int:
            if fd in direct:
                raise OSError(errno.EINVAL, "Invalid argument")
            return read(fd, *given)

        monkeypatch.setattr(page_reader, "open_to_read", open_to_read)
        monkeypatch.setattr(page_reader, "read_into", read_into)
    put_frames(path, offset, [FRAMES[:7], FRAMES[7:8], FRAMES[8:]])
    found = [block.copy() for block in read_frames(path, offset, FRAMES.shape, FRAMES.dtype)]
    assert len(found) > 2
    assert np.array_equal(np.concatenate(found), FRAMES)


def test_of_a_file_that_is_cut_short_whole_frames_come(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 10 + FRAMES[:29].tobytes() + b"half")
    found = [block.copy() for block in read_frames(path, 10, FRAMES.shape, FRAMES.dtype)]
    assert np.array_equal(np.concatenate(found), FRAMES[:29])
