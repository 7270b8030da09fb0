"""What other programs make of our files: those that are finished, that grow, that were killed."""

import importlib.metadata
import math
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from recorder.files.opening import open_recording
from recorder.files.recover import recover
from recorder.frames.pool import FrameFormat, Pool
from recorder.storage.axes import AXES
from recorder.storage.layout import DETECTOR, FileDescription
from recorder.storage.recording import Recording
from recorder.storage.records import MarkRow, MetadataRow, Verdict
from tests.conftest import fill, need, take
from tests.unit.files.their_readers import check_suite2p

FORM = FrameFormat(32, 64, np.dtype(np.uint16))
WHAT = FileDescription(
    title="a test",
    format=FORM,
    frames_per_chunk=4,
    detector={"description": "tested", "serial_number": "7", "x_pixel_size": 6.5e-6, "y_pixel_size": 6.5e-6},
    configuration="[camera]\n",
    checksums=True,
    metadata={"subject": "M12", "operator": "Zoë", "notes": "second", "experiment": "E 1", "weight": 23.5},
    pixel_um=(0.65, 0.65),
    magnification=10.0,
)
LABEL, TEXT = "Blitz µ", "größer"


def begun(path: Path, what: FileDescription = WHAT, frames: int = 12) -> Recording:
    """Return a file that grows, with so many frames: the first has 1 in its pixels, and 2 in its row 0."""
    recording = Recording(path, what)
    pool = Pool(FORM, 4, 1)
    for first in range(1, frames, 4):
        with fill(take(pool), 0, 4, first) as span:
            span.pixels[:, 0] *= 2
            recording.append([span])
    recording.add_rows(
        [MarkRow(3, 0.03, LABEL, TEXT, "console", 4), MetadataRow(3, 0.03, "weight", "24", "console", 4)]
    )
    return recording


def finished(recording: Recording) -> Path:
    recording.finish()
    recording.close(Verdict.COMPLETE, "")
    recording.sync()
    return recording.path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(begun(tmp_path_factory.mktemp("foreign") / "x.h5"))


@pytest.fixture
def xarray() -> Iterator[Any]:
    pytest.importorskip("h5netcdf")
    module = pytest.importorskip("xarray")
    with warnings.catch_warnings():
        # Of tables and single values, which have no named axis.
        warnings.filterwarnings("ignore", "The 'phony_dims' kwarg")
        yield module


def check_axes(data: Any, frames: int) -> None:
    """An xarray of the frames has names and coordinates."""
    assert data.dims == AXES
    assert data.shape == (frames, FORM.height, FORM.width)
    assert set(AXES) <= set(data.coords)
    assert data.frame_time.values == pytest.approx(np.arange(frames) * 0.01)
    assert data.frame_time.attrs["units"] == "s"
    assert data[frames - 1, 5, 5] == frames


def test_xarray_has_named_axes_with_times_and_places(file: Path, xarray: Any) -> None:
    with xarray.open_dataset(file, engine="h5netcdf") as root:
        check_axes(root["data"], 12)
        assert np.datetime64(root.frame_time.attrs["start"].removesuffix("+00:00"), "us")
        assert root.x.attrs["units"] == root.y.attrs["units"] == "um"
        assert root.x.values[:3].tolist() == pytest.approx([0, 0.65, 1.3])
        # Row 0 is at the top where y goes up, as xarray plots it.
        assert root.y.values[[0, -1]].tolist() == pytest.approx([31 * 0.65, 0])
        assert (root["data"].sel(frame_time=0.05, method="nearest")[1:] == 6).all()
    with xarray.open_dataset(file, engine="h5netcdf", group="entry/data") as group:
        check_axes(group["data"], 12)
    with xarray.open_dataset(file, engine="h5netcdf", group=DETECTOR) as detector:
        for name in ("sequence_number", "count_time", "temperature", "host_time", "checksum"):
            assert detector[name].dims == ("frame_time",)
        assert detector.sequence_number[-1] == 12
    with xarray.open_dataset(file, engine="h5netcdf", group="entry") as entry:
        label = entry["marks"].values["label"][0]
        assert label.decode() == LABEL


