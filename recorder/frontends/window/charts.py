"""What the window draws beside the picture: the histogram with its levels, a mean over time."""

import tkinter as tk
from collections.abc import Mapping, Sequence
from typing import Any

LOW, HIGH = "#5fafd7", "#ffd75f"


def axis(head: Mapping[str, Any]) -> tuple[float, float]:
    """Return the values at the left and the right end of the histogram of a picture with this header."""
    shown = head["histogram"]
    left = min(shown["start"], head["low"])
    right = max(shown["start"] + shown["width"] * len(shown["counts"]), head["high"])
    if head["mode"] != "raw":
        left, right = -max(-left, right), max(-left, right)
    margin = 0.04 * (right - left or 1)
    return max(0.0, left - margin) if head["mode"] == "raw" else left - margin, right + margin


def draw_histogram(canvas: tk.Canvas, head: Mapping[str, Any]) -> None:
    """Draw the histogram of a picture with this header, and its levels."""
    canvas.delete("all")
    wide, tall, (left, right) = canvas.winfo_width(), canvas.winfo_height(), axis(head)
    shown = head["histogram"]
    highest = max(shown["counts"])
    points: list[float] = []
    for i, count in enumerate(shown["counts"]):
        # The square root makes bins with few pixels visible beside those with many.
        top = tall - (count / highest) ** 0.5 * (tall - 30)
        for edge in (i, i + 1):
            points += [(shown["start"] + edge * shown["width"] - left) / (right - left) * wide, top]
    canvas.create_polygon(points[0], tall, *points, points[-2], tall, fill="#7a8a94", outline="")
    unit = " %" if head["unit"] == "%" else ""
    for value, colour, row in ((head["low"], LOW, 8), (head["high"], HIGH, 22)):
        x = (value - left) / (right - left) * wide
        canvas.create_line(x, 0, x, tall, fill=colour)
        text = f"{value:.4g}{unit}" if unit or head["mode"] != "raw" else f"{value:.0f}"
        if x < wide / 2:
            canvas.create_text(x + 4, row, text=text, fill=colour, anchor="w")
        else:
            canvas.create_text(x - 4, row, text=text, fill=colour, anchor="e")


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
