"""An MP4 to show: levels, colours, the time and the marks burnt in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recorder.errors import UsageError
from recorder.files.export.content import Content
from recorder.files.export.film_encoder import encoding
from recorder.files.export.movie_look import Look
from recorder.preview.colours import palette
from recorder.preview.levels import Levels, ShadeTable, automatic, saturation_of

# How long the label of a mark is shown, in s of the film.
LABEL_S = 1.0

# Frames out of which automatic levels are taken.
LEVEL_FRAMES = 20

# The film's own rate: what is faster is thinned out, what is slower repeated by the player.
MOST_RATE = 60.0

# A longer film is a slip.
LONGEST_S = 24 * 3600.0

# Few players decode more across; larger frames become means of 2 x 2 pixels, or more.
LONGEST_SIDE = 3840


def write(path: Path, content: Content, look: Look, bits: int) -> None:
    """Write a film of the frames to `path`, which is made; blocks.

    Frames are shown at the times they were taken, `speed` times as fast. Players want even numbers of pixels:
    a frame without has a black row, or column, more. Raises UsageError for a film of days, OSError.
    """
    times = content.facts.times_s
    rate, chosen = _timing(times, look.speed)
    _, height, width = content.shape
    shrink = -(-max(height, width) // LONGEST_SIDE)
    height, width = -(-height // shrink), -(-width // shrink)
    canvas = np.zeros((height + height % 2, width + width % 2, 3), np.uint8)
    table = ShadeTable(saturation_of(bits, content.dtype))
    table.stretch(*_levels(content, look.levels, bits), overlay=False)
    colours = np.frombuffer(palette(look.colours), np.uint8).reshape(256, 3)
    with encoding(path, canvas.shape[1], canvas.shape[0], rate) as put:
        for position, frame in _chosen_frames(content, chosen):
            picture = colours[table.shades[frame]]
            if shrink > 1:
                picture = np.asarray(Image.fromarray(picture).reduce(shrink))
            canvas[:height, :width] = picture
            put(_labelled(canvas, _text(content, position, look.speed)) if look.has_text else canvas)


def _timing(times: NDArray[np.float64], speed: float) -> tuple[float, NDArray[np.int64]]:
    """Return the film's rate, and for each of its pictures which frame (position) it shows."""
    if len(times) < 2:
        return 1.0, np.arange(len(times))
    # Between two files of a session a clock may step back a little.
    times = np.maximum.accumulate(times)
    lasts_s = float(times[-1] - times[0]) / speed
    if not lasts_s <= LONGEST_S:
        raise UsageError(f"the film would last {lasts_s / 3600:.0f} hours; give a higher --speed")
    interval_s = float(np.median(np.diff(times))) / speed
    rate = min(MOST_RATE, max(1.0, 1 / interval_s if interval_s > 0 else MOST_RATE))
    moments = np.arange(0, lasts_s + 1 / rate / 2, 1 / rate) * speed + times[0]
    return rate, np.clip(np.searchsorted(times, moments + interval_s * speed / 2) - 1, 0, len(times) - 1)


def _chosen_frames(content: Content, chosen: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield position and pixels (h, w) of each picture of the film."""
    at, position = 0, 0
    for block in content.blocks():
        while at < len(chosen) and chosen[at] < position + len(block):
            yield int(chosen[at]), block[chosen[at] - position]
            at += 1
        position += len(block)


def _levels(content: Content, levels: Levels, bits: int) -> tuple[int, int]:
    if levels == "full":
        return 0, saturation_of(bits, content.dtype)
    if levels != "auto":
        return levels
    step = max(1, len(content.part.indices) // LEVEL_FRAMES)
    sample = [
        content.shaping(content.frames[int(i) : int(i) + 1])[0, ::4, ::4]
        for i in content.part.indices[::step]
    ]
    low, high = automatic(np.sort(np.stack(sample), axis=None))
    return round(low), round(high)


def _text(content: Content, position: int, speed: float) -> str:
    facts = content.facts
    now_s = float(facts.times_s[position])
    labels = [
        label for at, label, _ in facts.marks if 0 <= now_s - float(facts.times_s[at]) <= LABEL_S * speed
    ]
    return "  ".join([f"{now_s:.3f} s", *labels])


def _labelled(canvas: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    image = Image.fromarray(canvas)
    size = max(10, canvas.shape[0] // 30)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    place = (size // 2, size // 2)
    draw.text(
        place, text, font=font, fill=(255, 255, 255), stroke_width=max(1, size // 12), stroke_fill=(0, 0, 0)
    )
    return np.asarray(image)
