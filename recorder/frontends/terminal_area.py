"""Lay a picture out in an area of a terminal: the picture on the left, what is known of it on the right."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np

from recorder.frontends.news import Standing
from recorder.frontends.terminal_graphics import BAND, kitty, sixel
from recorder.frontends.terminal_picture import (
    Fragments,
    caption,
    colours,
    extent,
    fitted,
    frame_regions,
    half_blocks,
    without_colour,
)
from recorder.preview.live import Preview
from recorder.preview.picture import Picture

# Columns beside the picture, in a terminal that has so many; one without has the picture alone.
BESIDE, WIDE = 30, 60

# Half blocks that are sent at most, 40 bytes each: more of them only make a slow connection slower.
MOST_BLOCKS = 1200

# Real pixels that are sent at most, width and height; the terminal shows them larger.
MOST = (240, 200)

CARRIER = "class:hint class:carrier"


@dataclass(frozen=True)
class Area:
    """Room in a terminal: `columns` of it, `rows` for the picture; `cell` is a character's size in pixels.

    `form` is how the picture is shown: blocks, sixel or kitty.
    """

    columns: int
    rows: int
    cell: tuple[int, int]
    form: str
    has_colours: bool


def compose(
    area: Area, picture: Picture, preview: Preview, standing: Standing
) -> tuple[list[Fragments], str]:
    """Return `area.rows` lines, and the sequences that draw real pixels over the first columns ("": none).

    These go out with the character of the style `CARRIER`, in the last row. A picture that is not live is
    grey, and the lines beside it say why. Takes some ms; on any thread.
    """
    is_live = standing.kind == "live"
    table = colours(preview.colours_of(picture), is_live=is_live)
    regions = preview.means
    beside = BESIDE if area.columns >= WIDE else 0
    room = area.columns - 3 - beside
    sequences = ""
    if area.form == "blocks":
        wide, high = extent(picture, room, 2 * area.rows)
        if (share := 2 * MOST_BLOCKS / (wide * high)) < 1:
            wide, high = (max(1, int(size * math.sqrt(share))) for size in (wide, high))
        shades = fitted(picture, wide, -(-high // 2) * 2)
        frame_regions(shades, picture, regions)
        lines = half_blocks(shades, table) if area.has_colours else without_colour(shades)
    else:
        cell_wide, cell_high = area.cell
        shown = extent(picture, room * cell_wide, area.rows * cell_high // BAND * BAND)
        sent = extent(picture, *(min(pair) for pair in zip(shown, MOST, strict=True)))
        shades = fitted(picture, *sent)
        frame_regions(shades, picture, regions)
        wide, rows = -(-shown[0] // cell_wide), max(1, shown[1] // cell_high)
        if area.form == "sixel":
            times = max(1, min(shown[0] // sent[0], shown[1] // sent[1]))
            drawn = sixel(np.repeat(np.repeat(shades, times, 0), times, 1), table)
        else:
            drawn = kitty(shades, table, wide, rows)
        up = f"\x1b[{area.rows - 1}A" if area.rows > 1 else ""
        # The cursor goes back to where it was.
        sequences = f"\x1b7{up}\r{drawn}\x1b8"
        lines = []
    told = (
        []
        if not beside
        else _told(caption(picture, preview.origin, regions, "" if is_live else standing.text), area, wide)
    )
    for row in range(area.rows):
        if row == len(lines):
            lines.append([("", " " * wide)])
        if row < len(told):
            lines[row] += [("", "  "), *told[row]]
    if sequences:
        # The character that they go out with, beside the picture.
        lines[-1][1:2] = [(CARRIER, "·"), ("", " ")]
    return lines, sequences


def _told(lines: list[Fragments], area: Area, wide: int) -> list[Fragments]:
    """Return the lines beside a picture, those of one piece wrapped at words."""
    room = area.columns - wide - 3
    told: list[Fragments] = []
    for line in lines:
        if len(line) > 1:
            told.append(line)
            continue
        style, text = line[0]
        told += [[(style, part)] for part in textwrap.wrap(text, room)]
    return told
