"""A process that looks at files, begun once, and recordings that want to be packed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recorder.files.probe import Probe, probing
from recorder.frames.pool import FrameFormat
from tests.unit.files.opened.recordings import PER_CHUNK, Written

FRAMES = 5 * PER_CHUNK + 2

# Chunks of several pages each.
FORM = FrameFormat(48, 100, np.dtype(np.uint16))


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing(patience=5) as one:
        one.ask(Path.exists, Path())
        yield one


@pytest.fixture
def recorded(tmp_path: Path) -> Written:
    """A closed file with losses, marks, checksums, means of a region; the last chunk is not full."""
    return record(tmp_path / "x.h5")


def record(path: Path, levels: int = 16) -> Written:
    file = Written(path, FORM, checksums=True, levels=levels, regions={"eye": (2, 3, 12, 13)})
    for lost in (0, 0, 3, 0, 0):
        file.write(lost=lost)
    file.write(2)
    file.mark(5, "trial1", "µ")
    file.close()
    return file
