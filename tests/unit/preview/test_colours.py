from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.preview.colours import MAPS, palette
from recorder.preview.levels import BLACK, SATURATED, UNDER, WHITE


def colours(name: str) -> NDArray[Any]:
    return np.frombuffer(palette(name), np.uint8).reshape(256, 3).astype(int)


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_the_tables_are_those_that_others_have(name: str) -> None:
    from silx.resources import resource_filename

    theirs = np.load(Path(resource_filename(f"gui/colormaps/{name}.npy")))
    shades = np.arange(BLACK, WHITE + 1)
    wanted = theirs[np.round((shades - BLACK) * 255 / (WHITE - BLACK)).astype(int)]
    assert np.abs(colours(name)[BLACK : WHITE + 1] - wanted * 255).max() <= 0.5 + 1e-4


def test_the_diverging_map_is_blue_grey_and_red() -> None:
    shown = colours("diverging")
    assert shown[BLACK].tolist() == [59, 76, 192]
    assert shown[WHITE].tolist() == [180, 4, 38]
    assert np.ptp(shown[127]) <= 3
    assert np.ptp(shown[128]) <= 3


@pytest.mark.parametrize("name", MAPS)
def test_clipped_pixels_have_colours_that_the_map_has_not(name: str) -> None:
    shown = colours(name)
    for clipped in (UNDER, SATURATED):
        others = np.delete(shown, clipped, axis=0)
        assert np.abs(others - shown[clipped]).sum(axis=1).min() > 60


def test_grey_is_grey_from_black_to_white() -> None:
    ramp = colours("grey")[BLACK : WHITE + 1]
    assert np.ptp(ramp, axis=1).max() == 0
    assert (ramp[0, 0], ramp[-1, 0]) == (0, 255)
    assert (np.diff(ramp[:, 0]) >= 0).all()
