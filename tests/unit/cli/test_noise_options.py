"""What is said of the noise of a recording that is compressed, and what is refused."""

from pathlib import Path

import pytest

from recorder.cli.noise_options import ladder_of, wanted_noise
from recorder.errors import UsageError
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel
from tests.unit.files.compress.conftest import record

NOISE = {"shot_noise": "0.5", "conversion_factor": "0.46", "read_noise": "1.4", "dark_offset": "100"}


def test_without_the_option_pixels_stay(tmp_path: Path) -> None:
    assert wanted_noise(dict.fromkeys(NOISE)) is None
    assert ladder_of(tmp_path / "none.h5", None) is None


def test_what_is_said_of_the_camera_makes_the_ladder(tmp_path: Path) -> None:
    path = record(tmp_path / "x.h5").path
    assert ladder_of(path, wanted_noise(NOISE)) == NoiseLadder(NoiseModel(0.46, 1.4, 100), 0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"read_noise": "1.4"}, "^--read-noise: is for --shot-noise, for example --shot-noise 0.5$"),
        ({"shot_noise": "7"}, "^--shot-noise 7.0: must be less than or equal to 1$"),
        ({"shot_noise": "half"}, "^--shot-noise half: write a number$"),
        ({**NOISE, "read_noise": "900"}, "^--read-noise 900: with 0.46 electrons per count"),
        ({"shot_noise": "0.5"}, '^--conversion-factor: missing; "shot-noise" needs the electrons per count'),
    ],
)
def test_what_is_wrong_is_called_by_its_option(tmp_path: Path, given: dict[str, str], words: str) -> None:
    path = record(tmp_path / "x.h5").path
    with pytest.raises(UsageError, match=words):
        ladder_of(path, wanted_noise(given))
