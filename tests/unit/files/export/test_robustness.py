"""Whatever fails while an export is written: one line, nothing left, and HDF5 never crashes the process."""

import errno
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import ome_types
import pytest

from recorder.errors import StorageError
from recorder.files import hdf5_target
from recorder.files.export import target
from recorder.files.export.selection import around_marks
from tests.unit.files.export.test_formats import exported, frames_of
from tests.unit.files.opened.recordings import Written


class FailingFile:
    """A file on a disk that takes so many writes, then half of one, and no more."""

    def __init__(self, file: Any, writes: int) -> None:
        self._file, self._left = file, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: memoryview) -> int:
        self._left -= 1
        if self._left == 0:
            return int(self._file.write(data[: len(data) // 2]))
        if self._left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))


# The first writes, some in the middle, and those as the file is closed; there are some 267.
@pytest.mark.parametrize("writes", [0, 1, 60, 200, 250])
def test_a_disk_that_fails_under_hdf5_is_one_line(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    init = hdf5_target.HDF5Target.__init__
    made = []

    def on_a_failing_disk(self: Any, where: Path, **options: Any) -> None:
        init(self, where, **options)
        self._file = FailingFile(self._file, writes)
        made.append(self._file)

    monkeypatch.setattr(hdf5_target.HDF5Target, "__init__", on_a_failing_disk)
    with pytest.raises(StorageError, match=r"^\S+out\.nwb: cannot be written: No space left on device$"):
        exported(path, tmp_path / "out.nwb")
    assert made[0]._left < 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_into_which_a_thread_still_writes_is_removed(tmp_path: Path) -> None:
    hidden: list[Path] = []

    def go_on_writing() -> None:
        for number in range(3):
            time.sleep(0.03)
            (hidden[0] / "0").mkdir(parents=True, exist_ok=True)
            (hidden[0] / "0" / f"{number}").touch()

    writer = threading.Thread(target=go_on_writing)
    with pytest.raises(StorageError, match="No space left"), target.partial(tmp_path / "x.zarr") as where:
        hidden.append(where)
        where.mkdir()
        writer.start()
        raise OSError(errno.ENOSPC, "No space left on device")
    writer.join()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_gets_the_file_itself(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("gigabytes in memory"))
    out = exported(path, tmp_path / "out.npy")
    assert len(frames_of(out)) == 60
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("ending", [".ome.tif", ".nwb", ".ome.zarr", ".csv", ".mp4"])
def test_text_that_no_format_can_hold_is_replaced(tmp_path: Path, ending: str) -> None:
    file = Written(tmp_path / "x.h5")
    file.write()
    file.mark(1, "bell\x07", "a\0b\x1b")
    file.close()
    out = exported(file.path, tmp_path / f"out{ending}")
    if ending == ".ome.tif":
        (image,) = ome_types.from_tiff(out).to_xml().split("bell")[1:]
        assert image.startswith("\N{REPLACEMENT CHARACTER} a\N{REPLACEMENT CHARACTER}b")


def test_marks_get_names_of_their_own() -> None:
    labels = ["a", "a", "a_2", "A", "b/c", "b c", "a", "beyond"]
    marks = [(min(i, 99) if label != "beyond" else 500, label) for i, label in enumerate(labels)]
    parts = around_marks("*", marks, np.arange(10) / 10, 0.0, 0.0)
    assert [part.name for part in parts] == ["a", "a_2", "a_2_2", "A_3", "b_c", "b_c_2", "a_4"]
