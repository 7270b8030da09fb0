"""Where the noise of a camera is known from, and what is said where it is not."""

from typing import Any

import numpy as np
import pytest

from recorder.camera.base import CameraDescription
from recorder.errors import ConfigurationError
from recorder.frames.pool import FrameFormat
from recorder.session.camera_noise import noise_ladder
from recorder.settings.model import StorageSettings
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel

TOLD: dict[str, Any] = {"conversion_factor": 0.46, "read_noise": 1.5, "dark_offset": 100}


def camera(details: dict[str, Any], dtype: Any = np.uint16) -> CameraDescription:
    return CameraDescription("pco.edge 5.5", "7", FrameFormat(4, 8, np.dtype(dtype)), 100.0, details)


def ladder(details: dict[str, Any], **settings: Any) -> NoiseLadder | None:
    return noise_ladder(StorageSettings(compression="shot-noise", **settings), camera(details))


@pytest.mark.parametrize("compression", ["none", "lossless"])
def test_nothing_is_asked_where_pixels_stay_what_they_are(compression: Any) -> None:
    assert noise_ladder(StorageSettings(compression=compression), camera({}, np.uint8)) is None


def test_the_camera_tells_and_the_settings_come_first() -> None:
    assert ladder(TOLD) == NoiseLadder(NoiseModel(0.46, 1.5, 100), 0.5, 65535)
    said = {"conversion_factor": 0.5, "read_noise": 2, "dark_offset": 90, "noise_fraction": 0.25}
    assert ladder(TOLD, **said) == NoiseLadder(NoiseModel(0.5, 2, 90), 0.25, 65535)
    del said["noise_fraction"]
    assert ladder({}, **said) == NoiseLadder(NoiseModel(0.5, 2, 90), 0.5, 65535)


def test_a_camera_of_fewer_bits_saturates_earlier() -> None:
    found = ladder({**TOLD, "bit_resolution": 12})
    assert found is not None
    assert found.top == 4095


@pytest.mark.parametrize("name", TOLD)
def test_what_is_missing_is_named_with_an_example(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ladder({key: value for key, value in TOLD.items() if key != name})
    message = str(refused.value)
    assert message.startswith(f'storage.{name}: missing; "shot-noise" needs the ')
    assert "and pco.edge 5.5 does not tell them: set it, for example " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("conversion_factor", value) for value in (0.0, -0.46, float("nan"), float("inf"), "0.46")),
        *(("read_noise", value) for value in (-1.0, float("nan"), float("inf"))),
        *(("dark_offset", value) for value in (-1, 70000, float("nan"))),
    ],
)
def test_what_no_camera_can_have_is_not_believed(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"storage\.{name}: missing; .* says {value}, which cannot"):
        ladder({**TOLD, name: value})
    right: dict[str, Any] = {name: TOLD[name]}
    assert ladder({**TOLD, name: value}, **right) == ladder(TOLD)


def test_binned_pixels_are_no_single_ones() -> None:
    with pytest.raises(ConfigurationError, match="tells those of single pixels, and bins 2x2: set it"):
        ladder({**TOLD, "binning": "2x2"})
    said = {"conversion_factor": 1.84, "read_noise": 3.0, "dark_offset": 100.0}
    assert ladder({**TOLD, "binning": "2x2"}, **said) == NoiseLadder(NoiseModel(1.84, 3, 100), 0.5)


@pytest.mark.parametrize("factor", [46, 1 / 0.46, 0.0046])
def test_a_factor_far_from_the_cameras_own_is_refused(factor: float) -> None:
    with pytest.raises(
        ConfigurationError, match=r"pco\.edge 5\.5 says 0\.46 electrons per count; set that, or"
    ):
        ladder(TOLD, conversion_factor=factor)


def test_more_read_noise_than_any_camera_has_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"storage\.read_noise = 400: with 0\.46 electrons per count"
    ):
        ladder(TOLD, read_noise=400)


def test_pixels_of_8_bits_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"takes pixels of 16 bit, pco\.edge 5\.5 gives 8"):
        noise_ladder(StorageSettings(compression="shot-noise"), camera(TOLD, np.uint8))


def test_what_has_been_moved_once_is_not_moved_again() -> None:
    with pytest.raises(ConfigurationError, match="the pixels of 7 have been through it"):
        ladder({**TOLD, "lossy_method": "shot-noise"})
