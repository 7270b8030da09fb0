"""A picture of the preview in few pixels, as characters of a terminal, and what stands beside it.

Numbers of shades are those of `preview/levels`; behind them are the colours of regions' frames.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recorder.preview.colours import palette
from recorder.preview.levels import BLACK, SATURATED, UNDER, WHITE
from recorder.preview.picture import Picture
from recorder.preview.regions import COLOURS, RegionMean

Fragments = list[tuple[str, str]]

# Of the pixels that become one, such a share shows in the colour of over- and under-exposed ones.
_SHOWS = 1 / 8

# Shades are rounded to so many apart: a picture of noise is half as many bytes as with 4.
STEP = 8

_REGIONS = SATURATED + 1

# Without colours: characters from dark to bright.
_RAMP = " ░▒▓█"


@cache
def colours(name: str, *, is_live: bool = True) -> NDArray[np.uint8]:
    """Return red, green and blue (n, 3) of each shade and of regions' frames; grey where not `is_live`."""
    table = np.frombuffer(palette(name), np.uint8).reshape(-1, 3)
    frames = np.array([list(bytes.fromhex(colour[1:])) for colour in COLOURS], np.uint8)
    whole = np.concatenate([table, frames])
    if not is_live:
        whole = np.repeat(whole.mean(1, keepdims=True) / 2, 3, 1).astype(np.uint8)
    return whole


def extent(picture: Picture, width: int, height: int) -> tuple[int, int]:
    """Return width and height of the picture in at most (height, width) pixels."""
    scale = min(width / picture.width, height / picture.height)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def fitted(picture: Picture, wide: int, high: int) -> NDArray[np.uint16]:
    """Return the picture's shades (high, wide), means where they stand for several."""
    shades = np.frombuffer(picture.pixels, np.uint8).reshape(picture.height, picture.width)
    rows, columns = (
        np.arange(n + 1) * size // n for n, size in ((high, picture.height), (wide, picture.width))
    )
    if wide >= picture.width or high >= picture.height:
        return _rounded(shades[np.ix_(rows[:-1], columns[:-1])].astype(np.uint16))

    def summed(values: NDArray[np.uint8]) -> NDArray[np.uint32]:
        down = np.add.reduceat(values, rows[:-1], 0, dtype=np.uint32)
        return np.add.reduceat(down, columns[:-1], 1)

    counts = np.outer(np.diff(rows), np.diff(columns))
    few = _rounded((summed(shades) // counts).clip(BLACK, WHITE).astype(np.uint16))
    for special in (UNDER, SATURATED):
        exposed = shades == special
        if exposed.any():
            few[summed(exposed.view(np.uint8)) >= _SHOWS * counts] = special
    return few


def _rounded(shades: NDArray[np.uint16]) -> NDArray[np.uint16]:
    ordinary = (shades != UNDER) & (shades != SATURATED)
    rounded = np.minimum((shades - BLACK) // STEP * STEP + BLACK + STEP // 2, WHITE)
    return np.where(ordinary, rounded, shades).astype(np.uint16)


def frame_regions(shades: NDArray[np.uint16], picture: Picture, regions: Sequence[RegionMean]) -> None:
    """Draw the frames of the regions into the shades (h, w) of a picture."""
    height, width = shades.shape
    x, y, wide, high = picture.region
    for i, region in enumerate(regions):
        left, right = (round((edge - x) / wide * width) for edge in region.box[::2])
        top, bottom = (round((edge - y) / high * height) for edge in region.box[1::2])
        right, bottom = max(right, left + 1) - 1, max(bottom, top + 1) - 1
        colour = _REGIONS + i % len(COLOURS)
        rows, columns = (slice(max(0, a), max(0, b + 1)) for a, b in ((top, bottom), (left, right)))
        for row in (top, bottom):
            if 0 <= row < height:
                shades[row, columns] = colour
        for column in (left, right):
            if 0 <= column < width:
                shades[rows, column] = colour


def half_blocks(shades: NDArray[np.uint16], table: NDArray[np.uint8]) -> list[Fragments]:
    """Return a picture (h, w), h even, as lines of half blocks: two pixels each, one above the other."""
    names = _hex(table.tobytes())
    lines = []
    for upper, lower in zip(shades[::2].tolist(), shades[1::2].tolist(), strict=True):
        line: Fragments = []
        for above, below in zip(upper, lower, strict=True):
            style = f"fg:{names[above]} bg:{names[below]}"
            if line and line[-1][0] == style:
                line[-1] = (style, line[-1][1] + "▀")
            else:
                line.append((style, "▀"))
        lines.append(line)
    return lines


@cache
def _hex(table: bytes) -> list[str]:
    """Return the colours of a table as prompt styles write them."""
    return [f"#{table[i : i + 3].hex()}" for i in range(0, len(table), 3)]


def without_colour(shades: NDArray[np.uint16]) -> list[Fragments]:
    """Return a picture (h, w), h even, as characters from dark to bright; frames of regions are +."""
    lines = []
    for upper, lower in zip(shades[::2], shades[1::2], strict=True):
        framed = (upper >= _REGIONS) | (lower >= _REGIONS)
        places = ((upper + lower) // 2).clip(0, SATURATED) * len(_RAMP) // (SATURATED + 1)
        text = "".join(
            "+" if edge else _RAMP[place]
            for place, edge in zip(places.tolist(), framed.tolist(), strict=True)
        )
        lines.append([("", text)])
    return lines


def caption(
    picture: Picture, origin: tuple[int, int], regions: Sequence[RegionMean], standing: str
) -> list[Fragments]:
    """Return lines of what is shown beside a picture: figures, levels, the regions' means.

    `origin` is the place (x, y) of the frame on the sensor; `standing` says why this picture is not live, or
    is "".
    """
    unit = picture.unit
    x, y, wide, high = picture.region
    part = "" if (wide, high) == (picture.frame_width, picture.frame_height) else " shown"
    lines: list[Fragments] = [
        [("class:alarm", f" {standing} ")] if standing else [("class:hint", "preview off ends it")],
        [("", f"counter {picture.number}")],
        [("", f"{wide} x {high} pixels{part}{f' from {x + origin[0]}, {y + origin[1]}' if part else ''}")],
        [("", f"from {picture.low:.5g} to {picture.high:.5g} {unit}")],
        [("", f"min {picture.min:.5g}  mean {picture.mean:.5g}  max {picture.max:.5g}")],
    ]
    if picture.mode != "raw":
        what = "dF/F" if picture.mode == "dff" else "difference"
        lines.append([("", f"{what}, baseline {picture.baseline}")])
    if picture.saturated:
        lines.append([("class:refused", f"{picture.saturated} pixels saturated")])
    for region in regions:
        mean = "outside" if region.mean is None else f"{region.mean:.5g} {unit}"
        lines.append([(f"fg:{region.colour}", "■ "), ("", f"{region.name}  {mean}")])
    return lines
