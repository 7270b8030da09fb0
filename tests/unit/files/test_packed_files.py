"""What `verify`, `recover`, `info` and other programs make of recordings whose frames are packed."""

import os
import random
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, NotOurFileError, StorageError
from recorder.files.opening import open_recording
from recorder.files.presence import _is_packed_whole
from recorder.files.probe import Probe, probing
from recorder.files.reader import describe
from recorder.files.recover import CUT_SHORT, recover
from recorder.files.verify import verify
from recorder.frames.pool import PAGE
from recorder.storage.file_addresses import FileAddresses, GrowingDataset
from recorder.storage.file_bytes import OnDisk
from recorder.storage.layout import DETECTOR
from recorder.storage.packed_chunk import packed_bytes
from recorder.storage.records import Verdict
from tests.conftest import need
from tests.unit.files.opened.recordings import FORM, PER_CHUNK, Written
from tests.unit.files.packed import chunk_at, every_third, kill, overwrite, pack, packed_chunk

FRAMES = 9 * PER_CHUNK + 2


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.files.recover.STILL_S", 0)


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, Path())
        yield one


def write(
    path: Path,
    is_as_it_is: Callable[[int], bool] = every_third,
    *,
    checksums: bool = False,
    packs_last: bool = False,
) -> NDArray[Any]:
    """Make a closed file of packed chunks, those stored as they are, and a last one that is not full."""
    file = Written(path, checksums=checksums, levels=16)
    for _ in range(9):
        file.write()
    file.write(2)
    file.mark(30, "late")
    file.close()
    pack(path, is_as_it_is, packs_last=packs_last)
    return file.frames


def problems(path: Path, probe: Probe) -> list[str]:
    calls: list[tuple[int, int]] = []
    found = verify(path, probe, lambda done, size: calls.append((done, size)))
    return [f"{problem.check}: {problem.text}" for problem in found.problems]


@pytest.mark.parametrize("packs_last", [False, True])
def test_a_sound_file_is_verified(tmp_path: Path, probe: Probe, packs_last: bool) -> None:
    path = tmp_path / "x.h5"
    frames = write(path, checksums=True, packs_last=packs_last)
    calls: list[tuple[int, int]] = []
    found = verify(path, probe, lambda done, size: calls.append((done, size)))
    assert (found.problems, found.frames, found.summed) == ((), FRAMES, FRAMES)
    assert calls[-1] == (frames.nbytes, frames.nbytes)


