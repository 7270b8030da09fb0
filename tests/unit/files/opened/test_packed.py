"""Recordings whose frames are packed are read as others are."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import CameraError, DamagedFileError
from recorder.files.opened.contents import read_contents
from recorder.files.opened.frames import Frames
from recorder.files.opened.recording import OpenedRecording, open_files
from recorder.files.opened.unpacked_chunks import UnpackedChunks
from recorder.files.probe import Probe, probing
from recorder.files.recorded_source import RecordedSource
from tests.unit.files.opened.recordings import FORM, INTERVAL_S, PER_CHUNK, Written
from tests.unit.files.packed import chunk_at, overwrite, pack

# Chunks of a file: some packed, some as they are, the last one not full.
FRAMES = 7 * PER_CHUNK + 3


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, Path())
        yield one


def write(path: Path, *, packs_last: bool = False) -> NDArray[Any]:
    """Make a packed file of frames with marks; return its frames."""
    file = Written(path, levels=16)
    for _ in range(7):
        file.write()
    file.write(3)
    file.mark(5, "trial1")
    file.mark(21, "trial2")
    file.close()
    pack(path, packs_last=packs_last)
    return file.frames


@dataclass
class Opened:
    recording: OpenedRecording
    frames: NDArray[Any]


@pytest.fixture(scope="module", params=[False, True], ids=["last as it is", "last packed"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, probe: Probe
) -> Iterator[Opened]:
    path = tmp_path_factory.mktemp("packed") / "x.h5"
    frames = write(path, packs_last=request.param)
    with open_files([path], probe) as recording:
        # Files are opened as they are read.
        assert len(recording.frames[[0]]) == 1
        yield Opened(recording, frames)


KEYS: list[Any] = [
    np.s_[:],
    0,
    -1,
    np.s_[3:26],
    np.s_[::-1],
    np.s_[2:30:5],
    [0, 30, 4, 4, 5],
    np.s_[:, 3:9],
    np.s_[5:7, :, 2:30:3],
    np.s_[1, 7],
    np.s_[..., 3],
    np.s_[4:8],
    np.s_[30:31],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_frames_are_indexed_as_those_of_other_files(opened: Opened, key: Any) -> None:
    assert np.array_equal(opened.recording.frames[key], opened.frames[key])


def test_blocks_traces_and_clips_are_those_of_the_frames(opened: Opened) -> None:
    recording, frames = opened.recording, opened.frames
    for size in (1, 3, 5):  # in frames: across the edges of chunks
        blocks = [block.copy() for _, block in recording.frames.blocks(block_bytes=size * FORM.nbytes)]
        assert np.array_equal(np.concatenate(blocks), frames)
    assert recording.trace((2, 3, 10, 6)) == pytest.approx(frames[:, 3:9, 2:12].mean(axis=(1, 2)))
    clips = recording.clips("trial*", before=0.02, after=0.03)
    assert np.array_equal(clips[1], frames[19:25])
    assert INTERVAL_S == 0.01
    assert np.array_equal(np.asarray(recording.frames), frames)


def test_tasks_of_dask_read_them(opened: Opened) -> None:
    pytest.importorskip("dask")
    lazy = opened.recording.dask(block_bytes=1)
    assert lazy.chunks[0] == (PER_CHUNK,) * 7 + (3,)
    assert np.array_equal(lazy[2:30].compute(scheduler="synchronous"), opened.frames[2:30])


def test_many_threads_read_at_the_same_time(opened: Opened) -> None:
    chance = np.random.default_rng(0)
    order = chance.integers(0, FRAMES, 400)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: opened.recording.frames[int(i)], order))
    assert all(np.array_equal(frame, opened.frames[i]) for frame, i in zip(found, order, strict=True))


def test_how_well_it_is_packed_is_known(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    file = Written(path, keep=False, levels=16)
    file.write()
    file.close()
    with open_files([path], probe) as recording:
        assert recording.compression == 1
    pack(path, lambda _: False)
    with open_files([path], probe) as recording:
        stored = chunk_at(path, 0)[1]
        assert recording.compression == pytest.approx(recording.frames.nbytes / stored)


def test_playback_gives_each_frame_and_says_which_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    frames = write(path)
    address, _ = chunk_at(path, 2)
    overwrite(path, address, b"damaged")
    source = RecordedSource(path)
    try:
        assert source.count == len(frames)
        slot = np.zeros((FORM.height, FORM.width), FORM.dtype)
        for i in [0, 1, 5, 30, 12, 3]:
            assert source.read(i, slot) > 0
            assert np.array_equal(slot, frames[i])
        with pytest.raises(
            CameraError, match=r"frame 9 cannot be read: .* frames 8 to 11 cannot be read: a pa"
        ):
            source.read(9, slot)
    finally:
        source.close()


def test_what_came_later_is_read_as_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    frames = write(path)
    whole = read_contents(path)
    for known in (0, 3, 4, 9, 16, 31):
        early = read_contents(path)
        pixels = early.pixels
        chunks = -(-known // PER_CHUNK)
        object.__setattr__(pixels, "frames", known)
        object.__setattr__(pixels, "addresses", pixels.addresses[:chunks])
        object.__setattr__(pixels, "packed", pixels.packed[:chunks])
        for name, values in early.columns.items():
            early.columns[name] = values[:known]
        later = early.followed_by(read_contents(path, since=known))
        assert later.pixels.packed.tolist() == whole.pixels.packed.tolist()
        with Frames([later.pixels]) as found:
            assert np.array_equal(found[:], frames)


@pytest.mark.parametrize(
    ("at", "data"),
    [
        (0, b"\x05"),  # a version that there is not
        (4, b"\0\0\0\0"),  # unpacked into nothing
        (4, b"\xff\xff\xff\x7f"),  # into 2 GB
        (12, b"\xff\xff\xff\x7f"),  # from 2 GB
        (16, b"\xff\xff\xff\x7f"),  # its first block is far behind its end
    ],
)
def test_a_damaged_chunk_is_refused_and_others_are_read(
    tmp_path: Path, probe: Probe, at: int, data: bytes
) -> None:
    path = tmp_path / "x.h5"
    frames = write(path)
    address, _ = chunk_at(path, 0)
    overwrite(path, address + at, data)
    with open_files([path], probe) as recording:
        for _ in range(2):
            with pytest.raises(
                DamagedFileError, match=r"x\.h5: frames 0 to 3 cannot be read: a packed chunk"
            ):
                _ = recording.frames[2]
        assert np.array_equal(recording.frames[4:], frames[4:])


def test_chunks_in_memory_are_bounded_and_unpacked_once() -> None:
    chunks, made = UnpackedChunks(limit_bytes=100), []

    def make(key: int) -> NDArray[Any]:
        made.append(key)
        return np.full(5, key)

    for key in (1, 2, 1, 3, 1, 2):
        assert chunks.get(key, 50, lambda key=key: make(key))[0] == key  # type: ignore[misc]
    assert made == [1, 2, 3, 2]
    for key in (7, 7, 8):  # one larger than the bound
        chunks.get(key, 1000, lambda key=key: make(key))  # type: ignore[misc]
    assert made == [1, 2, 3, 2, 7, 8]


def test_who_wants_a_chunk_that_is_being_unpacked_waits_for_it() -> None:
    chunks, made = UnpackedChunks(), []
    began, may_end = threading.Event(), threading.Event()

    def make() -> NDArray[Any]:
        made.append(1)
        began.set()
        assert may_end.wait(30)
        return np.arange(3)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(chunks.get, 0, 10, make)
        assert began.wait(30)
        second = pool.submit(chunks.get, 0, 10, make)
        may_end.set()
        assert first.result() is second.result()
    assert made == [1]


def test_a_chunk_that_could_not_be_unpacked_is_asked_for_again() -> None:
    chunks, calls = UnpackedChunks(), iter([DamagedFileError("damaged"), None])

    def make() -> NDArray[Any]:
        error = next(calls)
        if error is not None:
            raise error
        return np.arange(3)

    with pytest.raises(DamagedFileError):
        chunks.get(0, 10, make)
    assert chunks.get(0, 10, make).tolist() == [0, 1, 2]
