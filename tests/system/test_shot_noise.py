"""`storage.compression = "shot-noise"`: what is stored, what is said of it, and when it is refused."""

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - the filter, with which h5py reads packed frames
import numpy as np
import pytest
import tifffile

from recorder.camera import timestamp
from recorder.camera.simulated.scene import CONVERSION_FACTOR
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel, lossy_text
from tests.system.conftest import LITTLE_MEMORY, Recorder

SIZE = ("--set", "camera.width=256", "--set", "camera.height=128", *LITTLE_MEMORY)
RUN = ("run", "--headless", "--frames", 500, "--set", "camera.rate=max", *SIZE)
NOISE = ("conversion_factor", "read_noise", "dark_offset")
SHOT_NOISE = ("--set", "storage.compression=shot-noise")


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Return all pixels (N, H * W) of a file but those of the timestamps."""
    with h5py.File(path) as file:
        return file["data"][:].reshape(len(file["data"]), -1)[:, timestamp.PIXELS :]  # type: ignore[no-any-return]


def test_values_are_moved_within_what_the_file_says_everywhere(recorder: Recorder, tmp_path: Path) -> None:
    options = ("--set", "storage.checksum=true", "--set", "storage.compressors=2", "--json")
    assert recorder(*RUN, "--output", "exact.h5").code == 0
    result = recorder(*RUN, *SHOT_NOISE, *options, "--output", "x.h5")
    assert result.code == 0
    told = result.json
    detector = recorder("info", "--json", "x.h5").json["detector"]
    ladder = NoiseLadder(NoiseModel(*(detector[name] for name in NOISE)), 0.5)
    assert told["largest_error"] == ladder.largest_error
    # On a busy computer some blocks come in parts, whose chunks are exact.
    assert told["ratio"] > 1.1
    assert told["as_is"] < 1

    exact, stored = pixels(tmp_path / "exact.h5").astype(int), pixels(tmp_path / "x.h5")
    moved = ladder.table[exact]
    is_moved = (stored == moved).all(axis=1)
    assert is_moved.any()
    assert (stored == exact).all(axis=1)[~is_moved].all()
    assert ((stored - exact)[is_moved] ** 2).mean() <= 0.021 * ladder.noise.variance(exact).mean()

    verified = recorder("verify", "x.h5")
    assert verified.code == 0
    assert "500 timestamps compared, 500 checksums compared" in verified.out
    assert f"pixels                   {lossy_text(ladder.details())}\n" in recorder("info", "x.h5").out


NOT_TOLD = 'missing; "shot-noise" needs the {}, and playback does not tell them: set it, for example {}'


@pytest.mark.parametrize(
    ("way", "settings", "message"),
    [
        (
            ("--output", "x.h5"),
            ("camera.kind=playback", "camera.source=x.tif", "camera.rate=max"),
            f"storage.conversion_factor: {NOT_TOLD.format('electrons per count', 0.46)}",
        ),
        (
            ("--dry-run",),
            ("camera.kind=playback", "camera.source=x.tif", "camera.rate=max", "storage.conversion_factor=1"),
            f"storage.read_noise: {NOT_TOLD.format('electrons of read noise', 1.5)}",
        ),
        (
            ("--output", "x.h5"),
            ("storage.conversion_factor=46",),
            f"storage.conversion_factor = 46: simulated pco.edge says {CONVERSION_FACTOR:g} electrons "
            "per count; set that, or leave the key out",
        ),
    ],
)
def test_what_is_not_known_is_refused_in_a_line_before_anything_is_made(
    recorder: Recorder, tmp_path: Path, way: tuple[str, ...], settings: tuple[str, ...], message: str
) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.full((3, 64, 64), 100, np.uint16), photometric="minisblack")
    given = [word for setting in settings for word in ("--set", setting)]
    result = recorder("run", "--headless", *LITTLE_MEMORY, *SHOT_NOISE, *given, *way)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line == f"recorder: {message}"
    assert {path.name for path in tmp_path.iterdir()} == {"x.tif"}


def test_with_what_its_owner_knows_every_camera_will_do(recorder: Recorder, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).poisson(5000, (64, 64, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", frames, photometric="minisblack")
    known = {"conversion_factor": 1, "read_noise": 2.5, "dark_offset": 0, "noise_fraction": 1}
    given = [word for key, value in known.items() for word in ("--set", f"storage.{key}={value}")]
    play = ("--set", "camera.kind=playback", "--set", "camera.source=x.tif", "--set", "camera.rate=max")
    result = recorder("run", "--headless", *LITTLE_MEMORY, *SHOT_NOISE, *play, *given, "--output", "x.h5")
    assert result.code == 0
    detector = recorder("info", "--json", "x.h5").json["detector"]
    said = (detector["conversion_factor"], detector["read_noise"], detector["dark_offset"])
    assert (*said, detector["lossy_fraction"]) == (1, 2.5, 0, 1)
