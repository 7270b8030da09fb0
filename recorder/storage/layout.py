"""What stands where in the file: standard HDF5 1.10, NeXus, made whole before SWMR begins.

/                           NXroot   @default="entry"
/data, frame_time, y, x     links to the frames and their axes, for programs that look at the root only
/entry                      NXentry  @default="data"
/entry/instrument/detector  NXdetector: data (N, H, W), a column of length N for each stored field of
                            frames.metadata, links under the names of layout 1
/entry/instrument/optics    NXcollection: magnification, and what a pixel is of the sample, where known
/entry/data                 NXdata: links, and the axes of a frame (storage.axes)
/entry/sample, user, notes, metadata          what the user said of the recording (storage.user_metadata)
/entry/marks, commands, losses, analysis, metadata_changes    tables (storage.records), one row each
/entry/signals, signal_names, signal_losses    tables, too: what was measured beside the camera
/entry/regions/NAME         NXdata: the mean of a region in each frame, a column too, where it is asked for
/entry/clock                the camera's clock against the computer's (storage.clock_values)
/entry/durable              how much of it is on the disk for certain, for `recover`
/entry/configuration        the settings as used, TOML
/entry/definition_version   which layout this is
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t, h5z
from numpy.typing import DTypeLike

from recorder import __version__
from recorder.errors import UsageError
from recorder.frames.metadata import CHANNEL, CHECKSUM, COLUMNS, RELATIVE, TRIGGER_NUMBER, FrameField
from recorder.frames.pool import PAGE, FrameFormat
from recorder.frames.region_means import Box
from recorder.storage.axes import AXES, add_axes, add_time_axis
from recorder.storage.boot_id import boot_id
from recorder.storage.clock_values import make_clock
from recorder.storage.direct_io import write_at
from recorder.storage.nexus import describe, fixed, make_group
from recorder.storage.noise_ladder import NoiseLadder
from recorder.storage.packed_chunk import BLOSC, filter_values
from recorder.storage.records import ISO_TIME, ROWS, TEXT, WORD, Verdict
from recorder.storage.superblock import with_checksum
from recorder.storage.user_metadata import MetadataValue, write_metadata

# The journal stands beside the file.
JOURNAL_SUFFIX = ".commands.jsonl"

DETECTOR = "entry/instrument/detector"
REGIONS = "entry/regions"

# The group beside it of what is between the camera and the specimen.
OPTICS = "optics"

# What is on the disk for certain: how many frames, then how many rows of each table.
DURABLE = "durable"

# The column of arrivals; its attribute says which moment of the host's monotonic clock it counts from, in ns
# (`time.perf_counter_ns`, 0: not known yet): so files of one start of the computer have one clock in common.
HOST_COLUMN = "host_time"
HOST_ZERO = "start_ns"

# The column against which plotting programs show the frames, and its name as the axis of time.
TIME_COLUMN = "start_time"
TIME_AXIS = AXES[0]

# Below this, what HDF5 allocates is metadata and stands close together; above it are chunks of pixels,
# which start on a page so that direct I/O can reach them.
ALIGN_FROM = 16 * 1024

# A column's chunk: 4096 rows of 8 bytes are what one flush writes anew.
COLUMN_ROWS = 4096

# HDF5's cache for each dataset: rows are written once and in order, so that one chunk of a column is enough.
# Its default of 8 MB would fill with every column over the first minutes and look like a leak.
CACHE_BYTES = 2 * COLUMN_ROWS * 8
CACHE_SLOTS = 101

# Units of what describes the camera and its pixels, where NeXus wants one.
UNITS = {"x_pixel_size": "m", "y_pixel_size": "m", "lossy_largest_error": "counts"}

# Counted up when a reader must know. 1: columns under our own names only, no counters in /entry/commands;
# 2: NeXus' names, ours as links; 3: axes are dimension scales, the column of times is called as its axis and
# NeXus' name is a link, a pixel is that of the sensor; /entry/metadata_changes, counted in /entry/durable;
# 4: chunks of frames may be packed. A file without is one of 3.
LAYOUT_VERSION, UNPACKED_VERSION = 4, 3


@dataclass(frozen=True)
class FileDescription:
    """What is known of a recording before its first frame.

    `pixel_um` is the size of a pixel on the sample in um, across and down, (0, 0) where it is not known;
    `magnification` 0 where it is not.
    """

    title: str
    format: FrameFormat
    frames_per_chunk: int
    detector: Mapping[str, str | int | float]
    configuration: str
    checksums: bool = False
    channels: tuple[str, ...] = ()  # that frames are of in turns
    regions: Mapping[str, Box] = field(default_factory=dict)  # whose means are stored
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    pixel_um: tuple[float, float] = (0.0, 0.0)
    magnification: float = 0.0
    is_packed: bool = False  # whether chunks may be packed by Blosc, each for itself
    ladder: NoiseLadder | None = None  # whose levels the pixels of packed chunks are moved to
    clock_unknown: str = ""  # why nothing is found out of the camera's clock, where it is not

    @property
    def layout_version(self) -> int:
        """The version that a reader of the file must know."""
        return LAYOUT_VERSION if self.is_packed else UNPACKED_VERSION

    @property
    def fields(self) -> tuple[FrameField, ...]:
        """The fields of a frame that the detector has columns for, in their order."""
        beside = {RELATIVE: self.trigger is not None, CHANNEL: bool(self.channels), CHECKSUM: self.checksums}
        return tuple(field for field in COLUMNS if beside.get(field, True))

    @property
    def trigger(self) -> int | None:
        """The counter of the frame from which the others are counted, None where there is none."""
        number = self.detector.get(TRIGGER_NUMBER)
        return None if number is None else int(number)

    @property
    def columns(self) -> tuple[str, ...]:
        """The path of every column of the file, in their order: fields, then means of regions."""
        return (
            *(f"{DETECTOR}/{field.column}" for field in self.fields),
            *(f"{REGIONS}/{name}/mean" for name in self.regions),
        )


def create(path: Path, what: FileDescription) -> None:
    """Make the file at `path`, in a folder that exists, with all it will ever hold; in one write.

    Raises UsageError where it exists, OSError where it cannot be made: then it is not there.
    """
    content = _image(path, what)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten") from None
    with contextlib.ExitStack() as undo:
        undo.callback(_remove, path)
        undo.callback(os.close, fd)  # which comes first: Windows removes no file that is open
        write_at(fd, 0, content)
        undo.pop_all()
    os.close(fd)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def open_to_write(path: Path, what: FileDescription) -> h5py.File:
    """Open the file that `create` made in SWMR mode; raises OSError."""
    return h5py.File(h5f.open(str(path).encode(), h5f.ACC_RDWR | h5f.ACC_SWMR_WRITE, fapl=_access(what)))


def _access(what: FileDescription) -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    # A packed chunk may take a single page.
    least = PAGE if what.is_packed else what.format.nbytes * what.frames_per_chunk
    access.set_alignment(min(ALIGN_FROM, least), PAGE)
    # Else a reader that comes in the moment before the writer would keep it from its own file; in SWMR mode
    # the library holds no lock later on either, and `writer_lock` keeps other recorders away.
    access.set_file_locking(False, True)
    access.set_cache(0, CACHE_SLOTS, CACHE_BYTES, 1.0)
    return access


def _image(path: Path, what: FileDescription) -> bytes:
    """Return the bytes of a file without frames; nothing is written anywhere."""
    access = _access(what)
    access.set_fapl_core(2**16, False)
    # The library wants a name; that of a file in memory is used for nothing.
    with h5py.File(h5f.create(path.name.encode(), h5f.ACC_TRUNC, fapl=access)) as file:
        _lay_out(file, path, what)
        file.flush()
        # HDF5 1.14.2 changes the superblock of the image and not its checksum.
        return with_checksum(file.id.get_file_image())


def _lay_out(file: h5py.File, path: Path, what: FileDescription) -> None:
    describe(
        file,
        NX_class="NXroot",
        default="entry",
        creator=f"recorder {__version__}",
        file_name=path.name,
        file_time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        HDF5_Version=h5py.version.hdf5_version,
    )
    entry = make_group(file, "entry", "NXentry", default="data")
    # The first of the single values, so that it stands where no boundary of a disk's sectors divides it.
    entry.create_dataset(DURABLE, data=np.zeros(1 + len(ROWS), np.uint64))
    names = ", ".join(row.table for row in ROWS)
    describe(entry[DURABLE], long_name=f"frames on the disk for certain, then rows of {names}")
    entry[DURABLE].attrs["boot_id"] = fixed(boot_id())
    entry["title"] = fixed(what.title or path.stem)
    for name, kind in (
        ("start_time", ISO_TIME),
        ("end_time", ISO_TIME),
        ("cause", TEXT),
        ("storage_mode", WORD),
    ):
        entry.create_dataset(name, data=b"", dtype=kind)
    entry.create_dataset("verdict", data=Verdict.RECORDING.encode(), dtype=WORD)
    entry["configuration"] = fixed(what.configuration)
    entry["definition_version"] = what.layout_version

    make_clock(entry, what.clock_unknown)
    write_metadata(entry, what.metadata)

    instrument = make_group(entry, "instrument", "NXinstrument")
    _describe_optics(instrument, what)
    detector = make_group(instrument, "detector", "NXdetector")
    tell(detector, {**what.detector, **(what.ladder.details() if what.ladder else {})})
    _make_pixels(detector, what)
    for kind in what.fields:
        name, link = kind.column, kind.alias
        if name == TIME_COLUMN:
            name, link = TIME_AXIS, TIME_COLUMN
        _make_column(detector, name, kind.stored_dtype, kind.meaning, kind.unit)
        if link not in {"", name}:
            detector[link] = h5py.SoftLink(f"/{DETECTOR}/{name}")
    if what.channels:
        detector[CHANNEL.column].attrs["names"] = np.array([name.encode() for name in what.channels], WORD)
    # What the stamps count from; known with the first frame, as long as it will be.
    detector[TIME_COLUMN].attrs.create("start", b"", dtype=ISO_TIME)
    detector[HOST_COLUMN].attrs.create(HOST_ZERO, 0, dtype=np.int64)

    data = make_group(entry, "data", "NXdata", signal="data")
    data["data"] = h5py.SoftLink(f"/{DETECTOR}/data")
    file["data"] = h5py.SoftLink(f"/{DETECTOR}/data")
    add_axes(file, detector, data, what.pixel_um)
    if what.regions:
        _make_regions(make_group(entry, "regions", "NXcollection"), what.regions)
    for column in what.columns:
        if column != f"{DETECTOR}/{TIME_COLUMN}":
            add_time_axis(file[column], detector)
    for row in ROWS:
        table = entry.create_dataset(row.table, (0,), row.dtype(), maxshape=(None,), chunks=(row.chunk_rows,))
        describe(table, long_name=row.help)


def tell(detector: h5py.Group, details: Mapping[str, str | int | float]) -> None:
    """Add to the detector's group what is known of it, by name."""
    for name, value in details.items():
        detector[name] = fixed(value) if isinstance(value, str) else value
        if name in UNITS:
            describe(detector[name], units=UNITS[name])


