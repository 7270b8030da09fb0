"""OME-Zarr (NGFF 0.5): a folder that grows with the frames, in chunks of whole frames."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from recorder import __version__
from recorder.files.export.content import BLOCK_BYTES, Content

# A chunk is a file: many small frames go into one.
CHUNK_BYTES = 8 * 2**20


def write(path: Path, content: Content) -> None:
    """Write the frames, compressed without loss, as an image into the folder `path`, which is made; blocks.

    The array `0` has axes t, y, x; `time`, `exposure`, `sequence_number` beside it have a value for each
    frame, s where they are times. Raises OSError.
    """
    facts, (frames, height, width) = content.facts, content.shape
    interval_s = float(np.median(np.diff(facts.times_s))) if frames > 1 else 1.0
    across, down = facts.pixel_size_um or (1.0, 1.0)
    unit = {"unit": "micrometer"} if facts.pixel_size_um else {}
    transformations = [{"type": "scale", "scale": [interval_s if interval_s > 0 else 1.0, down, across]}]
    if facts.times_s.size and facts.times_s[0] != 0:
        transformations.append({"type": "translation", "translation": [float(facts.times_s[0]), 0.0, 0.0]})
    multiscale = {
        "name": facts.name,
        "axes": [
            {"name": "t", "type": "time", "unit": "second"},
            {"name": "y", "type": "space", **unit},
            {"name": "x", "type": "space", **unit},
        ],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }
    about: dict[str, Any] = {"creator": f"recorder {__version__}", **facts.details}
    if facts.zero_utc is not None:
        about["time_zero"] = facts.zero_utc.isoformat()
    about["marks"] = [{"frame": at, "label": label, "text": text} for at, label, text in facts.marks]
    group = zarr.create_group(
        path,
        zarr_format=3,
        attributes={"ome": {"version": "0.5", "multiscales": [multiscale]}, "recorder": about},
    )
    per_chunk = max(1, min(frames, CHUNK_BYTES // max(1, height * width * content.dtype.itemsize)))
    columns = (("time", facts.times_s), ("exposure", facts.exposures_s), ("sequence_number", facts.numbers))
    image = group.create_array(
        "0",
        shape=(frames, height, width),
        dtype=content.dtype,
        chunks=(per_chunk, height, width),
        dimension_names=("t", "y", "x"),
        # By which xarray finds them.
        attributes={"coordinates": " ".join(name for name, _ in columns)},
    )
    for begin, chunk in _chunks(content, per_chunk):
        image[begin : begin + len(chunk)] = chunk
    for name, values in columns:
        column = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=("t",))
        column[:] = values


def _chunks(content: Content, per_chunk: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the frames in whole chunks, with the position of the first: no chunk is written twice."""
    begin = 0
    held: list[NDArray[Any]] = []
    count = 0
    for block in content.blocks():
        held.append(block)
        count += len(block)
        if count >= per_chunk:
            whole = np.concatenate(held) if len(held) > 1 else held[0]
            end = count - count % per_chunk
            yield begin, whole[:end]
            begin, count, held = begin + end, count - end, [whole[end:]]
    if count:
        yield begin, np.concatenate(held)


def read(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames (k, h, w) of what `write` wrote."""
    image: Any = zarr.open_array(path / "0", mode="r")
    step = image.chunks[0] * max(1, BLOCK_BYTES // max(1, math.prod(image.chunks) * image.dtype.itemsize))
    for begin in range(0, image.shape[0], step):
        yield image[begin : begin + step]
