import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from recorder.camera.base import EndOfSourceError
from recorder.camera.playback import PlaybackCamera, TiffSource
from recorder.errors import CameraError, CameraTimeoutError, NotOurFileError, UsageError
from tests.conftest import Clock

BACTERIA = Path(__file__).parents[2] / "data" / "bacteria-in-droplet.tif"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Ten frames of 8 x 20, frame i full of i, 0.5 s apart by ImageJ's metadata."""
    path = tmp_path / "stack.tif"
    frames = np.arange(10, dtype=np.uint16)[:, None, None] * np.ones((8, 20), np.uint16)
    tifffile.imwrite(path, frames, imagej=True, metadata={"finterval": 0.5, "axes": "TYX"})
    return path


def play(camera: PlaybackCamera, count: int) -> list[tuple[int, int, int]]:
    slot = np.zeros((8, 20), np.uint16)
    found = []
    for _ in range(count):
        info = camera.read_into(slot, 10)
        found.append((info.number, int(slot.mean()), info.camera_time_ns // 10**6))
    return found


def test_a_real_file_is_read_bit_for_bit() -> None:
    source = TiffSource(BACTERIA)
    frames = tifffile.imread(BACTERIA)
    slot = np.zeros((source.format.height, source.format.width), source.format.dtype)
    for i in range(source.count):
        source.read(i, slot)
        assert (slot == frames[i]).all()
    source.close()


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}], ids=str)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_other_ways_to_store_a_stack(tmp_path: Path, options: dict[str, str], kind: type[np.generic]) -> None:
    frames = np.random.default_rng(0).integers(0, 200, (3, 8, 20)).astype(kind)
    path = tmp_path / "other.tif"
    tifffile.imwrite(path, frames, photometric="minisblack", **options)  # type: ignore[arg-type]
    source = TiffSource(path)
    slot = np.zeros((8, 20), source.format.dtype)
    for i in range(3):
        source.read(i, slot)
        assert (slot == frames[i]).all()
    source.close()


def test_original_times(stack: Path, clock: Clock) -> None:
    camera = PlaybackCamera(TiffSource(stack), "original", "auto", 12, None, clock, clock.wait)
    assert camera.open().rate == pytest.approx(2)
    camera.arm()
    assert play(camera, 12) == [(i + 1, i % 10, 500 * i) for i in range(12)]
    camera.close()


def test_a_set_rate_and_the_end(stack: Path, clock: Clock) -> None:
    camera = PlaybackCamera(TiffSource(stack), 100, "auto", None, None, clock, clock.wait)
    camera.open()
    camera.arm()
    assert play(camera, 10)[-1] == (10, 9, 90)
    with pytest.raises(EndOfSourceError):
        play(camera, 1)
    camera.close()


@pytest.mark.parametrize(
    ("rate", "frames", "duration_s"), [(100, 11, None), (100, None, 0.2), (math.inf, None, 0.01)]
)
def test_more_than_the_source_holds_is_played_again(
    stack: Path, clock: Clock, rate: float, frames: int | None, duration_s: float | None
) -> None:
    camera = PlaybackCamera(TiffSource(stack), rate, "auto", frames, duration_s, clock, clock.wait)
    camera.arm()
    assert play(camera, 11)[-1][:2] == (11, 0)
    camera.close()


def test_as_fast_as_it_goes_in_a_loop(stack: Path, clock: Clock) -> None:
    camera = PlaybackCamera(TiffSource(stack), math.inf, loop=True, frames=None, clock=clock, wait=clock.wait)
    camera.arm()
    assert [value for _, value, _ in play(camera, 25)] == [i % 10 for i in range(25)]
    camera.halt()
    with pytest.raises(CameraTimeoutError):
        play(camera, 1)
    camera.close()


def test_frames_wait_for_a_slow_reader(stack: Path, clock: Clock) -> None:
    camera = PlaybackCamera(TiffSource(stack), 100, "auto", None, None, clock, clock.wait)
    camera.arm()
    clock.wait(60)
    assert [number for number, _, _ in play(camera, 10)] == list(range(1, 11))
    camera.close()


def test_what_cannot_be_played_is_reported_before_anything_is_opened(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        TiffSource(tmp_path / "none.tif")
    text = tmp_path / "text.tif"
    text.write_text("no picture")
    with pytest.raises(NotOurFileError, match="not a TIFF"):
        TiffSource(text)
    colour = tmp_path / "colour.tif"
    tifffile.imwrite(colour, np.zeros((2, 8, 20, 3), np.uint8), photometric="rgb")
    with pytest.raises(NotOurFileError, match="grey"):
        TiffSource(colour)
    source = TiffSource(stack)
    with pytest.raises(UsageError, match=r"camera\.loop"):
        PlaybackCamera(source, 10, loop=False, frames=11)
    source.times_s = None
    with pytest.raises(UsageError, match="does not tell its frame times"):
        PlaybackCamera(source, "original", "auto", None)
    camera = PlaybackCamera(source, 10, "auto", None)
    with pytest.raises(CameraError, match="playback"):
        camera.set_exposure(0.1)
    with pytest.raises(CameraError, match="trigger"):
        camera.trigger()
    source.close()