def _describe_optics(instrument: h5py.Group, what: FileDescription) -> None:
    known = dict(zip(("x_pixel_size", "y_pixel_size"), what.pixel_um, strict=True))
    known["magnification"] = what.magnification
    if not any(known.values()):
        return
    optics = make_group(instrument, OPTICS, "NXcollection")
    for name, value in known.items():
        if value:
            optics[name] = value
            describe(optics[name], units="" if name == "magnification" else "um")


def _make_column(group: h5py.Group, name: str, dtype: DTypeLike, meaning: str, unit: str) -> None:
    """Make a dataset with a value for each frame."""
    column = group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(COLUMN_ROWS,))
    describe(column, long_name=meaning, **({"units": unit} if unit else {}))


def _make_regions(group: h5py.Group, regions: Mapping[str, Box]) -> None:
    """Make a plot of its mean over time for each region."""
    for name, box in regions.items():
        region = make_group(group, name, "NXdata", signal="mean", axes=TIME_AXIS)
        _make_column(
            region, "mean", np.float64, f"mean of all pixels of {name}, NaN where not taken", "counts"
        )
        region[TIME_AXIS] = h5py.SoftLink(f"/{DETECTOR}/{TIME_AXIS}")
        region["box"] = np.array(box, np.int64)
        describe(
            region["box"], long_name="x0, y0, x1, y1 from 0 on, the last two not included", units="pixel"
        )


def _make_pixels(detector: h5py.Group, what: FileDescription) -> None:
    """Make the frames' dataset so that extending it writes nothing, and allocates chunks at once.

    Where chunks may be packed, each is allocated when it is written.
    """
    form = what.format
    size = (form.height, form.width)
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((what.frames_per_chunk, *size))
    creation.set_alloc_time(h5d.ALLOC_TIME_INCR if what.is_packed else h5d.ALLOC_TIME_EARLY)
    if what.is_packed:
        # Optional, as the library need not have it to write.
        chunk_bytes = form.nbytes * what.frames_per_chunk
        creation.set_filter(BLOSC, h5z.FLAG_OPTIONAL, filter_values(form.dtype.itemsize, chunk_bytes))
    creation.set_fill_time(h5d.FILL_TIME_NEVER)
    space = h5s.create_simple((0, *size), (h5s.UNLIMITED, *size))
    h5d.create(detector.id, b"data", h5t.py_create(form.dtype, logical=True), space, creation)
    # Without `interpretation` silx shows a volume instead of a stack of images.
    describe(detector["data"], interpretation="image", long_name="frames", units="counts")
