"""The preview in a terminal: what is sent is decoded again, and is the picture."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from recorder.frontends.news import Standing
from recorder.frontends.terminal_area import CARRIER, Area, compose
from recorder.frontends.terminal_graphics import kitty, sixel
from recorder.frontends.terminal_kind import colour_bits, graphics
from recorder.frontends.terminal_picture import (
    caption,
    colours,
    extent,
    fitted,
    frame_regions,
    half_blocks,
    without_colour,
)
from recorder.preview.levels import BLACK, SATURATED, UNDER, WHITE
from recorder.preview.live import Preview
from recorder.preview.picture import Picture, Renderer
from recorder.preview.regions import COLOURS, RegionMean
from recorder.settings.model import PreviewSettings

LIVE = Standing("live", "", 0.0)


def picture_of(frame: NDArray[np.uint16]) -> Picture:
    height, width = frame.shape
    renderer = Renderer(height, width, frame.dtype, 16)
    return renderer.render(frame, 7, (0, 1000), overlay=True)


def ramp(height: int = 40, width: int = 80) -> NDArray[np.uint16]:
    """A frame that is brighter to the right, from 100 on."""
    return np.tile(np.linspace(100, 900, width).astype(np.uint16), (height, 1))


def test_a_picture_keeps_its_shape_whatever_the_room() -> None:
    picture = picture_of(ramp())
    assert extent(picture, 40, 100) == (40, 20)
    assert extent(picture, 400, 10) == (20, 10)
    assert fitted(picture, 20, 10).shape == (10, 20)
    # A small one is shown larger.
    assert fitted(picture_of(ramp(4, 8)), 16, 8).shape == (8, 16)


def test_pixels_that_become_one_are_averaged_and_saturated_ones_are_seen() -> None:
    frame = np.full((40, 80), 500, np.uint16)
    frame[::2] = 300
    few = fitted(picture_of(frame), 8, 4)
    assert abs(int(few[0, 0]) - (BLACK + 0.4 * (WHITE - BLACK))) <= 8
    frame[:10, :10] = 65535
    frame[30:, 70:] = 0
    # One hot pixel is none of a hundred.
    frame[20, 40] = 65535
    few = fitted(picture_of(frame), 8, 4)
    assert (few[0, 0], few[3, 7]) == (SATURATED, UNDER)
    assert np.count_nonzero(few == SATURATED) == np.count_nonzero(few == UNDER) == 1


def test_the_brightest_ordinary_pixel_is_not_shown_as_saturated() -> None:
    few = fitted(picture_of(np.full((8, 8), 1000, np.uint16)), 8, 8)
    assert WHITE - 8 < few.max() <= WHITE


def test_blocks_have_the_colours_of_the_map_above_and_below() -> None:
    table = colours("inferno")
    shades = np.array([[10, 10, 20], [30, 30, 40]], np.uint16)
    ((first, second),) = half_blocks(shades, table)
    assert first == (f"fg:#{table[10].tobytes().hex()} bg:#{table[30].tobytes().hex()}", "▀▀")
    assert second == (f"fg:#{table[20].tobytes().hex()} bg:#{table[40].tobytes().hex()}", "▀")


def test_without_colours_it_is_darker_to_the_left() -> None:
    shades = fitted(picture_of(ramp()), 20, 10)
    for ((_, text),) in without_colour(shades):
        order = [" ░▒▓█".index(character) for character in text]
        assert order == sorted(order)
        assert (order[0], order[-1]) == (0, 4)


def test_regions_are_framed_in_their_colours_wherever_one_zooms() -> None:
    picture = picture_of(ramp())
    shades = fitted(picture, 80, 40)
    frame_regions(shades, picture, [RegionMean("eye", (10, 5, 20, 15), COLOURS[0], 3.0)])
    framed = shades > SATURATED
    assert np.argwhere(framed).min(0).tolist() == [5, 10]
    assert np.argwhere(framed).max(0).tolist() == [14, 19]
    assert not framed[6:14, 11:19].any()
    assert colours("grey")[shades[5, 10]].tobytes().hex() == COLOURS[0][1:]
    # Outside what is shown nothing is drawn, and nothing fails.
    frame_regions(shades, picture, [RegionMean("far", (500, 500, 600, 600), COLOURS[0], None)])
    assert np.array_equal(framed, shades > SATURATED)


def from_sixel(text: str) -> NDArray[np.float64]:
    """Return red, green and blue (h, w, 3) in percent of a picture in sixel."""
    head, body = re.fullmatch(r'\x1bP0;1q"1;1;(\d+;\d+)(.*)\x1b\\', text, re.DOTALL).groups()  # type: ignore[union-attr]
    width, height = map(int, head.split(";"))
    seen = np.full((-(-height // 6) * 6, width, 3), np.nan)
    registers: dict[int, list[int]] = {}
    x = y = 0
    now = -1
    for token in re.findall(r"#\d+;2;\d+;\d+;\d+|#\d+|!\d+.|\$|-|[?-~]", body):
        if ";" in token:
            number, _, *rgb = map(int, token[1:].split(";"))
            registers[number] = rgb
        elif token[0] == "#":
            now = int(token[1:])
        elif token in "$-":
            x, y = 0, y + 6 * (token == "-")
        else:
            times = int(token[1:-1]) if token[0] == "!" else 1
            for bit in range(6):
                if (ord(token[-1]) - 63) >> bit & 1:
                    seen[y + bit, x : x + times] = registers[now]
            x += times
    return seen[:height]


def test_sixel_is_the_picture() -> None:
    chance = np.random.default_rng(1)
    shades = chance.integers(0, 264, (20, 31)).astype(np.uint16)
    shades[8:12] = 77
    table = colours("viridis")
    assert np.abs(from_sixel(sixel(shades, table)) - table[shades] / 2.55).max() <= 0.5


def test_what_a_kitty_is_sent_is_the_picture() -> None:
    chance = np.random.default_rng(1)
    shades = chance.integers(0, 264, (60, 80)).astype(np.uint16)
    table = colours("diverging")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty(shades, table, 10, 4))
    assert len(pieces) > 1
    assert [head.split(",")[-1] for head, _ in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert all(len(body) <= 4096 for _, body in pieces)
    assert {"a=T", "f=100", "c=10", "r=4", "q=2"} < set(pieces[0][0].split(","))
    packed = base64.b64decode("".join(body for _, body in pieces))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(packed))), table[shades])


def preview_with(*means: RegionMean) -> Any:
    preview = Preview(PreviewSettings())
    preview.means = means
    return preview


@pytest.mark.parametrize(("columns", "rows"), [(80, 14), (120, 25), (30, 6), (61, 4)])
@pytest.mark.parametrize("form", ["blocks", "sixel", "kitty"])
def test_it_never_takes_more_room_than_there_is(columns: int, rows: int, form: str) -> None:
    means = [RegionMean(f"region{i}", (0, 0, 9, 9), COLOURS[i], 1.5) for i in range(5)]
    area = Area(columns, rows, (8, 16), form, has_colours=True)
    for frame in (ramp(), ramp(400, 40), ramp(20, 500)):
        lines, sequences = compose(area, picture_of(frame), preview_with(*means), LIVE)
        assert len(lines) == rows
        assert all(sum(len(text) for _, text in line) < columns for line in lines)
        assert bool(sequences) == (form != "blocks")
        # They go out with a character of the last row, and leave the cursor where it was.
        assert (CARRIER in [style for style, _ in lines[-1]]) == bool(sequences)
        if sequences:
            assert sequences.startswith(f"\x1b7\x1b[{rows - 1}A\r")
            assert sequences.endswith("\x1b8")


def test_beside_it_stand_the_figures_and_the_regions_means() -> None:
    means = [
        RegionMean("eye", (0, 0, 9, 9), COLOURS[0], 1.5),
        RegionMean("far", (0, 0, 9, 9), COLOURS[1], None),
    ]
    told = ["".join(text for _, text in line) for line in caption(picture_of(ramp()), (0, 0), means, "")]
    assert told[1:5] == [
        "counter 7", "80 x 40 pixels", "from 0 to 1000 counts", "min 100  mean 494.5  max 889",
    ]  # fmt: skip
    assert told[-2:] == ["■ eye  1.5 counts", "■ far  outside"]


def test_what_is_not_live_is_grey_and_says_why() -> None:
    stopped = Standing("stopped", "stopped; 100 frames, 0 lost", 0.0)
    preview = preview_with()
    preview.colours = "inferno"
    lines, _ = compose(
        Area(80, 14, (8, 16), "blocks", has_colours=True), picture_of(ramp()), preview, stopped
    )
    styles = " ".join(style for line in lines for style, text in line if "▀" in text)
    assert all(len(set(re.findall("..", rgb))) == 1 for rgb in re.findall(r"#([0-9a-f]{6})", styles))
    assert "stopped; 100 frames" in "".join(text for line in lines for _, text in line)


@pytest.mark.parametrize(
    ("environment", "bits", "way"),
    [
        ({"TERM": "xterm-256color"}, None, ""),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 24, ""),
        ({"TERM": "xterm-kitty"}, 24, "kitty"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/tmux"}, None, ""),
        ({"TERM": "foot"}, 24, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "COLORTERM": "truecolor"}, 24, "kitty"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, 1, ""),
        ({"TERM": "vt220"}, 1, ""),
        ({"TERM": "dumb"}, 1, ""),
        ({}, None, ""),
    ],
)
def test_what_a_terminal_says_of_itself(environment: dict[str, str], bits: int | None, way: str) -> None:
    assert (colour_bits(environment), graphics(environment)) == (bits, way)
