"""The axes of the frames: time, y and x, as HDF5's dimension scales and as NeXus' axes.

A program finds an axis' name by the link of its scale. Each scale therefore has one hard link, which is
called as the axis is, and every other is a soft one. The references between frames and scales lie in HDF5's
global heap, which is written once, as the file is made, and never again.
"""

import h5py
import numpy as np

from recorder.storage.nexus import describe

# The axes in their order, as scales and in NXdata.
AXES = ("frame_time", "y", "x")

# The layout from which on a file has them.
AXES_SINCE = 3


def add_axes(file: h5py.File, detector: h5py.Group, data: h5py.Group, pixel_um: tuple[float, float]) -> None:
    """Name the axes of the frames and of each column, and give them coordinates.

    `detector` has the frames, and the column of times under the name of its axis; `data` is NXdata.
    `pixel_um` is the size of a pixel on the sample in um, across and down; (0, 0): not known, the
    coordinates count pixels.
    """
    frames = detector["data"]
    _, height, width = frames.shape
    across, down = pixel_um
    unit = "um" if across and down else "px"
    # Plots draw y upwards: so the first row is at the top of them, as it is on the preview's page.
    data["y"] = np.arange(height - 1, -1, -1) * (down or 1.0)
    data["x"] = np.arange(width) * (across or 1.0)
    describe(data["y"], units=unit, long_name=f"y ({unit}), upwards from the last row")
    describe(data["x"], units=unit, long_name=f"x ({unit}), from the first column")
    scales = {"frame_time": detector["frame_time"], "y": data["y"], "x": data["x"]}
    for dimension, (name, scale) in enumerate(scales.items()):
        scale.make_scale(name)
        frames.dims[dimension].attach_scale(scale)
        if name not in data:
            data[name] = h5py.SoftLink(scale.name)
        file[name] = h5py.SoftLink(scale.name)
    data.attrs["axes"] = np.array([name.encode() for name in AXES])
    for dimension, name in enumerate(AXES):
        data.attrs[f"{name}_indices"] = dimension


def add_time_axis(column: h5py.Dataset, detector: h5py.Group) -> None:
    """Have a column (N,) of values of each frame know the times of them."""
    column.dims[0].attach_scale(detector["frame_time"])
