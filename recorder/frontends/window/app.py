"""The program of the preview window: pictures come on standard input, requests go to standard output.

python -m recorder.frontends.window.app
"""

import itertools
import json
import queue
import signal
import sys
import threading
import time
import tkinter as tk
from typing import Any

from PIL import Image, ImageTk

from recorder.frontends.window.charts import Traces, axis, draw_histogram
from recorder.frontends.window.messages import Message, read_messages, readout_text, status_text
from recorder.preview.colours import palette

BACK, PANEL, TEXT, FAINT, ALARM = "#121212", "#1c1c1e", "#d6d6d6", "#8a8a8a", "#af0000"

# How often the window looks for something new, in ms.
POLL_MS = 10

# How bright the picture is where it is not live and saved, by how the session stands; else 0.3.
LIGHT = {"live": 1.0, "not saving": 0.75}

SIDE = 300

# One step of the wheel, and the smallest region that it leads to, in pixels of the frame.
ZOOM = 0.8
MIN_REGION = 16


class Window:
    """The window: picture, histogram with levels, means of regions over time; on the main thread."""

    def __init__(self, root: tk.Tk) -> None:
        self._root = root
        self._inbox: queue.Queue[Message | None] = queue.Queue()
        self._head: dict[str, Any] | None = None
        self._image: Image.Image | None = None
        self._shown: ImageTk.PhotoImage | None = None
        self._drawn: list[int] | None = None
        self._from: tuple[float, float] = (0, 0)
        self._grip = ""
        self._axis = (0.0, 1.0)
        self._traces = Traces()
        self._light = 1.0
        root.title("recorder")
        root.configure(background=BACK)
        root.geometry("1080x640")
        root.protocol("WM_DELETE_WINDOW", self._close)
        self._status = tk.Label(root, background=PANEL, foreground=TEXT, anchor="w", padx=8, pady=4)
        self._status.pack(side="top", fill="x")
        side = tk.Frame(root, background=PANEL, width=SIDE)
        side.pack(side="right", fill="y")
        side.pack_propagate(False)
        self._banner = tk.Label(root, foreground="white", anchor="w", padx=8, pady=4)
        self._picture = tk.Canvas(root, background=BACK, highlightthickness=0, cursor="crosshair")
        self._picture.pack(side="left", fill="both", expand=True)
        for row in (
            (("mark (m)", self._mark), ("snapshot (s)", lambda: self._command("snapshot"))),
            (("auto (a)", lambda: self._range("auto")), ("full range", lambda: self._range("full"))),
            (("whole frame (Esc)", lambda: self._send(region=None)),),
        ):  # fmt: skip
            line = tk.Frame(side, background=PANEL)
            line.pack(fill="x", padx=6, pady=3)
            for text, action in row:
                button = tk.Button(line, text=text, command=action, relief="flat", highlightthickness=0)
                button.configure(background="#2a2a2d", foreground=TEXT, activebackground="#334455")
                button.pack(side="left", fill="x", expand=True, padx=2)
        self._histogram = tk.Canvas(side, height=130, background=BACK, highlightthickness=0)
        self._histogram.pack(fill="x", padx=6, pady=6)
        self._curve = tk.Canvas(side, height=80, background=BACK, highlightthickness=0)
        self._curve.pack(fill="x", padx=6)
        self._readout = tk.Label(side, background=PANEL, foreground=TEXT, justify="left", anchor="nw")
        self._readout.pack(fill="x", padx=6, pady=6)
        hint = "Wheel: zoom. Drag: move.\nShift and drag: a region."
        tk.Label(side, text=hint, background=PANEL, foreground=FAINT, justify="left", anchor="w").pack(
            side="bottom", fill="x", padx=6, pady=6
        )
        self._bind()
        threading.Thread(target=read_messages, args=(sys.stdin.buffer, self._inbox), daemon=True).start()
        self._send(ready=True)
        root.after(POLL_MS, self._poll)

    def _bind(self) -> None:
        root, picture, histogram = self._root, self._picture, self._histogram
        root.bind("m", lambda _: self._mark())
        root.bind("s", lambda _: self._command("snapshot"))
        root.bind("a", lambda _: self._range("auto"))
        root.bind("<Escape>", lambda _: self._send(region=None))
        picture.bind("<Configure>", lambda _: self._draw())
        picture.bind("<Motion>", lambda e: self._probe(e.x, e.y))
        picture.bind("<Leave>", lambda _: self._send(probe=None))
        picture.bind("<MouseWheel>", lambda e: self._zoom(e.x, e.y, e.delta > 0))
        picture.bind("<Button-4>", lambda e: self._zoom(e.x, e.y, True))
        picture.bind("<Button-5>", lambda e: self._zoom(e.x, e.y, False))
        picture.bind("<ButtonPress-1>", lambda e: self._press(e.x, e.y))
        picture.bind("<B1-Motion>", lambda e: self._drag(e.x, e.y, rectangle=bool(int(e.state) & 1)))
        picture.bind("<ButtonRelease-1>", lambda _: self._release())
        histogram.bind("<ButtonPress-1>", lambda e: self._grip_level(e.x))
        histogram.bind("<B1-Motion>", lambda e: self._drag_level(e.x))

    # To the recorder.

    def _send(self, **message: Any) -> None:  # noqa: ANN401
        try:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()
        except OSError:
            self._root.destroy()

    def _command(self, line: str) -> None:
        self._send(command=line)

    def _range(self, which: str) -> None:
        raw = self._head is None or self._head["mode"] == "raw"
        self._command(f"preview {'levels' if raw else 'range'} {which}")

    def _mark(self) -> None:
        self._send(mark=True)

    def _close(self) -> None:
        self._send(closed=True)
        self._root.destroy()

    # From the recorder.

    def _poll(self) -> None:
        """Show what has come; there is never more than one picture, for we ask for each."""
        while not self._inbox.empty():
            message = self._inbox.get()
            if message is None:
                self._root.destroy()
                return
            head, picture, pixels = message
            if "shown" in head:
                (self._root.deiconify if head["shown"] else self._root.withdraw)()
            if "status" in head:
                self._show_status(head["status"])
            if picture is not None:
                self._show(picture, pixels)
                self._send(ready=True)
        self._root.after(POLL_MS, self._poll)

    def _show_status(self, s: dict[str, Any]) -> None:
        self._status.configure(
            text=status_text(s), background=ALARM if s["lost"] or s["pool"] > 0.5 else PANEL
        )
        self._show_standing(s["standing"])

    def _show_standing(self, standing: dict[str, Any]) -> None:
        """Say over the picture why it is not live and saved, and since when; grey the picture then."""
        kind = standing["kind"]
        if kind == "live":
            self._banner.place_forget()
        else:
            since = time.strftime("%H:%M:%S", time.localtime(standing["since"]))
            colour = ALARM if kind == "failed" else "#5c4500"
            self._banner.configure(text=f"{standing['text']} (since {since})", background=colour)
            self._banner.place(in_=self._picture, relwidth=1.0)
            self._banner.lift()
        light = LIGHT.get(kind, 0.3)
        if light != self._light:
            self._light = light
            self._draw()

    def _show(self, head: dict[str, Any], pixels: bytes) -> None:
        self._head = head
        image = Image.frombytes("P", (head["width"], head["height"]), pixels)
        image.putpalette(palette(head["colours"]))
        self._image = image
        self._traces.add(head)
        self._draw()
        draw_histogram(self._histogram, self._head)
        self._traces.draw(self._curve)

    # Drawing.

    def _place(self) -> tuple[float, float, float]:
        """Return scale, and left and upper margin: pixels of the canvas to a pixel of the frame."""
        head = self._head or {"region": [0, 0, 1, 1]}
        _, _, w, h = head["region"]
        wide, tall = self._picture.winfo_width(), self._picture.winfo_height()
        scale = min(wide / w, tall / h)
        return scale, (wide - w * scale) / 2, (tall - h * scale) / 2

    def _draw(self) -> None:
        if self._head is None or self._image is None:
            return
        head = self._head
        x, y, w, h = head["region"]
        scale, left, top = self._place()
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        smooth = Image.Resampling.BILINEAR if scale * head["step"] < 1.5 else Image.Resampling.NEAREST
        image = self._image.convert("RGB").resize(size, smooth)
        if self._light < 1:
            image = image.convert("L").point(lambda value: value * self._light)
        self._shown = ImageTk.PhotoImage(image)
        canvas = self._picture
        canvas.delete("all")
        canvas.create_image(left, top, image=self._shown, anchor="nw")
        boxes = [(region["box"], region["colour"], region["name"]) for region in head["regions"]]
        if self._drawn:
            boxes.append((self._drawn, TEXT, ""))
        for (bx0, by0, bx1, by1), colour, name in boxes:
            x0, y0 = left + (bx0 - x) * scale, top + (by0 - y) * scale
            x1, y1 = left + (bx1 - x) * scale, top + (by1 - y) * scale
            canvas.create_rectangle(x0, y0, x1, y1, outline=colour, width=2)
            canvas.create_text(x0 + 4, y0 + 8, text=name, fill=colour, anchor="w")
        self._readout.configure(text=readout_text(head))

    # The mouse.

    def _to_frame(self, x: float, y: float) -> tuple[float, float]:
        scale, left, top = self._place()
        region = self._head["region"] if self._head else (0, 0)
        return region[0] + (x - left) / scale, region[1] + (y - top) / scale

    def _probe(self, x: int, y: int) -> None:
        if self._head is not None:
            at = self._to_frame(x, y)
            self._send(probe=[int(at[0]), int(at[1])])

    def _set_region(self, x: float, y: float, w: float, h: float) -> None:
        if self._head is None:
            return
        full_w, full_h = self._head["frame_width"], self._head["frame_height"]
        if w >= full_w and h >= full_h:
            self._send(region=None)
            return
        w, h = min(max(MIN_REGION, w), full_w), min(max(MIN_REGION, h), full_h)
        x, y = min(max(0, x), full_w - w), min(max(0, y), full_h - h)
        self._send(region=[round(x), round(y), round(w), round(h)])

    def _zoom(self, x: int, y: int, nearer: bool) -> None:
        if self._head is None:
            return
        rx, ry, w, h = self._head["region"]
        fx, fy = self._to_frame(x, y)
        factor = ZOOM if nearer else 1 / ZOOM
        self._set_region(fx - (fx - rx) * factor, fy - (fy - ry) * factor, w * factor, h * factor)

    def _press(self, x: int, y: int) -> None:
        self._from = self._to_frame(x, y)

    def _drag(self, x: int, y: int, *, rectangle: bool) -> None:
        if self._head is None:
            return
        (x0, y0), (x1, y1) = self._from, self._to_frame(x, y)
        if rectangle:
            wide, tall = self._head["frame_width"], self._head["frame_height"]
            (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
            edges = ((x0, wide), (y0, tall), (x1, wide), (y1, tall))
            self._drawn = [round(min(max(0, value), most)) for value, most in edges]
            self._draw()
        else:
            rx, ry, w, h = self._head["region"]
            self._set_region(rx + x0 - x1, ry + y0 - y1, w, h)

    def _release(self) -> None:
        """Make the rectangle that was drawn a region, under the next free name."""
        box, head, self._drawn = self._drawn, self._head, None
        if box is None or head is None or box[2] - box[0] < 2 or box[3] - box[1] < 2:
            return
        taken = {region["name"] for region in head["regions"]}
        name = next(name for i in itertools.count(1) if (name := f"r{i}") not in taken)
        x, y = head["origin"]
        self._command(f"region {name} {box[0] + x} {box[1] + y} {box[2] + x} {box[3] + y}")

    def _grip_level(self, x: int) -> None:
        if self._head is None:
            return
        self._axis = left, right = axis(self._head)
        value = left + x / self._histogram.winfo_width() * (right - left)
        nearer_low = abs(value - self._head["low"]) < abs(value - self._head["high"])
        self._grip = "low" if nearer_low else "high"
        self._drag_level(x)

    def _drag_level(self, x: int) -> None:
        if self._head is None:
            return
        (left, right), head = self._axis, self._head
        value = left + min(max(0.0, x / self._histogram.winfo_width()), 1.0) * (right - left)
        if head["mode"] != "raw":
            head["high"] = max(abs(value), (right - left) / 1000)
            head["low"] = -head["high"]
            self._send(range=head["high"])
        elif self._grip == "low":
            head["low"] = max(0, min(round(value), head["high"] - 1))
            self._send(levels=[head["low"], head["high"]])
        else:
            head["high"] = min(65535, max(round(value), head["low"] + 1))
            self._send(levels=[head["low"], head["high"]])
        draw_histogram(self._histogram, head)


def main() -> None:
    """Show the window until it is closed or the recorder is gone; exit with a message without a display."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        root = tk.Tk(className="recorder")
    except tk.TclError as error:
        sys.exit(f"there is no display to show it on ({error})")
    Window(root)
    root.mainloop()


if __name__ == "__main__":
    main()
