"""An example of an analysis, the trigger of a closed loop: compare the mean of a region with a threshold.

    [analysis]
    function = "recorder.preview.threshold:crossing"
    options = { x = 200, y = 100, width = 64, height = 64, threshold = 1200.0 }

Copy it, and add the reaction of the loop (a pulse on a port, a message) at the comment.
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
    """Return the mean of a region of `frame` (H, W), and whether it is above `threshold` (1 or 0).

    The region is in pixels. Called on the analysis thread; `frame` is valid until it returns.
    """
    del metadata
    mean = float(frame[y : y + height, x : x + width].mean())
    above = mean > threshold
    # Send the pulse here: some milliseconds after the exposure, or later on a busy machine.
    return {"mean": mean, "above": float(above)}
