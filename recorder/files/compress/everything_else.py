"""All of a recording but its pixels: copied into another file, whoever wrote it, and compared.

A program that came later may have added groups, datasets and attributes of any kind. References alone cannot
be copied, as they are addresses in the file; those of dimension scales are made anew.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.frames.metadata import CHECKSUM
from recorder.storage import layout
from recorder.storage.nexus import describe
from recorder.storage.noise_ladder import NoiseLadder
from recorder.storage.packed_chunk import BLOSC, Codec, filter_values

PIXELS = f"{layout.DETECTOR}/data"
_VERSION = "entry/definition_version"

# NeXus' name for when a file was changed.
_CHANGED = "file_update_time"

# Attributes of dimension scales, which hold references.
_DIMENSIONS, _USERS = b"DIMENSION_LIST", b"REFERENCE_LIST"

# What a file may say of itself that is another than in the one it was made of.
_NOT_COMPARED = {"/": {_CHANGED.encode()}}

_CHECKSUMS = f"{layout.DETECTOR}/{CHECKSUM.column}"


def copy(old: h5py.File, new: h5py.File, codec: Codec) -> h5d.DatasetID:
    """Copy all of a recording into an empty file; return the dataset of its pixels, which has no chunk yet.

    Raises UsageError, before anything is copied, where it holds references that are no dimension scales'.
    """
    _refuse_references(old)
    places: dict[int, str] = {}
    _copy_group(old, new, places, codec)
    for place in list(places.values()):
        if isinstance(old[place], h5py.Dataset):
            for axis, scales in enumerate(_scales(old[place])):
                for scale in scales:
                    new[place].dims[axis].attach_scale(new[places[scale]])
    if _VERSION in new and int(new[_VERSION][()]) == layout.UNPACKED_VERSION:
        new[_VERSION][()] = layout.LAYOUT_VERSION
    describe(new, **{_CHANGED: datetime.now(UTC).isoformat(timespec="milliseconds")})
    pixels: h5d.DatasetID = new[PIXELS].id
    return pixels


def tell_moved(new: h5py.File, ladder: NoiseLadder, sums: NDArray[np.uint32]) -> None:
    """Have a file say that its pixels were moved to the levels of `ladder`; their checksums are `sums`."""
    detector, details = new[layout.DETECTOR], ladder.details()
    for name in details:
        # A camera may have told some of it.
        detector.pop(name, None)
    layout.tell(detector, details)
    if _CHECKSUMS in new:
        new[_CHECKSUMS][...] = sums


def _copy_group(old: h5py.Group, new: h5py.Group, places: dict[int, str], codec: Codec) -> None:
    """Copy what is in a group; `places` has where each thing was copied to, by its address."""
    places[_address(old)] = old.name
    _copy_attributes(old, new)
    for name in old:
        link = old.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            new[name] = link
            continue
        thing = old[name]
        known = places.get(_address(thing))
        if known is not None:
            new[name] = new[known]
        elif isinstance(thing, h5py.Group):
            _copy_group(thing, _make_group(thing, new, name), places, codec)
        else:
            if thing.name == f"/{PIXELS}":
                _make_pixels(thing, new, codec)
            else:
                without = h5p.create(h5p.OBJECT_COPY)
                without.set_copy_object(h5o.COPY_WITHOUT_ATTR_FLAG)
                h5o.copy(old.id, name.encode(), new.id, name.encode(), without)
            _copy_attributes(thing, new[name])
            places[_address(thing)] = thing.name


def _make_group(old: h5py.Group, parent: h5py.Group, name: str) -> h5py.Group:
    """Make a group that keeps things in the order in which they were made where the old one does."""
    # All that was said as the old one was made makes one in which HDF5 2.0.0 cannot make anything.
    creation, order = h5p.create(h5p.GROUP_CREATE), old.id.get_create_plist().get_link_creation_order()
    creation.set_link_creation_order(order)
    return h5py.Group(h5g.create(parent.id, name.encode(), gcpl=creation))


def _make_pixels(old: h5py.Dataset, detector: h5py.Group, codec: Codec) -> None:
    """Make the dataset of the pixels as it was, but that Blosc packs its chunks."""
    creation = old.id.get_create_plist()
    if creation.get_nfilters():
        creation.remove_filter(BLOSC)
    chunk_bytes = int(np.prod(old.chunks)) * old.dtype.itemsize
    creation.set_filter(BLOSC, h5z.FLAG_OPTIONAL, filter_values(old.dtype.itemsize, chunk_bytes, codec))
    creation.set_alloc_time(h5d.ALLOC_TIME_INCR)
    h5d.create(detector.id, b"data", old.id.get_type(), old.id.get_space(), creation)


def _is_elsewhere(dataset: h5py.Dataset) -> bool:
    """Return whether the values of a dataset are in other files, which are left alone."""
    plist = dataset.id.get_create_plist()
    return bool(plist.get_layout() == h5d.VIRTUAL or plist.get_external_count())


def _copy_attributes(old: h5py.HLObject, new: h5py.HLObject) -> None:
    for name, attribute in _attributes(old).items():
        made = h5a.create(new.id, name, attribute.get_type(), attribute.get_space())
        values = _values(attribute)
        if values is not None:
            made.write(values, mtype=_memory_type(attribute.get_type(), attribute.dtype))


def difference(old: h5py.File, new: h5py.File, ladder: NoiseLadder | None) -> str:
    """Return what in `new` is not as in `old`, pixels aside; "" where nothing is.

    With `ladder` that is told, and the checksums are others.
    """
    moved = ladder.details() if ladder else {}
    for name, value in moved.items():
        place = f"/{layout.DETECTOR}/{name}"
        found = new[place][()] if place in new else None
        if (found.decode() if isinstance(found, bytes) else found) != value:
            return place
    left_out = {f"/{layout.DETECTOR}/{name}" for name in moved} | ({f"/{_CHECKSUMS}"} if moved else set())
    pairs = zip(_contents(old, left_out), _contents(new, left_out), strict=False)
    for (place, before), (found, now) in pairs:
        if (place, before) != (found, now):
            return min(place, found)
    lengths = [sum(1 for _ in _contents(file, left_out)) for file in (old, new)]
    return "" if lengths[0] == lengths[1] else "the number of things in it"


def _contents(file: h5py.File, left_out: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield each thing in a file with its place in it, to be compared, but for some."""
    places: dict[int, str] = {}
    found: list[h5py.Dataset] = []

    def within(group: h5py.Group) -> Iterator[tuple[str, Any]]:
        yield group.name, ("group", _comparable_attributes(group))
        places[_address(group)] = group.name
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            if place in left_out:
                continue
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield place, (type(link).__name__, getattr(link, "filename", ""), link.path)
                continue
            thing = group[name]
            known = places.get(_address(thing))
            if known is not None:
                yield place, ("link", known)
            elif isinstance(thing, h5py.Group):
                yield from within(h5py.Group(thing.id))
            else:
                places[_address(thing)] = thing.name
                yield place, (_comparable(thing), _comparable_attributes(thing))
                if isinstance(thing, h5py.Dataset):
                    found.append(thing)

    yield from within(file)
    for dataset in found:
        yield dataset.name, [[places[scale] for scale in scales] for scales in _scales(dataset)]


