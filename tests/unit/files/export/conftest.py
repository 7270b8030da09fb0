"""A recording to export: noise, with a gap, marks, and pixels of a known size."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from zarr.core.sync import cleanup_resources

import recorder
from recorder.files.opened.recording import OpenedRecording
from recorder.frames.ledger import Cause, Loss
from recorder.frames.pool import FrameFormat, Pool
from recorder.storage.layout import FileDescription
from recorder.storage.recording import Recording
from recorder.storage.records import MarkRow, MetadataRow, Verdict
from tests.conftest import fill, take

FORM = FrameFormat(24, 32, np.dtype(np.uint16))
FRAMES, PER_CHUNK = 60, 4
# Before index 20, so many frames are missing; a frame takes 10 ms.
GAP = 3
MARKS = {"trial1": 10, "trial2": 40, "light on": 41}


def make_recording(path: Path) -> None:
    what = FileDescription(
        title="a mouse",
        format=FORM,
        frames_per_chunk=PER_CHUNK,
        detector={
            "description": "tested camera",
            "serial_number": "7",
            "x_pixel_size": 6.5e-6,
            "y_pixel_size": 6.5e-6,
            "bit_resolution": 12,
        },
        pixel_um=(0.65, 0.65),
        configuration="",
        metadata={"subject": "mouse 2", "species": "Mus musculus", "sex": "F", "age": "P90D"},
    )
    file = Recording(path, what)
    pool, rng = Pool(FORM, PER_CHUNK, 1), np.random.default_rng(0)
    for first in range(0, FRAMES, PER_CHUNK):
        number = first + 1 + (GAP if first >= 20 else 0)
        losses = [Loss(19, GAP, Cause.STORAGE, 0.2, 21, 0.0)] if first == 20 else []
        with fill(take(pool), 0, PER_CHUNK, number) as span:
            span.pixels[:] = rng.integers(0, 4096, span.pixels.shape)
            file.append([span], losses)
    # Said while it ran.
    file.add_rows([MetadataRow(3, 0.03, "subject", "mouse 3", "test", 4)])
    file.add_rows([MarkRow(at, 0.0, label, "left", "test", at + 1) for label, at in MARKS.items()])
    file.finish()
    file.close(Verdict.FRAMES_LOST, "")
    file.sync()


@pytest.fixture(autouse=True)
def zarrs_threads() -> Iterator[None]:
    """Let go of the threads that zarr keeps for ever."""
    yield
    cleanup_resources()


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "mouse.h5"
    make_recording(path)
    return path


@pytest.fixture
def recording(path: Path) -> Iterator[OpenedRecording]:
    with recorder.open(path) as opened:
        yield opened
