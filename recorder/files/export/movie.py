"""An MP4 to show: levels, colours, the time and the marks burnt in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recorder.errors import StorageError
from recorder.files.export.content import Content
from recorder.files.export.movie_look import Look
from recorder.preview.colours import palette
from recorder.preview.levels import Levels, ShadeTable, automatic, saturation_of

# How long the label of a mark is shown, in s of the film.
LABEL_S = 1.0

# Frames out of which automatic levels are taken.
LEVEL_FRAMES = 20

# The film's own rate: what is faster is thinned out, what is slower repeated by the player.
MOST_RATE = 60.0

# Players want even numbers of pixels; more than this across few of them decode.
LONGEST_SIDE = 3840


def write(path: Path, content: Content, look: Look, bits: int) -> None:
    """Write a film of the frames to `path`, which is made; blocks.

    Frames are shown at the times they were taken, `speed` times as fast. Raises StorageError where the
    encoder fails, OSError.
    """
    times = content.facts.times_s
    rate, chosen = _timing(times, look.speed)
    shape = content.shape
    height, width = _even(shape[1]), _even(shape[2])
    table = ShadeTable(saturation_of(bits, content.dtype))
    table.stretch(*_levels(content, look.levels, bits), overlay=False)
    colours = np.frombuffer(palette(look.colours), np.uint8).reshape(256, 3)
    film = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=rate, codec="libx264", quality=8, macro_block_size=2,
        output_params=["-preset", "veryfast", "-movflags", "+faststart"],
    )  # fmt: skip
    film.send(None)
    try:
        for position, frame in _chosen_frames(content, chosen):
            seen = colours[table.shades[frame]]
            canvas = np.zeros((height, width, 3), np.uint8)
            canvas[: shape[1], : shape[2]] = seen[:height, :width]
            if look.has_text:
                canvas = _labelled(canvas, _text(content, position, look.speed))
            film.send(np.ascontiguousarray(canvas))
    except OSError as error:
        raise StorageError(f"{path}: the film cannot be encoded: {error}") from error
    finally:
        film.close()


def _timing(times: NDArray[np.float64], speed: float) -> tuple[float, NDArray[np.int64]]:
    """Return the film's rate, and for each of its pictures which frame (position) it shows."""
    if len(times) < 2:
        return 1.0, np.arange(len(times))
    interval_s = float(np.median(np.diff(times))) / speed
    rate = min(MOST_RATE, max(1.0, 1 / interval_s if interval_s > 0 else MOST_RATE))
    moments = np.arange(0, (times[-1] - times[0]) / speed + 1 / rate / 2, 1 / rate) * speed + times[0]
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


def _even(pixels: int) -> int:
    return max(2, pixels - pixels % 2)