def _comparable(thing: h5py.Dataset | h5py.Datatype) -> Any:  # noqa: ANN401 - compared only
    if isinstance(thing, h5py.Datatype):
        return ("type", thing.id.encode())
    form = (thing.id.get_type().encode(), thing.shape, thing.maxshape, thing.chunks)
    if thing.name == f"/{PIXELS}" or thing.shape is None or _is_elsewhere(thing):
        return form
    if thing.name == f"/{_VERSION}":
        # With packed chunks and without.
        return form, min(int(thing[()]), layout.UNPACKED_VERSION)
    return form, _content(thing[()])


def _comparable_attributes(thing: h5py.HLObject) -> dict[bytes, Any]:
    left_out = _NOT_COMPARED.get(thing.name, set())
    return {
        name: (one.get_type().encode(), one.shape, _content(_values(one)))
        for name, one in _attributes(thing).items()
        if name not in left_out
    }


def _content(values: Any) -> Any:  # noqa: ANN401 - whatever numpy and h5py make of it
    if isinstance(values, np.ndarray | np.generic) and not values.dtype.hasobject:
        return values.tobytes()
    return values.tolist() if isinstance(values, np.ndarray) else values


def _attributes(thing: h5py.HLObject) -> dict[bytes, h5a.AttrID]:
    """Return the attributes of something by their names, but for references of dimension scales."""
    ids = (h5a.open(thing.id, index=i) for i in range(h5a.get_num_attrs(thing.id)))
    return {one.name: one for one in sorted(ids, key=lambda one: one.name) if not _is_of_scales(one)}


def _is_of_scales(attribute: h5a.AttrID) -> bool:
    return attribute.name in {_DIMENSIONS, _USERS}


def _values(attribute: h5a.AttrID) -> np.ndarray[Any, Any] | None:
    """Return what an attribute holds, None of one that is empty."""
    if attribute.get_space().get_simple_extent_type() == h5s.NULL:
        return None
    values = np.empty(attribute.shape, attribute.dtype)
    attribute.read(values, mtype=_memory_type(attribute.get_type(), attribute.dtype))
    return values


def _memory_type(kind: h5t.TypeID, dtype: np.dtype[Any]) -> h5t.TypeID | None:
    """Return the type to read and write values with: their own, bit by bit, where they have one length."""
    return None if kind.detect_class(h5t.VLEN) or dtype.hasobject else kind


def _scales(dataset: h5py.Dataset) -> list[list[int]]:
    """Return the addresses of the scales of each axis."""
    return [[_address(scale) for scale in axis.values()] for axis in dataset.dims]


def _address(thing: h5py.HLObject) -> int:
    return int(h5o.get_info(thing.id).addr)


def _refuse_references(file: h5py.File) -> None:
    def look(name: str, thing: h5py.HLObject) -> None:
        types = {name: thing.id.get_type()} if isinstance(thing, h5py.Dataset) else {}
        types |= {f"{name}, {key.decode()}": one.get_type() for key, one in _attributes(thing).items()}
        for place, kind in types.items():
            if kind.detect_class(h5t.REFERENCE) or kind.get_class() == h5t.REFERENCE:
                raise UsageError(
                    f"{file.filename}: /{place} refers to other things in it, which no copy of it could; "
                    "it was added later: export it, and remove it from a copy"
                )

    look("", file)
    file.visititems(look)
