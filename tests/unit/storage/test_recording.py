import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import crc32c
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.errors import DiskFullError, StorageError, UsageError
from recorder.frames.ledger import Cause, Loss
from recorder.frames.metadata import STORED
from recorder.frames.pool import PAGE, FrameFormat, FrameSpan, Pool
from recorder.storage import layout
from recorder.storage.direct_io import DirectFile
from recorder.storage.recording import COMMIT_NS, Recording
from recorder.storage.records import MarkRow, Verdict
from tests.conftest import Clock, fill, let_go, take

EVEN = FrameFormat(32, 64, np.dtype(np.uint16))  # one page
ODD = FrameFormat(33, 65, np.dtype(np.uint16))  # no multiple of anything


def describe(
    form: FrameFormat = EVEN, frames: int = 4, **detector: str | int | float
) -> layout.FileDescription:
    return layout.FileDescription(
        title="a test",
        format=form,
        frames_per_chunk=frames,
        detector={"description": "tested camera", "serial_number": "7", **detector},
        configuration="[camera]\nkind = 'µ'\n",
    )


def record(path: Path, form: FrameFormat, per_block: int, pieces: list[int], mode: Any = "auto") -> int:
    """Record blocks whose frames come in spans of the sizes given; return how many frames that were."""
    pool = Pool(form, per_block, 4 * per_block * form.nbytes)
    recording = Recording(path, describe(form, per_block), mode)
    number, block, filled = 0, take(pool), 0
    holding = FrameSpan(block, 0, 0, "camera")
    for piece in pieces:
        left = piece
        while left:
            now = min(left, per_block - filled)
            with fill(block, filled, filled + now, number + 1) as span:
                recording.append([span])
            number, filled, left = number + now, filled + now, left - now
            if filled == per_block:
                holding.release()
                block, filled = take(pool), 0
                holding = FrameSpan(block, 0, 0, "camera")
        recording.commit()
    holding.release()
    let_go(block)
    end(recording, Verdict("complete"), "")
    assert pool.leases() == 0
    return number


def end(recording: Recording, verdict: Verdict, cause: str) -> None:
    """Close the file as a session does."""
    recording.finish()
    recording.close(verdict, cause)
    recording.sync()


def check(path: Path, form: FrameFormat, frames: int) -> None:
    with h5py.File(path) as file:
        data = file["data"][:]
        assert data.shape == (frames, form.height, form.width)
        expected = np.arange(1, frames + 1).astype(np.uint16)[:, None, None]
        assert (data == expected).all()
        for field in STORED:
            assert len(file[layout.DETECTOR][field.column]) == frames
        assert file[layout.DETECTOR]["frame_number"][:].tolist() == list(range(1, frames + 1))


