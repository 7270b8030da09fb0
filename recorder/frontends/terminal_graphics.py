"""Pictures as escape sequences, for terminals that take real pixels: sixel and the graphics of kitty.

Sixel: the VT330/VT340 programmer reference, chapter 14. kitty: sw.kovidgoyal.net/kitty/graphics-protocol.
"""

import base64
import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A band of sixel is so high.
BAND = 6

# The number of our picture in a terminal of kitty, and how much of it fits into one sequence.
_IMAGE = 19
_PIECE = 4096

END_KITTY = f"\x1b_Ga=d,d=I,i={_IMAGE},q=2\x1b\\"


def sixel(shades: NDArray[np.uint16], colours: NDArray[np.uint8]) -> str:
    """Return a picture (h, w) of indices into `colours` (n, 3) as sixel; each colour has a register."""
    height, width = shades.shape
    used = np.unique(shades)
    parts = [f'\x1bP0;1q"1;1;{width};{height}']
    for register, index in enumerate(used.tolist()):
        red, green, blue = (round(value / 2.55) for value in colours[index].tolist())
        parts.append(f"#{register};2;{red};{green};{blue}")
    registers = np.searchsorted(used, shades)
    for top in range(0, height, BAND):
        band = registers[top : top + BAND]
        weights = (1 << np.arange(len(band), dtype=np.uint8))[:, None]
        for register in np.unique(band).tolist():
            bits = ((band == register) * weights).sum(0, dtype=np.uint8) + np.uint8(63)
            line = re.sub(r"(.)\1{3,}", _repeated, bits.tobytes().decode("ascii").rstrip("?"))
            parts.append(f"#{register}{line}$")
        parts.append("-")
    return "".join([*parts, "\x1b\\"])


def _repeated(found: "re.Match[str]") -> str:
    return f"!{len(found[0])}{found[1]}"


def kitty(shades: NDArray[np.uint16], colours: NDArray[np.uint8], columns: int, rows: int) -> str:
    """Return a picture (h, w) of indices into `colours` (n, 3), to fill so many columns and rows.

    It takes the place of the one before, and stands behind the text.
    """
    packed = io.BytesIO()
    Image.fromarray(colours[shades]).save(packed, "PNG", compress_level=1)
    text = base64.b64encode(packed.getvalue()).decode("ascii")
    pieces = [text[i : i + _PIECE] for i in range(0, len(text), _PIECE)]
    first = f"a=T,f=100,i={_IMAGE},p=1,c={columns},r={rows},C=1,z=-1,q=2,"
    return "".join(
        f"\x1b_G{first if i == 0 else ''}m={int(i < len(pieces) - 1)};{piece}\x1b\\"
        for i, piece in enumerate(pieces)
    )
