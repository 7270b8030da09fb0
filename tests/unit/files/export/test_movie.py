"""Films: every pixel of the picture is seen; what fails is one line, and leaves nothing."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import StorageError, UsageError
from recorder.files.export import movie
from recorder.files.export.film_encoder import encoding
from recorder.frames.pool import FrameFormat
from tests.unit.files.export.test_formats import exported
from tests.unit.files.opened.recordings import Written


def decoded(film: Path, height: int, width: int) -> NDArray[np.uint8]:
    """Return the pictures (n, height, width) of a film in grey."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(film), "-f", "rawvideo"]
    done = subprocess.run([*command, "-pix_fmt", "gray", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width)


def bordered(path: Path, height: int, width: int, chunks: int = 1) -> Path:
    """Record frames that are dark but for the last row and the last column."""
    picture = np.zeros((height, width), np.uint16)
    picture[-1], picture[:, -1] = 4095, 4095
    file = Written(path, FrameFormat(height, width, picture.dtype))
    for _ in range(chunks):
        file.write(picture=picture)
    file.close()
    return path


@pytest.mark.parametrize(("height", "width"), [(25, 33), (24, 33), (25, 32), (24, 32)])
def test_the_last_row_and_column_of_every_size_are_seen(tmp_path: Path, height: int, width: int) -> None:
    path = bordered(tmp_path / "x.h5", height, width)
    out = exported(path, tmp_path / "x.mp4", "--plain", "--levels", "0:4095")
    pictures = decoded(out, height + height % 2, width + width % 2)
    # 40 ms, 60 pictures a second.
    assert len(pictures) == 3
    border = [pictures[:, height - 1, :width], pictures[:, :height, width - 1]]
    assert min(part.min() for part in border) > 200
    assert pictures[:, : height - 3, : width - 3].max() < 50
    # What was added is black.
    assert max(pictures[:, height:].max(initial=0), pictures[:, :, width:].max(initial=0)) < 50


def test_frames_larger_than_players_take_are_shrunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie, "LONGEST_SIDE", 20)
    out = exported(bordered(tmp_path / "x.h5", 25, 33), tmp_path / "x.mp4", "--plain", "--levels", "0:4095")
    pictures = decoded(out, 14, 18)
    assert pictures[:, 12, :17].min() > 100


def test_a_film_of_days_is_refused(tmp_path: Path) -> None:
    path = bordered(tmp_path / "x.h5", 24, 32, chunks=10)
    with pytest.raises(UsageError, match=r"the film would last 108 hours; give a higher --speed"):
        exported(path, tmp_path / "x.mp4", "--speed", "0.000001x")
    assert [child.name for child in tmp_path.iterdir()] == ["x.h5"]


@pytest.mark.parametrize("pictures", [1, 200])
def test_an_encoder_that_cannot_write_says_why_in_one_line(tmp_path: Path, pictures: int) -> None:
    """Found while it writes, and where only the end fails."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with (
        pytest.raises(OSError, match=r"^\[Errno 0\] No such file or directory$"),
        encoding(tmp_path / "none" / "x.mp4", 64, 64, 30.0) as put,
    ):
        for _ in range(pictures):
            put(noise)


def test_what_fails_meanwhile_ends_the_encoder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="a frame"), encoding(tmp_path / "x.mp4", 64, 64, 30.0) as put:
        put(np.zeros((64, 64, 3), np.uint8))
        raise StorageError("a frame cannot be read")
