"""Recovery itself, on files of a recorder that ended at every moment."""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from recorder.errors import NotOurFileError, StorageError
from recorder.files.recover import recover
from recorder.frames.pool import Pool
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import OnDisk, Readable
from recorder.storage.layout import DETECTOR
from recorder.storage.object_header import ObjectHeader
from recorder.storage.recording import Recording
from recorder.storage.records import MarkRow, Verdict
from tests.conftest import SMALL, fill, take
from tests.unit.files.damaged import DATA
from tests.unit.storage.test_recording import describe

PER_CHUNK = 4


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.files.recover.STILL_S", 0)


def recorded(path: Path, frames: int) -> Recording:
    """A file of so many frames (whole chunks) and a mark on each tenth, still open."""
    recording = Recording(path, describe(SMALL, PER_CHUNK))
    pool = Pool(SMALL, PER_CHUNK, 1)
    for first in range(0, frames, PER_CHUNK):
        with fill(take(pool), 0, PER_CHUNK, first + 1) as span:
            recording.append([span])
        recording.commit()
    recording.add_rows([MarkRow(i, 0.1 * i, f"mark {i}", "", "test", 1) for i in range(0, frames, 10)])
    return recording


def left(path: Path) -> list[int]:
    """Numbers of the frames of a file, which any program can open, each with its own pixels."""
    with h5py.File(path) as file:
        numbers: list[int] = file[DETECTOR]["frame_number"][:].tolist()
        assert file["data"][:, 0, 0].tolist() == numbers
        assert all(mark["frame"] < len(numbers) for mark in file["entry/marks"])
        assert file["entry/verdict"][()] == Verdict.FAILED.encode()
    return numbers


def failing_after(writes: int) -> Callable[[OnDisk, int, bytes], None]:
    """A `write` that fails after so many."""
    write, left_over = OnDisk.write, iter(range(writes))

    def failing(self: OnDisk, address: int, data: bytes) -> None:
        if next(left_over, None) is None:
            raise OSError(5, "Input/output error")
        write(self, address, data)

    return failing


def copy_of_a_growing_file(tmp_path: Path, frames: int) -> Path:
    """What a kill leaves."""
    recording = recorded(tmp_path / "x.h5", frames)
    shutil.copy(recording.path, tmp_path / "killed.h5")
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    return tmp_path / "killed.h5"


def test_every_frame_of_a_killed_recorder_is_kept(tmp_path: Path) -> None:
    path = copy_of_a_growing_file(tmp_path, 40)
    assert recover(path).removed == 0
    assert left(path) == list(range(1, 41))
    assert recover(path).removed is None


