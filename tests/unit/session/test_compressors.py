"""Blocks that are packed on their way to the writer: in order, each with its frames, and none in danger."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import crc32c
import h5py
import hdf5plugin  # noqa: F401 - the filter, with which others read packed frames
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.frames.channel import ChannelClosedError
from recorder.frames.pool import PAGE, Block, FrameFormat, FrameSpan, Pool
from recorder.session import compressors
from recorder.session.compressors import PackingChannel
from recorder.storage import hdf5_writer, layout
from recorder.storage.dry_run import DryRun
from recorder.storage.frame_file import FrameFile
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel
from recorder.storage.packed_chunk import pack, unpack
from recorder.storage.packed_span import PackedSpan
from recorder.storage.recording import Recording
from recorder.storage.records import Verdict
from tests.conftest import SMALL, fill, take

LARGE = FrameFormat(128, 256, np.dtype(np.uint16))
K = 4


@asynccontextmanager
async def packing(
    count: int = 2, form: FrameFormat = SMALL, file: FrameFile | None = None
) -> AsyncIterator[Any]:
    """A channel that packs for every file but number 1, which is a dry run."""
    size = -(-K * form.nbytes // PAGE) * PAGE
    packed = file or SimpleNamespace(packs=True, ladder=None, compute=lambda *_: ())
    files: dict[int, Any] = {0: packed, 1: DryRun()}
    channel = PackingChannel("writer", files.__getitem__, count, size, moves_values=packed.ladder is not None)
    try:
        yield channel
    finally:
        channel.discard()
        channel.end()


def offer(channel: PackingChannel, pool: Pool, first: int, *, file_index: int = 0) -> None:
    with fill(take(pool), 0, K, first) as span:
        span.file_index = file_index
        channel.offer(span)


async def all_of(channel: PackingChannel, count: int) -> list[FrameSpan | PackedSpan]:
    found: list[FrameSpan | PackedSpan] = []
    while len(found) < count:
        found += await channel.receive()
    return found


def pixels_of(span: FrameSpan | PackedSpan, form: FrameFormat = SMALL) -> NDArray[Any]:
    if isinstance(span, FrameSpan):
        return span.pixels.copy()
    out = np.empty((len(span), form.height, form.width), form.dtype)
    unpack(span.data, out.reshape(-1).view(np.uint8).data)
    return out


@contextmanager
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Have packing tell that it has begun, and wait until it may go on."""
    begun, goes_on = threading.Event(), threading.Event()

    def waits(pixels: NDArray[Any], out: memoryview) -> int:
        begun.set()
        goes_on.wait()
        return pack(pixels, out)

    monkeypatch.setattr(compressors, "pack", waits)
    try:
        yield begun, goes_on
    finally:
        goes_on.set()


async def test_blocks_come_packed_and_in_order_and_are_free_again() -> None:
    pool = Pool(SMALL, K, 100 * K * SMALL.nbytes)
    async with packing(3) as channel:
        for i in range(40):
            offer(channel, pool, 1 + K * i)
        found: list[int] = []
        while len(found) < 40:
            for span in await channel.receive():
                with span:
                    assert isinstance(span, PackedSpan)
                    assert len(span.data) % PAGE == 0
                    assert len(span.data) < K * SMALL.nbytes
                    numbers = span.metadata["frame_number"]
                    assert (pixels_of(span) == numbers.astype(np.uint16)[:, None, None]).all()
                    found.append(int(numbers[0]))
        assert found == [1 + K * i for i in range(40)]
        assert pool.leases() == 0
        channel.close()
        with pytest.raises(ChannelClosedError):
            await channel.receive()


