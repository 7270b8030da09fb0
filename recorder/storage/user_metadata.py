"""What the user said of a recording: names and values, each where NeXus has a place for it.

What is given while a file is written can have no place of its own any more, as SWMR allows no new objects: it
is a row of `MetadataRow`, and stands in its place in every later file.
"""

import re
from collections.abc import Mapping

import h5py

from recorder.storage.nexus import fixed, make_group
from recorder.storage.records import MetadataRow

MetadataValue = str | int | float

# Groups of NXentry, and their classes.
GROUPS = {"sample": "NXsample", "user": "NXuser", "notes": "NXnote", "metadata": "NXcollection"}

# Where NeXus has a place: group ("": in NXentry itself) and field. All other names go into `OTHERS`.
PLACES = {
    "experiment": ("", "experiment_identifier"),
    "subject": ("sample", "name"),
    "sample": ("sample", "description"),
    "preparation": ("sample", "preparation_date"),
    "operator": ("user", "name"),
    "affiliation": ("user", "affiliation"),
    "email": ("user", "email"),
    "orcid": ("user", "ORCID"),
    "notes": ("notes", "description"),
}
OTHERS = "metadata"

_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?")


def write_metadata(entry: h5py.Group, values: Mapping[str, MetadataValue]) -> None:
    """Put values into the groups of a new file's NXentry; empty texts are left out."""
    for name, value in values.items():
        if value == "":
            continue
        group, field = PLACES.get(name, (OTHERS, name))
        if group and group not in entry:
            make_group(entry, group, GROUPS[group])
        (entry[group] if group else entry)[field] = fixed(value) if isinstance(value, str) else value


def read_metadata(entry: h5py.Group) -> dict[str, MetadataValue]:
    """Return the values that hold at the end of a file: those it began with, and those given later."""
    found: dict[str, MetadataValue] = {}
    for name, (group, field) in PLACES.items():
        if (path := f"{group}/{field}".lstrip("/")) in entry:
            found[name] = _value(entry[path])
    if OTHERS in entry:
        found |= {name: _value(entry[OTHERS][name]) for name in entry[OTHERS]}
    if MetadataRow.table in entry:
        for row in entry[MetadataRow.table][:]:
            name, text = (row[column].decode(errors="replace") for column in ("key", "value"))
            found.pop(name, None)
            if text:
                found[name] = text if name in PLACES else value_of(text)
    return found


def value_of(text: str) -> MetadataValue:
    """Return the number that `text` is, or the text itself: 007 and 1e5 may well be names."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text or len(text) > 18 else int(text)


def _value(dataset: h5py.Dataset) -> MetadataValue:
    value = dataset[()]
    return value.decode(errors="replace") if isinstance(value, bytes) else value.item()
