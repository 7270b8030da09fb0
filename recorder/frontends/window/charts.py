"""What the window draws beside the picture: the histogram with its levels, traces of regions."""

import tkinter as tk
from collections import deque
from collections.abc import Mapping
from typing import Any

LOW, HIGH, TEXT = "#5fafd7", "#ffd75f", "#d6d6d6"

# The time that traces show.
BACK_S = 30.0


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


class Traces:
    """The mean of each region over the last `BACK_S`."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], deque[tuple[float, float]]] = {}
        self._mode = ""
        self._unit = ""

    def add(self, head: Mapping[str, Any]) -> None:
        """Take over the means of a picture with this header; those of regions that it has not are dropped."""
        if head["mode"] != self._mode:
            self._points.clear()
        self._mode, self._unit = head["mode"], head["unit"]
        before, self._points = self._points, {}
        for region in head["regions"]:
            key = (region["name"], region["colour"])
            points = self._points[key] = before.get(key, deque())
            if region["mean"] is not None:
                points.append((head["taken_s"], region["mean"]))
            while points and points[0][0] < head["taken_s"] - BACK_S:
                points.popleft()

    def draw(self, canvas: tk.Canvas) -> None:
        """Draw all traces with their lowest and highest value; the newest is at the right."""
        canvas.delete("all")
        everything = [point for points in self._points.values() for point in points]
        if not everything:
            return
        wide, tall = canvas.winfo_width(), canvas.winfo_height()
        now = max(at for at, _ in everything)
        low, high = min(mean for _, mean in everything), max(mean for _, mean in everything)
        up = (tall - 32) / ((high - low) or 1)
        for (_, colour), points in self._points.items():
            line = [(wide * (1 - (now - at) / BACK_S), tall - 18 - (mean - low) * up) for at, mean in points]
            if len(line) > 1:
                canvas.create_line(line, fill=colour)
        for value, y in ((high, 7), (low, tall - 20)):
            canvas.create_text(2, y, text=f"{value:.5g} {self._unit}", fill=TEXT, anchor="w")
        canvas.create_text(wide - 2, tall - 6, text=f"last {BACK_S:.0f} s", fill=TEXT, anchor="e")
