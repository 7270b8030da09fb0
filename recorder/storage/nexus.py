"""Groups and attributes as NeXus has them, in texts of a fixed length."""

import h5py
import numpy as np
from numpy.typing import NDArray


def make_group(parent: h5py.Group, name: str, nx_class: str, **attributes: str) -> h5py.Group:
    """Return a new group of a NeXus class, with these attributes."""
    group = parent.create_group(name)
    describe(group, NX_class=nx_class, **attributes)
    return group


def describe(thing: h5py.HLObject, **attributes: str) -> None:
    """Give something these attributes."""
    for name, text in attributes.items():
        thing.attrs[name] = fixed(text)


def fixed(text: str) -> NDArray[np.bytes_]:
    """Return a fixed-length UTF-8 string: those of variable length do not survive a kill."""
    data = text.encode()
    return np.array(data, h5py.string_dtype("utf-8", max(1, len(data))))
