"""What the window draws beside the picture: the histogram with its levels, a mean over time."""

import tkinter as tk
from collections.abc import Mapping, Sequence
from typing import Any

LOW, HIGH = "#5fafd7", "#ffd75f"


def right_end(head: Mapping[str, Any]) -> float:
    """Return the value at the right end of the histogram of a picture with this header."""
    counts = head["histogram"]
    last = max((i for i, count in enumerate(counts) if count), default=0)
    return float(min(65536.0, max((last + 2) * 65536 / len(counts), head["high"] * 1.1, 256.0)))


def draw_histogram(canvas: tk.Canvas, head: Mapping[str, Any]) -> None:
    """Draw the histogram of a picture with this header, and its levels."""
    canvas.delete("all")
    wide, tall, right = canvas.winfo_width(), canvas.winfo_height(), right_end(head)
    counts, highest = head["histogram"], max(head["histogram"])
    points = [0.0, float(tall)]
    bins = max(2, min(len(counts), round(right * len(counts) / 65536)))
    for i in range(bins):
        # The square root makes bins with few pixels visible beside those with many.
        points += [i / (bins - 1) * wide, tall - (counts[i] / highest) ** 0.5 * (tall - 30)]
    canvas.create_polygon(*points, wide, tall, fill="#7a8a94", outline="")
    for value, colour, row in ((head["low"], LOW, 8), (head["high"], HIGH, 22)):
        x = value / right * wide
        canvas.create_line(x, 0, x, tall, fill=colour)
        if x < wide / 2:
            canvas.create_text(x + 4, row, text=value, fill=colour, anchor="w")
        else:
            canvas.create_text(x - 4, row, text=value, fill=colour, anchor="e")


def draw_trace(canvas: tk.Canvas, trace: Sequence[float]) -> None:
    """Draw values as a line over the whole canvas, the last at its right."""
    canvas.delete("all")
    if len(trace) < 2:
        return
    wide, tall = canvas.winfo_width(), canvas.winfo_height()
    low, high = min(trace), max(trace)
    across, up = wide / (len(trace) - 1), (tall - 8) / ((high - low) or 1)
    points: list[float] = []
    for i, value in enumerate(trace):
        points += [i * across, tall - 4 - (value - low) * up]
    canvas.create_line(*points, fill=HIGH)