async def test_parts_of_blocks_and_other_files_pass_as_they_are() -> None:
    pool = Pool(SMALL, K, 8 * K * SMALL.nbytes)
    async with packing() as channel:
        block = take(pool)
        with fill(block, 0, 1, 1) as span:
            channel.offer(span)
        with fill(block, 1, K, 2) as span:
            channel.offer(span)
        offer(channel, pool, 5)
        offer(channel, pool, 9, file_index=1)
        found = await all_of(channel, 4)
        assert [type(span) for span in found] == [FrameSpan, FrameSpan, PackedSpan, FrameSpan]
        assert [int(span.metadata["frame_number"][0]) for span in found] == [1, 2, 5, 9]
        for each in found:
            each.release()
    assert pool.leases() == 0


async def test_noise_that_cannot_be_packed_is_left_as_it_is() -> None:
    pool = Pool(SMALL, K, 8 * K * SMALL.nbytes)
    rng = np.random.default_rng(0)
    async with packing() as channel:
        span = fill(take(pool), 0, K, 1)
        span.pixels[:] = rng.integers(0, 65536, span.pixels.shape)
        with span:
            channel.offer(span)
        (found,) = await all_of(channel, 1)
        with found:
            assert isinstance(found, FrameSpan)


async def test_a_disk_that_is_busy_gets_packed_blocks_however_full_the_pool_is() -> None:
    pool = Pool(SMALL, K, 8 * K * SMALL.nbytes)
    async with packing(1) as channel:
        offer(channel, pool, 1)
        offer(channel, pool, 5)
        while not all(work.result for work in channel._works):
            await asyncio.sleep(0.001)
        others = [take(pool) for _ in range(6)]
        # Two are ready and not written: the third is packed though the pool is nearly full.
        offer(channel, pool, 9)
        for block in others:
            fill(block, 0, K, 50).release()
        found = await all_of(channel, 3)
        assert all(isinstance(span, PackedSpan) for span in found)
        for span in found:
            span.release()


async def test_a_disk_that_is_quicker_than_compressors_never_waits_for_one_that_has_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool(SMALL, K, 16 * K * SMALL.nbytes)
    async with packing(1) as channel:
        with held_up(monkeypatch) as (begun, goes_on):
            for i in range(10):
                offer(channel, pool, 1 + K * i)
                begun.wait()
            waiting = asyncio.ensure_future(channel.receive())
            await asyncio.sleep(0.02)
            # In order: the first is being packed.
            assert not waiting.done()
            # It takes long, and the disk hardly any time: the rest is left to that.
            channel._compressors._pack_s, channel._compressors._write_s = 100.0, 0.001
            goes_on.set()
            found = await waiting
            while len(found) < 10:
                for span in found:
                    span.release()
                found += await channel.receive()
            for span in found:
                span.release()
            # There is room again.
            offer(channel, pool, 100)
            (last,) = await channel.receive()
            last.release()
    assert [int(span.metadata["frame_number"][0]) for span in found] == [1 + K * i for i in range(10)]
    assert isinstance(found[0], PackedSpan)
    # 10 of 16 blocks are taken, and until 4 are frames are in danger.
    assert all(isinstance(span, FrameSpan) for span in found[1:6])
    assert isinstance(last, PackedSpan)
    assert pool.leases() == 0


async def test_blocks_go_as_they_are_where_buffers_wait_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(SMALL, K, 40 * K * SMALL.nbytes)
    async with packing(1) as channel:
        channel._compressors._free.clear()
        offer(channel, pool, 1)
        async with asyncio.timeout(5):
            (found,) = await channel.receive()
        with found:
            assert isinstance(found, FrameSpan)


async def test_what_is_given_up_gives_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(SMALL, K, 20 * K * SMALL.nbytes)
    async with packing(1) as channel:
        with held_up(monkeypatch) as (begun, _):
            for i in range(5):
                offer(channel, pool, 1 + K * i)
            begun.wait()
            channel.discard()
    assert pool.leases() == 0