def test_damaged_chunks_are_found_and_named(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    write(path)
    for chunk in (2, 5):
        address, _ = chunk_at(path, chunk)
        overwrite(path, address + 16, b"\xff\xff\xff\x7f")
    assert [text.partition(": a packed")[0] for text in problems(path, probe)] == [
        "pixels: frames 8 to 11 cannot be read",
        "pixels: frames 20 to 23 cannot be read",
    ]


def test_a_sector_of_zeros_in_a_packed_chunk_is_found_by_checksums(tmp_path: Path, probe: Probe) -> None:
    """LZ4 unpacks zeros to something."""
    path = tmp_path / "x.h5"
    write(path, checksums=True)
    address, _ = chunk_at(path, 3)
    overwrite(path, address + 512, bytes(512))
    said = problems(path, probe)
    assert said
    assert all(text.startswith(("pixels: the pixels of frame 1", "pixels: frames 12 to 15")) for text in said)


def test_a_file_cut_short_is_found(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    frames = write(path)
    address, size = chunk_at(path, 8)
    content = path.read_bytes()
    for kept, there in ((address + size, 36), (address + size - 1, 32), (address + 100, 32)):
        path.write_bytes(content[:kept])
        with pytest.raises(DamagedFileError, match="cut short"):
            describe(path)
        done = recover(path, probe)
        assert (done.frames, done.removed) == (there, FRAMES - there)
        with h5py.File(path) as file:
            assert np.array_equal(file["data"][:], frames[:there])
            assert file["entry/cause"][()].decode() == CUT_SHORT.format(FRAMES - there)
        assert problems(path, probe)[0].startswith("closed: the recording failed: this file was cut short")


@pytest.mark.parametrize("packs_last", [False, True])
def test_every_frame_of_a_killed_recorder_is_kept(tmp_path: Path, probe: Probe, packs_last: bool) -> None:
    path = tmp_path / "x.h5"
    frames = write(path, packs_last=packs_last)
    kill(path, 12)
    assert describe(path).verdict == Verdict.RECORDING
    assert recover(path, probe).removed == 0
    with h5py.File(path) as file:
        assert np.array_equal(file["data"][:], frames)
        assert file["entry/marks"]["frame"].tolist() == [30]
    assert recover(path, probe).removed is None


def _sector(path: Path, chunk: int, number: int) -> None:
    address, _ = chunk_at(path, chunk)
    overwrite(path, address + 512 * number, bytes(512))


def _bytes(path: Path, chunk: int, at: int, data: bytes) -> None:
    address, _ = chunk_at(path, chunk)
    overwrite(path, address + at, data)


CUTS: dict[str, tuple[Callable[[Path], None], int, int]] = {
    # What is done to the file, how many frames are left without checksums, and with them.
    "nothing": (lambda _path: None, FRAMES, FRAMES),
    "no header": (lambda path: _sector(path, 5, 0), 20, 20),
    "a sector": (lambda path: _sector(path, 5, 3), 20, 20),
    "all of it": (lambda path: _bytes(path, 5, 0, bytes(4096)), 20, 20),
    "another header": (lambda path: _bytes(path, 6, 4, b"\1\2\3"), 24, 24),
    "longer than stored": (lambda path: _bytes(path, 6, 12, b"\0\x20"), 24, 24),
    "a frame as it is": (lambda path: _bytes(path, 4, 1920, bytes(1920)), 17, 17),
    "durable": (lambda path: _sector(path, 2, 0), FRAMES, FRAMES),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("durable", [12, 14])
def test_after_a_power_cut_a_packed_chunk_is_kept_whole_or_not(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch, cut: str, checksums: bool, durable: int
) -> None:
    path = tmp_path / "x.h5"
    change, *left = CUTS[cut]
    frames = write(path, checksums=checksums)
    kill(path, durable)
    change(path)
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    done = recover(path, probe)
    there = left[checksums]
    assert (done.frames, done.removed) == (there, FRAMES - there)
    with h5py.File(path) as file:
        assert len(file["data"]) == there
        for first in range(0, there, PER_CHUNK):
            if cut != "durable" or first != 8:
                assert np.array_equal(file["data"][first : first + 4], frames[first : min(first + 4, there)])
        assert file["entry/marks"]["frame"].tolist() == [30 if there > 30 else -1]
        assert file["entry/verdict"][()] == b"failed"


@pytest.mark.parametrize("checksums", [False, True])
def test_whatever_a_power_cut_leaves_no_wrong_frame_is_kept_and_no_durable_one_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checksums: bool
) -> None:
    """Of each piece of the disk that changed since the last sync, what was or what came is there."""
    path = tmp_path / "x.h5"
    file = Written(path, checksums=checksums, levels=16)
    for _ in range(60):
        file.write()
    file.close()
    pack(path)
    durable = 40 * PER_CHUNK
    kill(path, durable)
    new, old = path.read_bytes(), before(path, durable)
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    kept = set()
    for seed in range(25):
        chance = random.Random(seed)
        size, share = chance.choice([512, 4096]), chance.choice([0.5, 0.9, 0.99])
        mixed = bytearray(old)
        for at in range(512, len(new), size):  # the superblock has an owner of its own
            if chance.random() < share:
                mixed[at : at + size] = new[at : at + size]
        path.write_bytes(mixed)
        frames = recover(path).frames
        kept.add(frames)
        assert durable <= frames
        with h5py.File(path) as recovered:
            assert np.array_equal(recovered["data"][:], file.frames[:frames])
    assert len(kept) > 3


def before(path: Path, durable: int) -> bytes:
    """Return what was on the disk of a file when it had `durable` frames: of its later chunks, zeros."""
    copy = path.with_suffix(".old")
    shutil.copy(path, copy)
    with copy.open("r+b") as raw, open_recording(path) as file:
        disk = OnDisk(raw.fileno())
        places = FileAddresses.of(file, disk)
        pixels = GrowingDataset.read(disk, places.pixels)
        for chunk in range(durable // PER_CHUNK, len(pixels.chunks)):
            disk.write(pixels.chunks[chunk], bytes(pixels.end_of(chunk) - pixels.chunks[chunk]))
        pixels.keep(disk, durable)
        for address in places.columns.values():
            column = GrowingDataset.read(disk, address)
            column.keep(disk, durable)
            rest = column.rows_per_chunk - durable
            disk.write(column.chunks[0] + durable * column.row_bytes, bytes(rest * column.row_bytes))
    return copy.read_bytes()


def test_after_a_power_cut_before_the_first_sync(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    for chunk, there in ((0, 0), (1, 4), (3, 12)):
        path = tmp_path / f"{chunk}.h5"
        write(path)
        kill(path, 0)
        _bytes(path, chunk, 0, bytes(4096))
        assert recover(path, probe).frames == there
        assert describe(path).frames == there


@pytest.mark.parametrize(("fill", "is_told_whole"), [(b"\xff", True), (b"\0", False)])
def test_zeros_at_the_end_of_a_chunk_are_told_from_lost_ones_by_what_follows(
    tmp_path: Path, fill: bytes, is_told_whole: bool
) -> None:
    """LZ4 ends with 5 bytes as they are, often zeros: where they begin a sector, it may have been lost."""
    dark = np.zeros(PER_CHUNK * FORM.height * FORM.width, "<u2")
    for size in range(500, len(dark)):
        dark[:size] = np.arange(size) % 251 * 257
        packed = packed_chunk(dark.tobytes(), fill)
        end = packed_bytes(packed, dark.nbytes)
        if 0 < end % 512 <= 5:
            break
    assert not any(packed[end - end % 512 : end])
    path = tmp_path / "x"
    with path.open("w+b") as raw:
        raw.write(bytes(PAGE) + packed)
        raw.flush()
        disk = OnDisk(raw.fileno())
        dataset = GrowingDataset(0, 4, FORM.nbytes, PER_CHUNK, 0, (PAGE,), (len(packed),))
        assert _is_packed_whole(disk, dataset, 0) is is_told_whole
        disk.write(PAGE + end - end % 512, bytes(512))
        assert not _is_packed_whole(disk, dataset, 0)


def test_durable_frames_that_are_gone_are_no_power_cut(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    write(path)
    kill(path, 30)
    address, _ = chunk_at(path, 4)
    content = path.read_bytes()
    # The index knows of four chunks, 30 frames were on the disk for certain.
    at = content.index(address.to_bytes(8, "little") + b"\0\x1e")
    overwrite(path, at + 8, bytes(6))
    content = path.read_bytes()
    with pytest.raises(
        (NotOurFileError, StorageError), match="30 frames were on the disk for certain, and only 16"
    ):
        recover(path, probe)
    assert path.read_bytes() == content


def test_info_tells_how_well_it_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    frames = write(path)
    told = describe(path)
    assert (told.frames, told.bytes) == (FRAMES, frames.nbytes)
    assert told.compression is not None
    # Chunks 1, 4, 7 and the last.
    assert (told.compression["chunks"], told.compression["as_they_are"]) == (10, 4)
    stored = sum(chunk_at(path, i)[1] for i in (0, 2, 3, 5, 6, 8)) + (3 * PER_CHUNK + 2) * frames[0].nbytes
    assert told.compression["ratio"] == pytest.approx(frames.nbytes / stored)


@pytest.mark.parametrize("compression", ["gzip", "blosc2"])
def test_frames_of_other_filters_are_refused_in_a_line(
    tmp_path: Path, probe: Probe, compression: str
) -> None:
    path = tmp_path / "x.h5"
    write(path)
    filters = {"compression": "gzip"} if compression == "gzip" else hdf5plugin.Blosc2("lz4", 1)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        detector = file[DETECTOR]
        frames = detector["data"][:]
        del detector["data"]
        detector.create_dataset(
            "data", data=frames, maxshape=(None, *frames.shape[1:]), chunks=(4, *frames.shape[1:]), **filters
        )
    kill(path, 0)
    number = 1 if compression == "gzip" else 32026
    with pytest.raises(
        NotOurFileError, match=f"compressed by HDF5's filter {number}, and this .* h5py may read"
    ):
        probe.ask(describe, path)
    with pytest.raises(
        NotOurFileError, match=f"compressed by HDF5's filter {number}; this recorder reads Blosc"
    ):
        recover(path, probe)


# What other programs make of them.


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[Any]]:
    path = tmp_path_factory.mktemp("foreign") / "x.h5"
    return path, write(path)


def test_h5py_reads_them_also_after_recovery(tmp_path: Path, foreign: tuple[Path, NDArray[Any]]) -> None:
    path, frames = foreign
    killed = tmp_path / "killed.h5"
    shutil.copy(path, killed)
    kill(killed, 0)
    recover(killed)
    for which in (path, killed):
        with h5py.File(which) as file:
            assert np.array_equal(file["data"][:], frames)


def test_silx_reads_them(foreign: tuple[Path, NDArray[Any]]) -> None:
    pytest.importorskip("silx")
    from silx.io.nxdata.parse import get_default
    from silx.io.utils import open as silx_open

    path, frames = foreign
    with silx_open(str(path)) as root:  # type: ignore[no-untyped-call]
        shown: Any = get_default(root)
        assert np.array_equal(shown.signal[:], frames)


def test_pytables_reads_them(foreign: tuple[Path, NDArray[Any]]) -> None:
    tables = pytest.importorskip("tables")
    path, frames = foreign
    with warnings.catch_warnings():
        # Of the axes, whose references it does not know.
        warnings.simplefilter("ignore", tables.exceptions.DataTypeWarning)
        with tables.open_file(str(path)) as opened:
            assert np.array_equal(opened.get_node(f"/{DETECTOR}/data")[:], frames)


def test_h5dump_reads_them(tmp_path: Path, foreign: tuple[Path, NDArray[Any]]) -> None:
    need(shutil.which("h5dump"), "h5dump (Debian: hdf5-tools)")
    path, frames = foreign
    out = tmp_path / "frames"
    command = ["h5dump", "-d", f"/{DETECTOR}/data", "-b", "LE", "-o", str(out), str(path)]
    environment = {**os.environ, "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH}
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert np.array_equal(np.fromfile(out, frames.dtype).reshape(frames.shape), frames)
