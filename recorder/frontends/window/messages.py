"""What the window reads from the recorder, and how it says it in words."""

import json
import queue
import struct
from typing import Any, BinaryIO

Message = tuple[dict[str, Any], dict[str, Any] | None, bytes]


def read_messages(pipe: BinaryIO, inbox: "queue.Queue[Message | None]") -> None:
    """Put the recorder's messages into `inbox`, then None where they end; blocks, on a thread of its own."""

    def take() -> bytes:
        size = struct.unpack("<I", pipe.read(4))[0]
        return pipe.read(size)

    try:
        while True:
            head = json.loads(take())
            picture, pixels = None, b""
            if length := head.get("picture"):
                text = take()
                picture, pixels = json.loads(text), pipe.read(length - 4 - len(text))
            inbox.put((head, picture, pixels))
    except (struct.error, ValueError, OSError):
        inbox.put(None)


def status_text(s: dict[str, Any]) -> str:
    """Return the figures of a status in a line."""
    time_left = "" if s["disk_time_left_s"] is None else f"   disk {s['disk_time_left_s'] / 60:.0f} min"
    saving = f"saving {s['saving']}" if s["saving"] else "not saving"
    found = "".join(
        f"   {name} {'not a number' if value is None else f'{value:.5g}'}"
        for name, value in s["analysis"].items()
    )
    return (
        f"{s['state']}   {saving}   counter {s['number']}   {s['rate']:.1f}/s   lost {s['lost']}   "
        f"exposure {s['exposure']}   pool {s['pool']:.0%}{time_left}{found}"
    )


def readout_text(head: dict[str, Any]) -> str:
    """Return what is read off a picture with this header, in lines."""
    unit = " %" if head["unit"] == "%" else ""
    told = f"{head['min']} to {head['max']}{unit}, mean {head['mean']:.1f}{unit}"
    lines = [f"counter {head['number']}", told]
    if head["mode"] != "raw":
        lines.append(f"{head['mode']} against {head['baseline']}")
    if head["probe"]:
        (x, y, value), (ox, oy) = head["probe"], head["origin"]
        lines.append(f"({x + ox}, {y + oy}): {'outside' if value is None else f'{value}{unit}'}")
    for region in head["regions"]:
        mean = region["mean"]
        lines.append(f"{region['name']}: {'outside' if mean is None else f'{mean:.2f}{unit}'}")
    if head["saturated"]:
        lines.append("some pixels are saturated")
    return "\n".join(lines)
