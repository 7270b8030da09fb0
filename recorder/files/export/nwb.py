"""Neurodata Without Borders: a OnePhotonSeries with the camera's time stamps, marks as a table of events."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.data_utils import AbstractDataChunkIterator, DataChunk
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.event import EventsTable
from pynwb.file import Subject
from pynwb.ophys import OnePhotonSeries, OpticalChannel

from recorder import __version__
from recorder.errors import UsageError
from recorder.files.export.content import BLOCK_BYTES, Content, Facts
from recorder.files.hdf5_target import hdf5_target

# HDF5's own is 1 MB: chunks that were compressed are written as they are.
BUFFER = 32 * 2**20

# Where `read` finds the frames, and what a series is called.
SERIES = "OnePhotonSeries"

# What [metadata] may say of the animal, in NWB's own words.
SUBJECT = (
    "subject_id",
    "species",
    "sex",
    "age",
    "strain",
    "genotype",
    "weight",
    "date_of_birth",
    "description",
)

# What DANDI does not take a file without, and how it is said.
ARCHIVES_WANT = {
    "subject_id": "subject=M12",
    "species": "'species=Mus musculus'",
    "sex": "sex=F",
    "age": "age=P90D",
}

UNKNOWN = "unknown"

CHUNK_BYTES = 8 * 2**20


class _Chunks(AbstractDataChunkIterator):  # type: ignore[misc]  # hdmf has no types
    """The frames for the library, as (n, w, h): NWB's order of axes is frame, x, y."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._blocks = content.blocks()
        self._position = 0
        self.before_each: Callable[[], object] = lambda: None

    def __iter__(self) -> "_Chunks":
        return self

    def __next__(self) -> DataChunk:
        self.before_each()
        block = next(self._blocks)
        begin, self._position = self._position, self._position + len(block)
        return DataChunk(block.transpose(0, 2, 1), np.s_[begin : self._position, :, :])

    next = __next__

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._content.dtype

    @property
    def maxshape(self) -> tuple[int, int, int]:
        frames, height, width = self._content.shape
        return frames, width, height

    def recommended_chunk_shape(self) -> tuple[int, int, int]:
        frames, width, height = self.maxshape
        nbytes = max(1, width * height * self.dtype.itemsize)
        return max(1, min(frames, CHUNK_BYTES // nbytes)), width, height

    def recommended_data_shape(self) -> tuple[int, int, int]:
        return self.maxshape


def write(path: Path, content: Content) -> None:
    """Write the frames, compressed without loss, and the marks into `path`, which is made; blocks.

    What the file says of subject, session and optics is what the recording's metadata says of them. Raises
    UsageError where the start of the recording is not known, OSError.
    """
    facts = content.facts
    if facts.zero_utc is None:
        raise UsageError(
            f"{facts.name}: when it began is not known, which NWB wants; recorder recover may help"
        )
    file = _file_of(facts, facts.zero_utc)
    camera, serial = (facts.details.get(name, UNKNOWN) for name in ("camera", "serial number"))
    device = file.create_device(name="camera", description=f"{camera}, serial number {serial}")
    about = facts.metadata
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(
            name="OpticalChannel",
            description=str(about.get("optical_channel", UNKNOWN)),
            emission_lambda=_number(about.get("emission_lambda")),
        ),
        description="the plane in the camera's focus",
        device=device,
        excitation_lambda=_number(about.get("excitation_lambda")),
        indicator=str(about.get("indicator", UNKNOWN)),
        location=str(about.get("location", UNKNOWN)),
        **_spacing(facts),
    )
    _, height, width = content.shape
    chunks = _Chunks(content)
    file.add_acquisition(
        OnePhotonSeries(
            name=SERIES,
            description="frames as the camera delivered them; their times are the starts of their exposures",
            data=H5DataIO(
                chunks,
                chunks=chunks.recommended_chunk_shape(),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            ),
            timestamps=facts.times_s,
            unit="counts",
            imaging_plane=plane,
            dimension=[width, height],
            device=device,
            comments="; ".join(f"{name}: {value}" for name, value in facts.details.items()) or "none",
            **_exposure(facts),
        )
    )
    if facts.marks:
        _add_marks(file, facts)
    with hdf5_target(path, rdcc_nbytes=BUFFER) as (target, opened), NWBHDF5IO(file=opened, mode="w") as io:
        chunks.before_each = target.check
        io.write(file)


def _file_of(facts: Facts, zero_utc: datetime) -> NWBFile:
    about = facts.metadata
    subject = {name: str(about[name]) for name in SUBJECT if name in about}
    if "subject" in about and "subject_id" not in subject:
        subject["subject_id"] = str(about["subject"])
    if (born := subject.pop("date_of_birth", "")) != "":
        try:
            subject["date_of_birth"] = datetime.fromisoformat(born).replace(tzinfo=UTC)  # type: ignore[assignment]
        except ValueError:
            raise UsageError(f'metadata date_of_birth = "{born}": write it as 2026-11-24') from None
    known = {
        name: str(about[name])
        for name in ("lab", "institution", "experiment_description", "protocol", "surgery", "virus", "notes")
        if name in about
    }
    if "operator" in about or "experimenter" in about:
        known["experimenter"] = [str(about.get("experimenter", about.get("operator")))]  # type: ignore[assignment]
    return NWBFile(
        session_description=facts.details.get("title") or f"recording {facts.name}",
        identifier=str(uuid4()),
        session_start_time=zero_utc,
        session_id=facts.name,
        was_generated_by=[["recorder", __version__]],
        subject=Subject(**subject) if subject else None,
        **known,
    )


def advice(facts: Facts) -> str:
    """Return a line about what archives ask for and the file will not say, "" where nothing is missing."""
    given = {*facts.metadata, *(["subject_id"] if "subject" in facts.metadata else [])}
    given |= {"age"} if "date_of_birth" in given else set()
    missing = [name for name in ARCHIVES_WANT if name not in given]
    if not missing:
        return ""
    said = " ".join(f"--meta {ARCHIVES_WANT[name]}" for name in missing)
    return f"for the archive DANDI add {said} (or [metadata] in the configuration, or meta at the console)"


def _add_marks(file: NWBFile, facts: Facts) -> None:
    table = EventsTable(name="marks", description="what the operator, or a program, marked")
    table.add_column("label", "the label of the mark")
    table.add_column("text", "what was written beside it")
    table.add_column("frame", "position of the marked frame in the series")
    for at, label, text in facts.marks:
        table.add_row(timestamp=float(facts.times_s[at]), label=label, text=text, frame=at)
    file.add_events_table(table)


def _spacing(facts: Facts) -> dict[str, Any]:
    if facts.pixel_size_um is None:
        return {}
    return {"grid_spacing": [size * 1e-6 for size in facts.pixel_size_um], "grid_spacing_unit": "meters"}


def _exposure(facts: Facts) -> dict[str, Any]:
    """Return the exposure, where all frames have the same."""
    values = np.unique(np.round(facts.exposures_s, 9))
    return {"exposure_time": float(values[0])} if len(values) == 1 and not math.isnan(values[0]) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def read(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames (k, h, w) of what `write` wrote."""
    with h5py.File(path) as file:
        data = file[f"acquisition/{SERIES}/data"]
        step = data.chunks[0] * max(1, BLOCK_BYTES // max(1, math.prod(data.chunks) * data.dtype.itemsize))
        for begin in range(0, len(data), step):
            yield data[begin : begin + step].transpose(0, 2, 1)