def test_axes_grow_with_the_rows_and_survive_a_kill(tmp_path: Path, xarray: Any) -> None:
    recording = begun(tmp_path / "x.h5", frames=4)
    with xarray.open_dataset(
        recording.path, engine="h5netcdf", driver_kwds={"swmr": True, "locking": False}
    ) as root:
        check_axes(root["data"], 4)
    pool = Pool(FORM, 4, 1)
    with fill(take(pool), 0, 4, 5) as span:
        recording.append([span])
    recording.commit()
    killed = tmp_path / "killed.h5"
    shutil.copy(recording.path, killed)  # as a kill leaves it
    finished(recording)
    with h5py.File(killed, "r", swmr=True, locking=False) as growing:
        assert [Path(growing["data"].dims[i][0].name).name for i in range(3)] == list(AXES)
        assert len(growing["data"].dims[0][0]) == len(growing["data"]) == 8
    with open_recording(killed) as shown:
        assert [Path(shown["data"].dims[i][0].name).name for i in range(3)] == list(AXES)
    assert recover(killed).frames == 8
    with xarray.open_dataset(killed, engine="h5netcdf") as root:
        check_axes(root["data"], 8)


def test_the_references_of_the_axes_are_never_written_again(tmp_path: Path) -> None:
    """They lie in the global heap, which a kill could leave half written: so it must never change."""
    recording = begun(tmp_path / "x.h5", frames=4)
    before = heaps(recording.path)
    assert before
    assert all(at < recording._places.pixels + 10**6 for at in before)
    pool = Pool(FORM, 4, 1)
    for first in range(5, 400, 4):
        with fill(take(pool), 0, 4, first) as span:
            recording.append([span])
        recording.add_rows([MarkRow(1, 0.0, f"m{first}", "", "test", 1)])
        assert heaps(recording.path) == before
    assert heaps(finished(recording)) == before


def heaps(path: Path) -> dict[int, bytes]:
    """Return the collections of a file's global heap by their address."""
    content, found, at = path.read_bytes(), {}, -1
    while (at := content.find(b"GCOL", at + 1)) >= 0:
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        found[at] = content[at : at + size]
    return found


def test_silx_shows_row_0_at_the_top_as_our_page_does(file: Path) -> None:
    """Its plots draw y upwards, with row i at the i-th value of y if these are evenly spaced.

    Its window needs Qt; this is what it makes of the axes (ArrayImagePlot in silx.gui.data.NXdataWidgets).
    """
    silx = pytest.importorskip("silx")
    from silx.io.nxdata.parse import get_default
    from silx.io.utils import open as silx_open
    from silx.math.calibration import ArrayCalibration

    assert silx.config.DEFAULT_PLOT_IMAGE_Y_AXIS_ORIENTATION == "upward"
    with silx_open(str(file)) as root:  # type: ignore[no-untyped-call]
        plot = get_default(root)
        assert plot is not None
        assert plot.interpretation == "image"
        _, y, x = plot.axes
        assert plot.signal is not None
        assert (len(plot.axes[0]), len(y), len(x)) == plot.signal.shape
        for axis, pixel_um in ((y, -0.65), (x, 0.65)):
            placed = ArrayCalibration(axis[:])  # type: ignore[no-untyped-call]
            assert placed.is_affine()
            assert placed.get_slope() == pytest.approx(pixel_um)  # type: ignore[no-untyped-call]
        assert plot.axes_names is not None
        assert plot.axes_names[1:] == ["y (um), upwards from the last row", "x (um), from the first column"]


def test_nexus_finds_no_error_in_it(file: Path) -> None:
    validate = pytest.importorskip("nexusformat.nexus.validate")
    validate.logger.setLevel("CRITICAL")
    warned, errors = validate.validate_file(str(file))
    assert errors == 0
    # Of fields that no base class of NeXus knows: ours.
    with h5py.File(file) as one:
        ours = len([name for name in one["entry"] if not isinstance(one["entry"][name], h5py.Group)])
        assert warned <= ours + len(one) + len(one[DETECTOR])


def test_nexusformat_plots_it(file: Path) -> None:
    nexus = pytest.importorskip("nexusformat.nexus")
    plottable = nexus.nxload(str(file)).plottable_data
    assert [axis.nxname for axis in plottable.nxaxes] == list(AXES)
    assert plottable.nxsignal.shape == (12, 32, 64)


def test_the_start_is_where_nexus_has_it(file: Path) -> None:
    with h5py.File(file) as one:
        for name in (
            "frame_time",
            f"{DETECTOR}/start_time",
            f"{DETECTOR}/frame_time",
            "entry/data/frame_time",
        ):
            assert len(one[name].attrs["start"]) == len("2026-01-01T12:00:00.123456+00:00")
            assert one[name] == one["frame_time"]
        assert one["entry/start_time"][()] == one["frame_time"].attrs["start"]


