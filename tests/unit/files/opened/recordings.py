"""Recordings to open: what is in them is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.frames.ledger import Cause, Loss
from recorder.frames.pool import FrameFormat, Pool
from recorder.frames.region_means import Box
from recorder.storage.recording import Recording
from recorder.storage.records import MarkRow, Verdict
from tests.conftest import fill, take
from tests.unit.storage.test_recording import describe

FORM = FrameFormat(24, 40, np.dtype(np.uint16))
PER_CHUNK = 4

# Frames come every 10 ms (tests.conftest.fill).
INTERVAL_S = 0.01


class Written:
    """A file that is being written, a chunk of frames at a time; their pixels are in `frames`."""

    def __init__(
        self,
        path: Path,
        form: FrameFormat = FORM,
        first: int = 1,
        *,
        keep: bool = True,
        checksums: bool = False,
        levels: int = 65536,
        regions: Mapping[str, Box] | None = None,
    ) -> None:
        """Make the file; the camera's counter begins with `first`. With `keep` False no frame is kept.

        Pixels have one of so many `levels`: what has few can be packed. The means of `regions` are stored.
        """
        self.path, self._next, self._keep, self._levels = path, first, keep, levels
        self._count = 0
        self._pool = Pool(form, PER_CHUNK, 4 * PER_CHUNK * form.nbytes)
        what = replace(describe(form, PER_CHUNK), checksums=checksums, regions=regions or {})
        self._recording = Recording(path, what, "buffered")
        self.frames = np.zeros((0, form.height, form.width), form.dtype)

    def write(self, count: int = PER_CHUNK, lost: int = 0, picture: NDArray[Any] | None = None) -> None:
        """Write frames of random pixels, or of one picture (H, W), `lost` frames behind those before."""
        losses = []
        if lost:
            after, first = self._count - 1, self._next
            losses = [Loss(after, lost, Cause.COUNTER_GAP, after * INTERVAL_S, first, 0.0)]
            self._next += lost
        block = take(self._pool)
        with fill(block, 0, count, self._next) as span:
            pixels = np.random.default_rng(self._next).integers(0, self._levels, block.pixels[:count].shape)
            block.pixels[:count] = pixels if picture is None else picture
            if self._keep:
                self.frames = np.concatenate([self.frames, block.pixels[:count]])
            self._recording.append([span], losses)
            self._recording.commit()
        self._next += count
        self._count += count

    def mark(self, frame: int, label: str, text: str = "") -> None:
        """Mark a frame."""
        self._recording.add_rows([MarkRow(frame, frame * INTERVAL_S, label, text, "test", frame + 1)])

    def close(self, verdict: Verdict = Verdict.COMPLETE, cause: str = "") -> None:
        """Close the file."""
        self._recording.close(verdict, cause)
        self._recording.sync()


def written(
    path: Path, chunks: int = 5, first: int = 1, marks: Sequence[tuple[int, str]] = ()
) -> NDArray[Any]:
    """Write a file of whole chunks and marks, and close it; return its frames."""
    file = Written(path, first=first)
    for _ in range(chunks):
        file.write()
    for frame, label in marks:
        file.mark(frame, label)
    file.close()
    return file.frames
