"""Single frames are read as they are in the file, past the page cache too."""

from pathlib import Path

import numpy as np
import pytest

from recorder.errors import DamagedFileError, StorageError
from recorder.files.opened import frame_reader
from recorder.files.opened.frame_reader import FrameReader
from recorder.files.opened.recording import open_files
from recorder.frames.pool import FrameFormat
from tests.unit.files.opened.recordings import FORM, Written
from tests.unit.files.packed import pack

FORMS = [
    FORM,
    FrameFormat(7, 5, np.dtype(np.uint8)),
    FrameFormat(64, 32, np.dtype(np.uint16)),
    FrameFormat(90, 111, np.dtype(np.uint16)),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.width}x{form.height} {form.dtype}")
@pytest.mark.parametrize("aside", [False, True])
def test_frames_are_those_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: FrameFormat, *, aside: bool
) -> None:
    monkeypatch.setattr(frame_reader, "PIECE_BYTES", 8192)
    files = [Written(tmp_path / f"x{i}.h5", form, 1 + 100 * i) for i in range(2)]
    for file in files:
        file.write()
        file.write(3)
        file.close()
    frames = np.concatenate([file.frames for file in files])
    with open_files([file.path for file in files]) as recording:
        reader = FrameReader(recording.frames)
        reader.aside = aside
        try:
            for index in (0, 13, 6, 7, 3):
                assert np.array_equal(np.asarray(reader.read(index, range(form.height))), frames[index])
            for rows in (range(2, 5), range(form.height - 1, form.height)):
                part = slice(rows.start, rows.stop)
                assert np.array_equal(np.asarray(reader.read(9, rows))[part], frames[9, part])
        finally:
            reader.close()


@pytest.mark.parametrize("aside", [False, True])
def test_frames_of_packed_chunks_are_those_of_the_file(tmp_path: Path, *, aside: bool) -> None:
    file = Written(tmp_path / "x.h5", levels=8)
    for _ in range(6):
        file.write()
    file.close()
    pack(file.path)
    with open_files([file.path]) as recording:
        assert recording.contents[0].pixels.packed.any()
        reader = FrameReader(recording.frames)
        reader.aside = aside
        try:
            for index in (0, 23, 5, 6, 7, 12):
                assert np.array_equal(np.asarray(reader.read(index, range(FORM.height))), file.frames[index])
        finally:
            reader.close()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    file = Written(tmp_path / "x.h5")
    file.write()
    file.write()
    file.close()
    with open_files([file.path]) as recording:
        address = int(recording.contents[0].pixels.addresses[1])
        for aside in (False, True):
            reader = FrameReader(recording.frames)
            reader.aside = aside
            content = file.path.read_bytes()
            try:
                file.path.write_bytes(content[: address + 100])
                with pytest.raises(DamagedFileError, match="cut short; recorder recover"):
                    reader.read(4, range(24))
                assert np.array_equal(np.asarray(reader.read(1, range(24))), file.frames[1])
            finally:
                file.path.write_bytes(content)
                reader.close()
        file.path.unlink()
        reader = FrameReader(recording.frames)
        with pytest.raises(StorageError, match="cannot be read: No such file"):
            reader.read(4, range(24))
        reader.close()