def test_a_recovery_that_ends_at_any_write_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_of_a_growing_file(tmp_path, 40)
    os.truncate(path, path.stat().st_size * 3 // 4)
    content = path.read_bytes()
    recover(path)
    expected, whole = left(path), path.read_bytes()
    assert 10 < len(expected) < 40
    for count in range(100):
        path.write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr(OnDisk, "write", failing_after(count))
            try:
                recover(path)
            except StorageError as error:
                assert "cannot be recovered: Input/output error" in str(error)
            else:
                break
        recover(path)
        assert left(path) == expected
        assert path.read_bytes() == whole
    assert 10 < count < 100


def test_a_file_that_cannot_be_recovered_stays_as_it_was(tmp_path: Path) -> None:
    path = copy_of_a_growing_file(tmp_path, 40)
    with h5py.File(path, "r", swmr=True) as file:
        detector = file[DETECTOR].id
        header = int(detector.links.get_info(b"data").u)
    with path.open("r+b") as damaged:
        damaged.seek(header)
        damaged.write(b"gone")
    content = path.read_bytes()
    with pytest.raises(NotOurFileError, match="no description of a dataset"):
        recover(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", bytes(4096)], ids=["empty", "zeros"])
def test_a_file_killed_while_it_was_made_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with pytest.raises(NotOurFileError, match="holds nothing"):
        recover(path)
    assert path.read_bytes() == content


def test_after_a_power_cut_only_what_reached_the_disk_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(tmp_path / "x.h5", 40)
    recording.sync()
    assert recording.durable_frames == 40
    pool = Pool(SMALL, PER_CHUNK, 1)
    for first in range(40, 60, PER_CHUNK):
        with fill(take(pool), 0, PER_CHUNK, first + 1) as span:
            recording.append([span])
        recording.commit()
    recording.add_rows([MarkRow(59, 0.1, "late", "", "test", 1)])
    path = tmp_path / "cut.h5"
    shutil.copy(recording.path, path)
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    with h5py.File(path, "r", swmr=True) as file:
        chunk = file["data"].id.get_chunk_info_by_coord((48, 0, 0)).byte_offset
    with path.open("r+b") as damaged:  # the pixels of frame 50 are not there
        damaged.seek(chunk + 2 * SMALL.nbytes)
        damaged.write(bytes(SMALL.nbytes))
    untouched = path.read_bytes()
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    assert recover(path).removed == 10
    assert left(path) == list(range(1, 51))
    with h5py.File(path) as file:
        assert b"the computer went down" in file["entry/cause"][()]
        marks = [(row["label"].decode(), int(row["frame"])) for row in file["entry/marks"]]
        # The last one is there, its frame is not.
        assert marks == [*((f"mark {i}", i) for i in (0, 10, 20, 30)), ("late", -1)]
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: True)
    path.write_bytes(untouched)
    assert recover(path).removed == 0  # on the same start of the computer nothing is in doubt


def test_a_checksum_tells_which_frames_reached_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage, not zeros, where the pixels of frame 6 should be."""
    recording = Recording(tmp_path / "x.h5", replace(describe(SMALL, PER_CHUNK), checksums=True))
    recording.sync()
    pool = Pool(SMALL, PER_CHUNK, 1)
    for first in (1, 5, 9):
        with fill(take(pool), 0, PER_CHUNK, first) as span:
            recording.append([span])
        recording.commit()
    path = tmp_path / "cut.h5"
    shutil.copy(recording.path, path)
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    with h5py.File(path, "r", swmr=True) as file:
        chunk = file["data"].id.get_chunk_info_by_coord((4, 0, 0)).byte_offset
    with path.open("r+b") as damaged:
        damaged.seek(chunk + 2 * SMALL.nbytes + 100)
        damaged.write(b"garbage")
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    assert recover(path).frames == 6
    assert left(path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "name", ["layout1.h5", "layout1_2.h5", "layout1_killed.h5", "layout2.h5", "layout3.h5"]
)
@pytest.mark.parametrize("column", ["data", "exposure"])
def test_a_damaged_index_is_refused_and_no_frame_is_taken_away(
    tmp_path: Path, name: str, column: str
) -> None:
    path = tmp_path / name
    shutil.copy(DATA / name, path)
    with h5py.File(DATA / name, "r", swmr=True) as file:
        address = h5py.h5o.get_info(file[DETECTOR][column].id).addr
    with path.open("r+b") as raw:
        index = ObjectHeader.read(OnDisk(raw.fileno()), address).chunk_index.address
        raw.seek(index + 5)
        raw.write(b"\x07")
    content = path.read_bytes()
    with pytest.raises(NotOurFileError, match="no index of chunks"):
        recover(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("name", "tables"), [("layout2.h5", 4), ("layout3.h5", 5)])
def test_what_was_durable_is_known_of_files_with_fewer_tables(name: str, tables: int) -> None:
    readable = Readable.of(DATA / name)
    try:
        with h5py.File(DATA / name) as file:
            places = FileAddresses.of(file, readable.content)
            durable = places.durable(readable.content)
            assert durable is not None
            assert (len(places.tables), durable[0]) == (tables, len(file["data"]))
            assert durable[1:] == tuple(len(file["entry"][table]) for table in places.tables)
    finally:
        readable.close()


def test_a_file_that_was_closed_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last sync failed, it said so, and the computer was started anew: all is there."""
    recording = recorded(tmp_path / "x.h5", 20)
    recording.sync()
    with monkeypatch.context() as patch:
        patch.setattr("recorder.storage.file_sync.sync_data", _fails)
        with pytest.raises(StorageError, match="cannot bring to the disk"):
            recording.sync()
    pool = Pool(SMALL, PER_CHUNK, 1)
    for first in range(20, 40, PER_CHUNK):
        with fill(take(pool), 0, PER_CHUNK, first + 1) as span:
            recording.append([span])
    recording.finish()
    recording.sync()
    assert recording.durable_frames == 20  # what the first one could not write may be gone
    with pytest.raises(StorageError, match="cannot bring to the disk"):
        recording.close(Verdict.COMPLETE, "")
    recording.sync()
    content = (tmp_path / "x.h5").read_bytes()
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    assert recover(tmp_path / "x.h5").removed is None
    assert left(tmp_path / "x.h5") == list(range(1, 41))
    assert (tmp_path / "x.h5").read_bytes() == content


def _fails(_fd: int) -> None:
    raise OSError(5, "Input/output error")


def test_a_closed_copy_that_was_cut_says_so_however_often_recovery_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(tmp_path / "x.h5", 40)
    recording.finish()
    recording.close(Verdict.COMPLETE, "all that was asked for")
    recording.sync()
    content = recording.path.read_bytes()[: recording.path.stat().st_size * 3 // 4]
    for count in range(100):
        recording.path.write_bytes(content)
        with monkeypatch.context() as patch, contextlib.suppress(StorageError):
            patch.setattr(OnDisk, "write", failing_after(count))
            recover(recording.path)
            break
        recover(recording.path)
        frames = left(recording.path)  # its verdict is "failed"
        assert 10 < len(frames) < 40
        with h5py.File(recording.path) as file:
            cause = file["entry/cause"][()].decode()
        assert cause == f"this file was cut short: the last {40 - len(frames)} frames are gone"
    assert 10 < count < 100


@pytest.mark.parametrize("durable", [0, 20])
def test_a_sensor_at_0_degrees_is_no_sign_of_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: int
) -> None:
    recording = Recording(tmp_path / "x.h5", describe(SMALL, PER_CHUNK))
    pool = Pool(SMALL, PER_CHUNK, 1)
    for first in range(0, 40, PER_CHUNK):
        block = take(pool)
        with fill(block, 0, PER_CHUNK, first + 1) as span:
            block.metadata["temperature_c"] = 0.0
            recording.append([span])
        recording.commit()
        if first + PER_CHUNK == durable:
            recording.sync()
    path = tmp_path / "killed.h5"
    shutil.copy(recording.path, path)
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    monkeypatch.setattr("recorder.files.presence.is_same_boot", lambda _: False)
    assert (recover(path).frames, left(path)) == (40, list(range(1, 41)))