async def test_a_library_that_fails_costs_no_frame(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> int:
        raise RuntimeError("no such codec")

    monkeypatch.setattr(compressors, "pack", fails)
    pool = Pool(SMALL, K, 16 * K * SMALL.nbytes)
    async with packing(1) as channel:
        for i in range(6):
            offer(channel, pool, 1 + K * i)
        for span in await all_of(channel, 6):
            with span:
                assert isinstance(span, FrameSpan)
                assert (
                    pixels_of(span) == span.metadata["frame_number"].astype(np.uint16)[:, None, None]
                ).all()
    assert [record.message for record in caplog.records] == [
        "compression: RuntimeError('no such codec'); frames are stored as they are from now on"
    ]


# The file.


def describe(form: FrameFormat, **more: Any) -> layout.FileDescription:
    return layout.FileDescription(
        title="packed", format=form, frames_per_chunk=K, detector={}, configuration="", is_packed=True, **more
    )


def pattern(block: Block, first: int) -> FrameSpan:
    """A block of frames that are neither noise nor flat."""
    span = fill(block, 0, K, first)
    rng = np.random.default_rng(first)
    span.pixels[:] = rng.poisson(300, span.pixels.shape) + first
    return span


async def written(
    path: Path, form: FrameFormat, what: layout.FileDescription, mode: Any = "auto"
) -> NDArray[Any]:
    """Write packed blocks, blocks as they are, and a last one in parts; return the frames."""
    frames: list[NDArray[Any]] = []
    pool = Pool(form, K, 100 * K * form.nbytes)
    recording = Recording(path, what, mode)

    async def write(channel: PackingChannel, count: int) -> None:
        while count:
            for span in await channel.receive():
                with span:
                    recording.append([span])
                count -= 1

    async with packing(2, form, recording) as channel:
        for i in range(60):
            with pattern(take(pool), 1 + K * i) as span:
                frames.append(span.pixels.copy())
                span.file_index = int(i % 3 == 1)  # which is not packed
                channel.offer(span)
        await write(channel, 60)
        block = take(pool)
        for start, stop in ((0, 1), (1, 3)):
            with fill(block, start, stop, 241 + start) as span:
                frames.append(span.pixels.copy())
                channel.offer(span)
                await write(channel, 1)
            recording.commit()
    recording.finish()
    recording.close(Verdict("complete"), "")
    recording.sync()
    assert pool.leases() == 0
    return np.concatenate(frames)


@pytest.mark.parametrize("mode", ["auto", "buffered"])
@pytest.mark.parametrize(
    "form",
    [LARGE, FrameFormat(33, 65, np.dtype(np.uint16)), FrameFormat(64, 64, np.dtype(np.uint8))],
    ids=["pages", "odd", "8 bits"],
)
async def test_other_programs_read_what_was_packed_and_what_was_not(
    tmp_path: Path, form: FrameFormat, mode: str
) -> None:
    path = tmp_path / "x.h5"
    frames = await written(path, form, describe(form), mode)
    with h5py.File(path) as file:
        data = file["data"]
        assert np.array_equal(data[:], frames)
        masks = [data.id.get_chunk_info(i).filter_mask for i in range(data.id.get_num_chunks())]
        sizes = [data.id.get_chunk_info(i).size for i in range(data.id.get_num_chunks())]
        chunk = K * form.nbytes
        assert masks[:60] == [int(i % 3 == 1 or sizes[i] == chunk) for i in range(60)]
        assert masks[60] == 1
        assert all(
            size == chunk if mask else size % PAGE == 0 for size, mask in zip(sizes, masks, strict=True)
        )
        assert file["entry/definition_version"][()] == 4


async def test_checksums_and_means_are_those_of_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    what = describe(LARGE, checksums=True, regions={"eye": (10, 20, 90, 100)})
    frames = await written(path, LARGE, what)
    with h5py.File(path) as file:
        assert file[layout.DETECTOR]["checksum"][:].tolist() == [crc32c.crc32c(frame) for frame in frames]
        means = file["entry/regions/eye/mean"][:]
        assert means.tolist() == [frame[20:100, 10:90].mean() for frame in frames]


# Values that are moved.

LADDER = NoiseLadder(NoiseModel(0.5, 2, 100), 1)


def on_levels(frames: NDArray[Any]) -> NDArray[Any]:
    """Return frames as they are stored where their block was packed; their timestamps stay."""
    moved: NDArray[Any] = LADDER.table[frames]
    moved[:, 0, : timestamp.PIXELS] = frames[:, 0, : timestamp.PIXELS]
    return moved


async def test_values_are_moved_in_packed_blocks_and_all_that_is_said_of_them_is_true(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    box = (10, 20, 90, 100)
    what = describe(LARGE, checksums=True, regions={"eye": box}, ladder=LADDER)
    frames = await written(path, LARGE, what)
    with h5py.File(path) as file:
        data, detector = file["data"], file[layout.DETECTOR]
        stored = data[:]
        masks = [data.id.get_chunk_info(i).filter_mask for i in range(data.id.get_num_chunks())]
        assert masks.count(0) > 30
        assert masks.count(1) > 20
        for chunk, mask in enumerate(masks):
            part = slice(K * chunk, K * chunk + K)
            assert (stored[part] == (frames[part] if mask else on_levels(frames[part]))).all()
        assert (stored != frames).any()
        assert np.abs(stored - frames.astype(int)).max() <= detector["lossy_largest_error"][()]
        # Of the pixels in the file, so that whoever reads it finds the same.
        assert detector["checksum"][:].tolist() == [crc32c.crc32c(frame) for frame in stored]
        assert file["entry/regions/eye/mean"][:].tolist() == [f[20:100, 10:90].mean() for f in stored]
        said = {name: detector[name][()] for name in LADDER.details()}
        assert said == LADDER.details() | {"lossy_method": b"shot-noise"}
        assert detector["lossy_largest_error"].attrs["units"] == b"counts"


async def test_others_who_hold_the_block_see_its_exact_pixels() -> None:
    pool = Pool(LARGE, K, 8 * K * LARGE.nbytes)
    file: Any = SimpleNamespace(packs=True, ladder=LADDER, compute=lambda *_: ())
    async with packing(1, LARGE, file) as channel:
        for first in (1, 300):
            with pattern(take(pool), first) as span, span.share("preview") as preview:
                exact = span.pixels.copy()
                channel.offer(span)
                (found,) = await all_of(channel, 1)
                with found:
                    assert (pixels_of(found, LARGE) == on_levels(exact)).all()
                assert (preview.pixels == exact).all()
    assert pool.leases() == 0


async def test_a_file_without_a_ladder_gets_exact_pixels_from_the_same_threads() -> None:
    pool = Pool(LARGE, K, 8 * K * LARGE.nbytes)
    file: Any = SimpleNamespace(packs=True, ladder=LADDER, compute=lambda *_: ())
    async with packing(1, LARGE, file) as channel:
        file.ladder = None
        with pattern(take(pool), 1) as span:
            exact = span.pixels.copy()
            channel.offer(span)
        (found,) = await all_of(channel, 1)
        with found:
            assert (pixels_of(found, LARGE) == exact).all()


@pytest.mark.skipif(sys.platform == "win32", reason="no direct writes there")
@pytest.mark.parametrize("refused", [{1}, {2}, {1, 2, 3, 4, 5, 6, 7, 8}], ids=["first", "second", "all"])
async def test_a_disk_that_takes_no_direct_writes_of_the_library_gets_buffered_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: set[int]
) -> None:
    """The library must not take a chunk that it could not write for one that is there."""
    tried: list[int] = []

    @contextmanager
    def refuses(fd: int) -> Iterator[None]:
        tried.append(fd)
        if len(tried) not in refused:
            yield
            return
        kept, nowhere = os.dup(fd), os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, fd, inheritable=False)
        try:
            yield
        finally:
            os.dup2(kept, fd, inheritable=False)
            os.close(kept)
            os.close(nowhere)

    monkeypatch.setattr(hdf5_writer, "past_page_cache", refuses)
    path = tmp_path / "x.h5"
    frames = await written(path, LARGE, describe(LARGE))
    assert len(tried) > 2
    with h5py.File(path) as file:
        assert np.array_equal(file["data"][:], frames)
