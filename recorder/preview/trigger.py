"""A condition on what an analysis finds of frames, and when it begins to hold: `mean > 1200`."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import did_you_mean
from recorder.frames.region_means import Box, box_in_frame, means_of
from recorder.preview.analysis import Function, as_values
from recorder.settings.file_types import split_condition

log = logging.getLogger(__name__)

# What is known of every frame.
MEAN = "mean"

# Returns the regions on the sensor by name, and where on it frames begin.
Regions = Callable[[], tuple[Mapping[str, Box], tuple[int, int]]]


class Trigger:
    """Fire when the condition `text` begins to hold, and again once it has not held in between.

    `fires` is called on the event loop's thread, `measuring` makes what is called on the analysis thread.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.name, self._sign, self._limit = split_condition(text)
        self._holds = self._has_warned = False

    def fires(self, values: Mapping[str, float]) -> bool:
        """Return whether the condition holds of these values, and did not of those before."""
        if self.name not in values:
            if values and not self._has_warned:
                self._has_warned = True
                missing = f"no {self.name}{did_you_mean(self.name, values)}"
                log.warning("analysis.trigger = %s: the function returned %s", self.text, missing)
            return False
        value, before = values[self.name], self._holds
        self._holds = value > self._limit if self._sign == ">" else value < self._limit
        return self._holds and not before

    def measuring(self, function: Function | None, regions: Regions) -> Function:
        """Return a function that returns what `function` does, and what the condition is about.

        A value that the function returns goes before a region of that name.
        """

        def measure(frame: NDArray[Any], metadata: Mapping[str, Any]) -> Mapping[str, float]:
            values = {} if function is None else as_values(function(frame, metadata))
            if self.name not in values and (box := self._box(frame, regions)) is not None:
                (mean,) = means_of(frame[np.newaxis], [box])[0]
                values = {**values, self.name: float(mean)}
            return values

        return measure

    def _box(self, frame: NDArray[Any], regions: Regions) -> Box | None:
        height, width = frame.shape
        named, corner = regions()
        if self.name in named:
            return box_in_frame(named[self.name], corner, (width, height))
        return (0, 0, width, height) if self.name == MEAN else None
