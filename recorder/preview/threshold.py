"""An analysis to begin with, the trigger of a closed loop: the mean of a region against a threshold.

    [analysis]
    function = "recorder.preview.threshold:crossing"
    options = { x = 200, y = 100, width = 64, height = 64, threshold = 1200.0 }

Copy it, and put what the loop has to do (a pulse on a port, a message) where the comment says so.
"""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


def crossing(
    frame: NDArray[Any],
    metadata: Mapping[str, Any],
    *,
    x: int = 0,
    y: int = 0,
    width: int = 64,
    height: int = 64,
    threshold: float = 1000.0,
) -> dict[str, float]:
    """Return the mean of a region of `frame` (H, W), and whether it is above the threshold."""
    del metadata
    mean = float(frame[y : y + height, x : x + width].mean())
    above = mean > threshold
    # Here the pulse would go out: it is some milliseconds after the exposure, and later on a busy machine.
    return {"mean": mean, "above": float(above)}