@pytest.mark.parametrize("mode", ["auto", "buffered"])
@pytest.mark.parametrize("form", [EVEN, ODD], ids=["pages", "odd"])
@settings(max_examples=25, deadline=None)
@given(per_block=st.integers(1, 9), pieces=st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_every_frame_is_in_the_file_however_it_came(
    tmp_path_factory: pytest.TempPathFactory, mode: str, form: FrameFormat, per_block: int, pieces: list[int]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "x.h5"
    check(path, form, record(path, form, per_block, pieces, mode))


def test_metadata_next_to_an_odd_chunk_survives_direct_writes(tmp_path: Path) -> None:
    """The last page of a chunk that ends inside it may belong to somebody else."""
    path = tmp_path / "x.h5"
    pool = Pool(ODD, 3, 1)
    recording = Recording(path, describe(ODD, 3))
    for i in range(40):
        with fill(take(pool), 0, 3, 3 * i + 1) as span:
            recording.append([span])
        recording.add_rows([MarkRow(i, 0.1 * i, f"mark {i}", "ü" * 600, "test", 1)])
        recording.commit()
    end(recording, Verdict("complete"), "")
    check(path, ODD, 120)
    with h5py.File(path) as file:
        assert [row["label"].decode() for row in file["entry/marks"]] == [f"mark {i}" for i in range(40)]
        assert file["entry/marks"][7]["text"].decode() == "ü" * 512


def test_the_layout_is_what_the_design_promises(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe(pixel_rate=100, gain=0.46))
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 2, 5) as span:
        recording.append([span], [Loss(-1, 4, Cause.CAMERA_OVERFLOW, 0.0, 1)])
    end(recording, Verdict("frames lost"), "because")
    with h5py.File(path) as file:
        assert file.attrs["default"] == b"entry"
        assert file.attrs["NX_class"] == b"NXroot"
        assert file["entry"].attrs["default"] == b"data"
        data = file["entry/data"]
        assert data.attrs["signal"] == b"data"
        assert data.attrs["axes"].tolist() == [b"frame_time", b"y", b"x"]
        assert data["data"] == file["data"] == file["entry/instrument/detector/data"]
        assert data["data"].attrs["interpretation"] == b"image"
        assert data["data"].chunks == (4, 32, 64)
        detector = file["entry/instrument/detector"]
        assert detector["pixel_rate"][()] == 100
        assert detector["frame_time"].attrs["units"] == b"s"
        assert detector["frame_time"][:].tolist() == pytest.approx([0, 0.01])
        assert detector["host_time"][:].tolist() == pytest.approx([0, 0.01])
        assert detector["exposure"][:].tolist() == [0.005, 0.005]
        assert file["entry/losses"][:].tolist() == [(-1, 4, b"camera overflow", 0.0, 1, 0.0)]
        assert file["entry/verdict"][()] == b"frames lost"
        assert file["entry/cause"][()] == b"because"
        assert file["entry/configuration"][()].decode() == "[camera]\nkind = 'µ'\n"
        assert file["entry/title"][()] == b"a test"
        assert file["entry/start_time"][()] <= file["entry/end_time"][()]
        found: list[str] = []
        file.visititems(lambda name, thing: found.append(name) if _has_loose_strings(thing) else None)
        assert found == []


def _has_loose_strings(thing: Any) -> bool:
    kinds = [thing.attrs.get_id(name).dtype for name in thing.attrs]
    if isinstance(thing, h5py.Dataset):
        kinds += [kind for kind, *_ in thing.dtype.fields.values()] if thing.dtype.fields else [thing.dtype]
    return any(
        h5py.check_string_dtype(kind) and h5py.check_string_dtype(kind).length is None for kind in kinds
    )


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        Recording(path, describe())
    assert path.read_bytes() == b"precious"


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make"):
        Recording(tmp_path / "file" / "x.h5", describe())
    with pytest.raises(DiskFullError, match="disk is full"):
        Recording(tmp_path / "x.h5", describe(), reserve=2**60)
    assert not (tmp_path / "x.h5").exists()


def test_a_reader_sees_frames_with_their_commit_and_not_before(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe(), clock=clock)
    pool = Pool(EVEN, 4, 1)
    assert recording.commit_due_s is None
    with h5py.File(path, "r", swmr=True, locking=False) as reader:
        for i in range(3):
            with fill(take(pool), 0, 4, 4 * i + 1) as span:
                recording.append([span])
            assert recording.commit_due_s == pytest.approx(COMMIT_NS * 1e-9)
            column, data = reader[layout.DETECTOR]["frame_number"], reader["data"]
            column.refresh()
            assert len(column) == 4 * i
            clock.wait(COMMIT_NS * 1e-9)
            assert recording.commit_due_s == 0
            recording.commit()
            for dataset in (column, data):
                dataset.refresh()
            assert len(column) == len(data) == 4 * (i + 1)
            assert (data[-4:, 0, 0] == column[-4:]).all()
    end(recording, Verdict("complete"), "")


def test_a_block_out_of_place_is_refused(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    pool = Pool(EVEN, 4, 1)
    refused = pytest.raises(AssertionError, match="does not follow")
    with fill(take(pool), 0, 2, 1) as first, fill(take(pool), 0, 3, 3) as across, refused:
        recording.append([first, across])
    end(recording, Verdict("failed"), "")


def test_a_file_without_frames_can_be_taken_back(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    recording.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_frames_that_is_gone_or_another_is_not_missed(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    recording.path.unlink()
    recording.discard()
    recording = Recording(tmp_path / "x.h5", describe())
    recording.path.unlink()
    recording.path.write_text("precious")
    recording.discard()
    assert (tmp_path / "x.h5").read_text() == "precious"


@pytest.mark.skipif(sys.platform != "linux", reason="Windows moves no file that is open")
def test_a_file_is_followed_to_its_new_name(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    recording.look_where_it_is()
    assert recording.path == tmp_path / "x.h5"
    recording.path.rename(tmp_path / "y.h5")
    recording.look_where_it_is()
    assert recording.path == tmp_path / "y.h5"
    recording.path.unlink()
    with pytest.raises(StorageError, match=r"y\.h5 was removed while it was written"):
        recording.look_where_it_is()
    recording.look_where_it_is()  # it is said once
    end(recording, Verdict("failed"), "removed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", [EVEN, ODD], ids=["pages", "odd"])
def test_a_file_has_checksums_where_they_are_wanted(tmp_path: Path, form: FrameFormat) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, replace(describe(form), checksums=True))
    pool = Pool(form, 4, 1)
    for first in (1, 5):
        with fill(take(pool), 0, 4, first) as span:
            recording.append([span])
    end(recording, Verdict("complete"), "")
    check(path, form, 8)
    with h5py.File(path) as file:
        found = file[layout.DETECTOR]["checksum"][:].tolist()
        assert found == [crc32c.crc32c(frame.tobytes()) for frame in file["data"]]


def test_the_library_is_let_go_of_after_its_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe())
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    recording.commit()

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span])
    with monkeypatch.context() as patch:
        patch.setattr("recorder.storage.hdf5_writer._append", fails)
        with pytest.raises(StorageError, match=r"cannot commit frames to .*x\.h5: .*Input/output error"):
            recording.commit()
    with pytest.raises(StorageError, match="Input/output error"):
        recording.commit()
    recording.drop_uncommitted()
    with pytest.raises(StorageError, match="Input/output error"):
        recording.close(Verdict.COMPLETE, "")
    recording.sync()
    check(path, EVEN, 4)
    with h5py.File(path) as file:
        assert file["entry/verdict"][()] == b"failed"
        assert b"Input/output error" in file["entry/cause"][()]


def test_what_is_durable_is_written_down_where_a_disk_writes_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe())
    assert recording.durable_frames == -1
    recording.sync()
    assert recording.durable_frames == 0
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    recording.add_rows([MarkRow(0, 0.0, "a", "", "test", 1), MarkRow(1, 0.0, "b", "", "test", 1)])
    recording.sync()
    assert recording.durable_frames == 4
    end(recording, Verdict("complete"), "")
    with h5py.File(path) as file:
        durable = file["entry/durable"]
        assert durable[:].tolist() == [4, 2, 0, 0, 0, 0, 0, 0, 0]
        first = durable.id.get_offset()
        assert first // 512 == (first + durable.nbytes - 1) // 512


