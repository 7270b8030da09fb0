from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recorder.preview.levels import BINS, BLACK, SATURATED, UNDER, WHITE, as_seen, histogram
from recorder.preview.picture import HEIGHT, WIDTH, Renderer


def frame(height: int = 2160, width: int = 2560) -> NDArray[Any]:
    rows, columns = np.mgrid[:height, :width]
    image: NDArray[Any] = ((rows * 7 + columns) % 4096).astype(np.uint16)
    return image


def pixels(picture: Any) -> NDArray[np.uint8]:
    return np.frombuffer(picture.pixels, np.uint8).reshape(picture.height, picture.width)


def test_a_full_frame_is_every_fourth_pixel_stretched_over_the_levels() -> None:
    image = frame()
    picture = Renderer(2160, 2560, image.dtype, 16).render(image, 7, (1000, 3000))
    assert (picture.number, picture.width, picture.height, picture.step) == (7, 640, 540, 4)
    scaled = (image[::4, ::4].astype(float) - 1000) / 2000
    assert np.abs(pixels(picture) - (np.clip(scaled, 0, 1) * (WHITE - BLACK) + BLACK)).max() <= 0.51


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gamma_bends_what_is_between_the_levels(gamma: float) -> None:
    image = np.tile(np.arange(0, 641, dtype=np.uint16), (16, 1))
    picture = Renderer(16, 641, image.dtype, 16).render(image, 1, (100, 500), gamma=gamma)
    values = image[0, :: picture.step][: picture.width].astype(float)
    bent = np.clip((values - 100) / 400, 0, 1) ** gamma
    assert np.abs(pixels(picture)[0] - (bent * (WHITE - BLACK) + BLACK)).max() <= 0.51


def test_pixels_without_light_and_saturated_ones_have_shades_of_their_own() -> None:
    image = np.array([[0, 1, 4094, 4095, 4096]], np.uint16)
    renderer = Renderer(1, 5, image.dtype, 12)
    shown = pixels(renderer.render(image, 1, "full", overlay=True))
    assert shown.tolist() == [[UNDER, BLACK, WHITE, SATURATED, SATURATED]]
    shown = pixels(renderer.render(image, 1, "full"))
    assert shown.tolist() == [[BLACK, BLACK, WHITE, WHITE, WHITE]]


def test_an_average_stands_for_all_its_pixels() -> None:
    image = frame()
    picture = Renderer(2160, 2560, image.dtype, 16).render(image, 1, (0, 4095), mean=True)
    means = image.reshape(540, 4, 640, 4).mean(axis=(1, 3))
    assert np.abs(picture.values - means).max() < 1


def test_a_region_is_shown_pixel_by_pixel() -> None:
    image = frame()
    renderer = Renderer(2160, 2560, image.dtype, 16)
    picture = renderer.render(image, 1, (0, 4095), (100, 50, 320, 200))
    assert (picture.step, picture.region) == (1, (100, 50, 320, 200))
    assert (picture.values == image[50:250, 100:420]).all()
    assert picture.value_at(100, 50) == image[50, 100]
    assert picture.value_at(99, 50) is None
    assert picture.profiles_at(99, 50) is None
    assert picture.profiles_at(103, 57) == (image[57, 100:420].tolist(), image[50:250, 103].tolist())


def test_the_histogram_is_fitted_to_the_values_and_counts_all_pixels() -> None:
    image = np.full((540, 640), 640, np.uint16)
    image[:, 320:] = 650
    image[0, 0] = 65535
    picture = Renderer(540, 640, image.dtype, 16).render(image, 1, "full", overlay=True)
    shown = picture.histogram
    assert (shown.start, shown.width, len(shown.counts)) == (640, 1, 11)
    assert sum(shown.counts) == 540 * 640
    assert shown.counts[10] == 540 * 320 + 4
    assert (picture.low, picture.high, picture.max, picture.saturated) == (0, 65535, 65535, 4)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=300), st.sampled_from([np.uint16, np.float32]))
def test_every_value_is_counted_in_its_bin(values: list[int], dtype: type[np.generic]) -> None:
    ordered = np.sort(np.array(values, dtype))
    shown = histogram(ordered, 1)
    assert sum(shown.counts) == len(values)
    assert 1 <= len(shown.counts) <= BINS
    if dtype is np.uint16:
        for i in range(1, len(shown.counts) - 1):
            low = shown.start + i * shown.width
            inside = (ordered >= low) & (ordered < low + shown.width)
            assert shown.counts[i] == np.count_nonzero(inside)


def test_automatic_levels_follow_smoothly_and_are_never_too_close() -> None:
    renderer = Renderer(64, 64, np.dtype(np.uint16), 16)
    dark, bright = np.full((64, 64), 100, np.uint16), np.full((64, 64), 1100, np.uint16)
    assert renderer.render(dark, 1, "auto").low == 100
    lows = [renderer.render(bright, i, "auto").low for i in range(20)]
    assert lows == sorted(lows)
    assert 100 < lows[0] < 1100
    assert lows[-1] > 1095
    picture = renderer.render(bright, 1, "auto")
    assert picture.high - picture.low >= 16


@given(
    height=st.integers(1, 700),
    width=st.integers(16, 1500),
    region=st.none() | st.tuples(*[st.integers(-5000, 5000)] * 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    mean=st.booleans(),
)
def test_whatever_is_asked_for_fits_into_the_picture(
    height: int, width: int, region: tuple[int, int, int, int] | None, dtype: type[np.generic], mean: bool
) -> None:
    renderer = Renderer(height, width, np.dtype(dtype), 16)
    picture = renderer.render(np.ones((height, width), dtype), 1, "auto", region, mean=mean)
    x, y, w, h = picture.region
    assert 1 <= picture.width <= WIDTH
    assert 1 <= picture.height <= HEIGHT
    assert len(picture.pixels) == picture.width * picture.height
    assert 0 <= x < x + w <= width
    assert 0 <= y < y + h <= height
    assert (picture.values == 1).all()


@pytest.mark.parametrize("levels", ["full", "auto", (100, 3000)])
def test_a_snapshot_has_the_shades_of_the_page(levels: Any) -> None:
    image = frame(300, 400)
    picture = Renderer(300, 400, image.dtype, 12).render(image, 1, levels)
    grey = (pixels(picture).astype(float) - BLACK) * 255 / (WHITE - BLACK)
    assert np.abs(grey - as_seen(image, levels, 12)).max() <= 2
