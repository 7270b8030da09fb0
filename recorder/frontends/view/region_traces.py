"""The traces of regions over a whole recording: those stored for every frame, else samples of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.opened.recording import OpenedRecording
from recorder.frames.region_means import Box
from recorder.preview.regions import COLOURS, RegionMean

# A trace is drawn with so many points at most, of each the lowest and the highest mean.
BINS = 1000

# So many frames, spread over the recording, are looked at for a trace that is not stored.
SAMPLES = 400


class RegionTraces:
    """The means of regions in the frames that were looked at; on the event loop's thread.

    Frames looked at are those that displays show, and those of `next_frame`.
    """

    def __init__(self) -> None:
        # By the region's place: another one of the same name begins anew.
        self._means: dict[Box, dict[int, float]] = {}

    def note(self, index: int, means: tuple[RegionMean, ...]) -> None:
        """Take the means of the regions in frame `index`, in counts."""
        for region in means:
            if region.mean is not None:
                self._means.setdefault(region.box, {})[index] = region.mean

    def forget_others(self, boxes: Mapping[str, Box]) -> None:
        """Keep only what is known of these regions."""
        self._means = {box: known for box, known in self._means.items() if box in boxes.values()}

    def missing(self, recording: OpenedRecording, boxes: Mapping[str, Box]) -> dict[str, Box]:
        """Return the regions whose means are not stored."""
        stored = stored_regions(recording)
        return {name: box for name, box in boxes.items() if stored.get(name) != box}

    def next_frame(self, boxes: Mapping[str, Box], frames: int) -> tuple[int, dict[str, Box]] | None:
        """Return the frame that is to be looked at next, and for which regions; None: enough are known."""
        for index in _spread(min(SAMPLES, frames), frames):
            wanted = {name: box for name, box in boxes.items() if index not in self._means.get(box, {})}
            if wanted:
                return index, wanted
        return None

    def shown(
        self, recording: OpenedRecording, times: NDArray[np.float64], boxes: Mapping[str, Box]
    ) -> dict[str, Any]:
        """Return the traces for a display: by name the `colour`, the number of frames `known`, and `points`.

        A point is [time, lowest, highest mean].
        """
        stored = stored_regions(recording)
        found = {}
        for i, (name, box) in enumerate(boxes.items()):
            if name in stored and stored[name] == box:
                means = recording.regions[name]
                indices = np.flatnonzero(np.isfinite(means))
                means = means[indices]
            else:
                known = sorted(item for item in self._means.get(box, {}).items() if item[0] < len(times))
                indices = np.array([index for index, _ in known], np.int64)
                means = np.array([mean for _, mean in known])
            points = list(_points(times[indices], means))
            found[name] = {"colour": COLOURS[i % len(COLOURS)], "known": len(indices), "points": points}
        return found


def stored_regions(recording: OpenedRecording) -> dict[str, Box]:
    """Return where the regions are whose means are stored for every frame, in pixels of the frame."""
    found: dict[str, Box] = {}
    for name in recording.regions:
        boxes = [file.values.get(f"regions/{name}/box") for file in recording.contents]
        box = boxes[0]
        # In each file of a session a region may be another.
        if isinstance(box, list) and len(box) == 4 and all(other == box for other in boxes):
            x0, y0, x1, y1 = map(int, box)
            found[name] = (x0, y0, x1, y1)
    return found


def _spread(count: int, frames: int) -> Iterator[int]:
    """Yield `count` indices of `frames`, such that those so far are always spread over all of them."""
    bits = max(1, (count - 1).bit_length())
    for i in range(1 << bits):
        place = int(f"{i:0{bits}b}"[::-1], 2)
        if place < count:
            yield place * (frames - 1) // max(1, count - 1)


def _points(times: NDArray[np.float64], means: NDArray[np.float64]) -> Iterator[list[float]]:
    """Yield [time, lowest, highest] of at most `BINS` parts of a trace."""
    step = max(1, -(-len(means) // BINS))
    for begin in range(0, len(means), step):
        part = means[begin : begin + step]
        yield [round(float(times[begin]), 6), round(float(part.min()), 3), round(float(part.max()), 3)]