class RefusingFile:
    """Opens for direct I/O and refuses the first write, as some network disks do."""

    def __init__(self, error: int, opened: DirectFile | None) -> None:
        self.error, self.opened = error, opened

    def write(self, *_: object) -> None:
        raise OSError(self.error, os.strerror(self.error))

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()


def test_a_disk_that_refuses_direct_writes_gets_buffered_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe())
    recording._chunks.direct = RefusingFile(22, recording._chunks.direct)  # type: ignore[assignment]
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    end(recording, Verdict("complete"), "")
    check(path, EVEN, 4)
    with h5py.File(path) as file:
        assert file["entry/storage_mode"][()] == b"buffered"


@pytest.mark.parametrize(("number", "kind"), [(28, DiskFullError), (5, StorageError)])
def test_a_write_that_fails_leaves_a_valid_file(
    tmp_path: Path, number: int, kind: type[StorageError]
) -> None:
    path = tmp_path / "x.h5"
    recording = Recording(path, describe())
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    recording._chunks.direct = RefusingFile(number, recording._chunks.direct)  # type: ignore[assignment]
    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span])
    # It is under way: what becomes of it is said with what is done next.
    with pytest.raises(kind):
        recording.commit()
    end(recording, Verdict("failed"), "the disk")
    check(path, EVEN, 4)


def test_direct_writes_cover_whole_pages_and_finish_the_tail(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"x" * 10 * PAGE)
    file = DirectFile.open(path)
    if file is None:
        pytest.skip("no direct I/O on this file system")
    pool = Pool(ODD, 3, 1)
    block = take(pool)
    block.pixels[:] = np.arange(block.pixels.size).reshape(block.pixels.shape)
    size = 3 * ODD.nbytes
    memory = block.memory[:size]
    file.write(memory, 0, 100, PAGE)
    assert path.read_bytes()[PAGE : PAGE + 100] == memory[:100]
    file.write(memory, 100, size, PAGE)
    file.close()
    file.close()
    found = path.read_bytes()
    assert found[PAGE : PAGE + size] == memory
    assert found[:PAGE] == b"x" * PAGE
    assert set(found[PAGE + size :]) == {ord("x")}


def test_a_file_that_another_program_emptied_is_closed_with_an_error_of_ours(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    pool = Pool(EVEN, 4, 1)
    with fill(take(pool), 0, 4, 1) as span:
        recording.append([span])
    recording.commit()
    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span])
    recording._pixels.note()
    os.truncate(recording.path, 3000)
    recording.drop_uncommitted()
    with pytest.raises(StorageError, match="another program changed this file"):
        recording.close(Verdict.COMPLETE, "")
    recording.sync()


def test_a_loss_is_written_once_however_often_it_is_given(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "x.h5", describe())
    pool = Pool(EVEN, 4, 1)
    loss = Loss(-1, 4, Cause.CAMERA_OVERFLOW, 0.0, 1)
    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span], [loss])
    recording.finish([loss, Loss(3, 2, Cause.STORAGE, 0.1, 9)])
    recording.close(Verdict.FRAMES_LOST, "")
    recording.sync()
    with h5py.File(recording.path) as file:
        assert file["entry/losses"]["first_missing"].tolist() == [1, 9]
