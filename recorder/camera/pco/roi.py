"""Which regions of interest a PCO camera reads out. Plain functions that do not ask the camera.

What a camera tells of its regions is not the whole truth; sources are in decision 8:

- an edge of the first generation (types 0x13xx) reads its sensor from the middle outwards, so that rows must
  be symmetric about it, and the dimax both rows and columns: the capability bits say so on some of them only;
- an edge 5.5 on Camera Link goes in steps of 160 columns, as long as the frame grabber does not crop frames
  ("soft ROI"), and one on Camera Link HS in steps of 16, though its description says 4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.camera.pco.refusal import refuse

Roi = tuple[int, int, int, int]

# sc2_defs.h: types of cameras, and bits of dwGeneralCapsDESC1.
_EDGE_FAMILY = 0x1300
_EDGE_55_CAMERA_LINK = {0x1300, 0x1310}
_EDGE_CLHS = 0x1340
_DIMAX = {0x1000, 0x1010, 0x1020}
_SYMMETRIC_ROWS, _SYMMETRIC_COLUMNS = 0x00800000, 0x01000000


@dataclass(frozen=True)
class _Axis:
    """What is allowed along one axis, in binned pixels."""

    name: str
    measure: str
    whole: int
    step: int
    least: int
    symmetric: bool

    def refusal(self, first: int, last: int) -> str:
        """Return why `first` to `last` cannot be read out, "" where it can."""
        size = last - first + 1
        if size < self.least:
            return f"its {self.measure} of {size} is less than the least, {self.least}"
        if self.step == 0 and size != self.whole:
            return f"this camera reads its whole {self.measure} only"
        # The last step may be a shorter one.
        if self.step > 1 and (
            (first - 1) % self.step or (last % self.step and (self.whole - last) % self.step)
        ):
            return f"{self.name} goes in steps of {self.step}"
        if self.symmetric and first - 1 != self.whole - last:
            return f"{self.name} must be symmetric about the middle"
        return ""

    def around(self, first: int, last: int) -> tuple[int, int]:
        """Return the smallest range allowed that holds `first` to `last`."""
        if self.step == 0:
            return 1, self.whole
        if self.symmetric:
            margin = min(first - 1, self.whole - last, (self.whole - self.least) // 2)
            margin -= margin % self.step
            return margin + 1, self.whole - margin
        last = max(last, min(self.whole, first + self.least - 1))
        last = min(math.ceil(last / self.step) * self.step, self.whole)
        first = min(first, last - self.least + 1)
        return first - (first - 1) % self.step, last

    def centred(self, size: int) -> tuple[int, int]:
        """Return the range about the middle with `size` pixels, or a few more."""
        margin = (self.whole - size) // 2
        return self.around(margin + 1, self.whole - margin)


@dataclass(frozen=True)
class RoiRules:
    """The regions that one camera reads out with one binning; a region is x0, y0, x1, y1 in binned pixels.

    Counted from 1, both ends included.
    """

    x: _Axis
    y: _Axis

    @classmethod
    def of(
        cls,
        binning: tuple[int, int],
        camera: Mapping[str, Any],
        sensor: Mapping[str, Any],
        kind: Mapping[str, Any],
    ) -> "RoiRules":
        """`camera` and `sensor` are the descriptions of an `OpenCamera`, `kind` its camera type."""
        code, caps = kind["camera type raw"], sensor["dwGeneralCapsDESC1"]
        _, _, width, height = whole_frame(camera, binning)
        across, down = camera["roi steps"]
        if across and code in _EDGE_55_CAMERA_LINK:
            across = max(across, 160)
        if across and code == _EDGE_CLHS:
            across = max(across, 16)
        columns = code in _DIMAX or bool(caps & _SYMMETRIC_COLUMNS)
        rows = code in _DIMAX or code & 0xFF00 == _EDGE_FAMILY or bool(caps & _SYMMETRIC_ROWS)
        least = [
            max(1, camera[f"min {way}"] // n) for way, n in zip(("width", "height"), binning, strict=True)
        ]
        return cls(
            _Axis("x", "width", width, across, least[0], columns),
            _Axis("y", "height", height, down, least[1], rows),
        )

    def check(self, roi: Roi) -> None:
        """Raise ConfigurationError for a region that cannot be read out; it names the nearest that can."""
        x0, y0, x1, y1 = roi
        for axis, first, last in ((self.x, x0, x1), (self.y, y0, y1)):
            if not 1 <= first <= last <= axis.whole:
                refuse("roi", _shown(roi), f"{axis.name} must go up, within 1 and {axis.whole}")
        reasons = [r for r in (self.x.refusal(x0, x1), self.y.refusal(y0, y1)) if r]
        if reasons:
            refuse("roi", _shown(roi), f"{', and '.join(reasons)}; {self._instead(roi)}")

    def _instead(self, roi: Roi) -> str:
        x0, y0, x1, y1 = roi
        across, down = self.x.around(x0, x1), self.y.around(y0, y1)
        near = f"the smallest that holds it is {_shown((across[0], down[0], across[1], down[1]))}"
        if not self.y.symmetric or down == self.y.centred(y1 - y0 + 1):
            return near
        # A camera that reads from the middle outwards is faster with few rows there.
        down = self.y.centred(y1 - y0 + 1)
        return f"{near}, one of its size {_shown((across[0], down[0], across[1], down[1]))}"


def whole_frame(camera: Mapping[str, Any], binning: tuple[int, int]) -> Roi:
    """Return the region of interest of the whole sensor as x0, y0, x1, y1 in binned pixels, from 1.

    `camera` is the description of an `OpenCamera`, which has the size of the sensor format in use.
    """
    return 1, 1, camera["max width"] // binning[0], camera["max height"] // binning[1]


def _shown(roi: Roi) -> str:
    return f"[{', '.join(map(str, roi))}]"
