"""BigTIFF with OME metadata: times, exposures, the size of a pixel, marks as annotations."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from recorder import __version__
from recorder.files.export.content import Content
from recorder.files.export.raw_frames import PAGE, put_frames, read_frames


def write(path: Path, content: Content) -> None:
    """Write the frames as pages of `path`, which is made; blocks. Raises OSError."""
    facts = content.facts
    plane: dict[str, Any] = {
        "DeltaT": [round(float(t), 9) for t in facts.times_s],
        "DeltaTUnit": ["s"] * len(facts.times_s),
    }
    if not np.isnan(facts.exposures_s).any():
        plane["ExposureTime"] = [float(f"{t:.9g}") for t in facts.exposures_s]
        plane["ExposureTimeUnit"] = ["s"] * len(facts.times_s)
    about: dict[str, str] = dict(facts.details)
    about |= {
        f"mark {i}": f"frame {at}: {label} {text}".strip() for i, (at, label, text) in enumerate(facts.marks)
    }
    metadata: dict[str, Any] = {"axes": "TYX", "Name": facts.name, "Plane": plane, "MapAnnotation": about}
    if len(facts.times_s) > 1:
        interval_s = float(np.median(np.diff(facts.times_s)))
        metadata |= {"TimeIncrement": interval_s, "TimeIncrementUnit": "s"}
    if facts.zero_utc is not None:
        metadata["AcquisitionDate"] = facts.zero_utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tags: dict[str, Any] = {}
    if facts.pixel_size_um is not None:
        across, down = facts.pixel_size_um
        metadata |= {"PhysicalSizeX": across, "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": down, "PhysicalSizeYUnit": "µm"}
    if (size := _resolved_um(content)) is not None:
        tags = {"resolution": (1e4 / size[0], 1e4 / size[1]), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        # Without pixels: what stands around them, and room for them.
        file.write(
            None,
            shape=content.shape,
            dtype=content.dtype,
            photometric="minisblack",
            software=f"recorder {__version__}",
            align=PAGE,
            metadata=metadata,
            **tags,
        )
    put_frames(path, _place(path)[0], content.blocks())


def read(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames (k, h, w) of what `write` wrote, each block valid until the next."""
    offset, shape, dtype = _place(path)
    yield from read_frames(path, offset, shape, dtype)


def _resolved_um(content: Content) -> tuple[float, float] | None:
    """Return the size of a pixel as snapshots have it: on the sample, or else on the sensor."""
    facts, binning = content.facts, content.shaping.binning
    on_sensor = facts.sensor_pixel_um and (
        facts.sensor_pixel_um[0] * binning,
        facts.sensor_pixel_um[1] * binning,
    )
    return facts.pixel_size_um or on_sensor


def _place(path: Path) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    """Return at which byte the pixels begin, their shape (N, h, w), and type."""
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        offset, shape, dtype = series.dataoffset, series.shape, series.dtype
    if offset is None or dtype is None:
        raise OSError(f"{path}: its pages do not follow each other")
    # One frame alone has no axis of time.
    return offset, (math.prod(shape[:-2]), *shape[-2:]), dtype