def test_pixels_are_those_of_the_sensor_and_of_the_sample(file: Path) -> None:
    with h5py.File(file) as one:
        assert one[DETECTOR]["x_pixel_size"][()] == 6.5e-6
        optics = one["entry/instrument/optics"]
        assert optics["magnification"][()] == 10
        assert math.isclose(optics["x_pixel_size"][()], 0.65)
        assert optics["x_pixel_size"].attrs["units"] == b"um"


def test_pixels_of_an_unknown_size_are_counted(tmp_path: Path) -> None:
    path = finished(begun(tmp_path / "x.h5", replace(WHAT, pixel_um=(0.0, 0.0), magnification=0.0)))
    with h5py.File(path) as one:
        assert "optics" not in one["entry/instrument"]
        assert one["y"][:3].tolist() == [31, 30, 29]
        assert one["x"].attrs["units"] == b"px"


def test_pytables_reads_frames_and_marks(file: Path) -> None:
    tables = pytest.importorskip("tables")
    with warnings.catch_warnings():
        # It reads no references, and says so.
        warnings.simplefilter("ignore", tables.exceptions.DataTypeWarning)
        with tables.open_file(str(file)) as opened:
            frames = opened.get_node(f"/{DETECTOR}/data")
            assert (frames[11, 1:] == 12).all()
            assert opened.root.data.dereference().shape == (12, 32, 64)
            assert opened.root.entry.marks.col("label")[0].decode() == LABEL


def test_marks_are_text_in_h5py(file: Path) -> None:
    with h5py.File(file) as one:
        marks = one["entry/marks"][:]
        assert np.char.decode(marks["label"], "utf-8").tolist() == [LABEL]
        assert h5py.check_string_dtype(one["entry/marks"].dtype["text"]).encoding == "utf-8"
        assert one["entry/verdict"].asstr()[()] == "complete"
        assert one["entry/user/name"].asstr()[()] == "Zoë"


def test_h5dump_shows_the_layout(file: Path) -> None:
    need(shutil.which("h5dump"), "h5dump (Debian: hdf5-tools)")
    done = subprocess.run(["h5dump", "-H", str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.count('ATTRIBUTE "DIMENSION_LIST"') == 6  # of the frames and of five columns
    for name in ("metadata_changes", "optics", "frame_time", "sample", "user"):
        assert f'"{name}"' in done.stdout


def test_suite2p_takes_the_frames(file: Path) -> None:
    """As suite2p/io/h5.py reads: the dataset h5py_key (by default "data"), by lists of frames."""
    key, batch = "data", 5
    total = np.zeros((32, 64), np.float32)
    count = 0
    with h5py.File(file, "r") as opened:
        assert opened[key].ndim == 3
        frames = opened[key].shape[0]
        for start in range(0, frames, batch):
            which = np.arange(start, min(start + batch, frames))
            images = opened[key][which, :, :]
            assert type(images[0, 0, 0]) is np.uint16  # which it halves, to fit into int16
            halved = (images / 2).astype(np.int16)
            total += halved.astype(np.float32).sum(axis=0)
            count += len(halved)
    assert count == 12
    assert total[1, 0] == sum(number // 2 for number in range(1, 13))


def test_suite2ps_own_reader_takes_the_frames(file: Path) -> None:
    """Its own code, where it is installed, if only with --no-deps; CaImAn's: their_readers.py."""
    try:
        installed = importlib.metadata.distribution("suite2p")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("suite2p is not installed; pip install --no-deps suite2p is enough")
    check_suite2p(Path(str(installed.locate_file("suite2p/io/h5.py"))), file)


def test_caiman_takes_the_frames(file: Path) -> None:
    """As caiman/base/movies.py reads a .h5: var_name_hdf5, "data" here, in the root; all or some frames."""
    name = "data"
    with h5py.File(file, "r") as opened:
        assert len(list(opened.keys())) > 1  # or it would take the only one, whatever its name
        assert name in opened
        assert opened[name].shape == (12, 32, 64)
        images = np.array(opened[name]).squeeze().astype(np.float32)
        some = np.array(opened[name][slice(2, 12, 3)]).squeeze().astype(np.float32)
    assert images[:, 1, 0].tolist() == list(range(1, 13))
    assert some[:, 1, 0].tolist() == [3, 6, 9, 12]
