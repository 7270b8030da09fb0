"""Each format, read back by the programs it is for."""

import csv
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import imageio_ffmpeg
import numpy as np
import nwbinspector
import ome_types
import pynwb
import pytest
import tifffile
import xarray
import zarr
from click.testing import CliRunner
from numpy.typing import NDArray
from ome_zarr_models import v05

from recorder.cli.export import export
from recorder.errors import StorageError, UsageError
from recorder.files.export import formats
from recorder.files.opened.recording import OpenedRecording
from tests.unit.files.export.conftest import FRAMES, GAP, MARKS

OTHERS = [".ome.tif", ".tif", ".npy", ".ome.zarr", ".nwb"]


def exported(path: Path, out: Path, *options: str) -> Path:
    done = CliRunner().invoke(
        export, [str(path), str(out), *options], catch_exceptions=False, standalone_mode=False
    )
    assert done.exception is None
    return out


def frames_of(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """Read an export with the library it is for."""
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    if path.suffix == ".zarr":
        return np.asarray(zarr.open_array(path / "0", mode="r")[:])
    with h5py.File(path) as file:
        return np.asarray(file["acquisition/OnePhotonSeries/data"][:].transpose(0, 2, 1))


def seen(film: Path) -> tuple[NDArray[np.uint8], str]:
    """Return the pictures (n, 24, 32, 3) of a film, and what ffmpeg says of it."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-i", str(film), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 24, 32, 3), done.stderr.decode()


@pytest.mark.parametrize("ending", OTHERS)
def test_every_pixel_is_in_every_lossless_format(
    path: Path, recording: OpenedRecording, tmp_path: Path, ending: str
) -> None:
    out = exported(path, tmp_path / f"out{ending}")
    assert np.array_equal(frames_of(out), recording.frames[:])
    assert [child.name for child in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("ending", [".tif", ".npy", ".ome.zarr", ".nwb"])
def test_a_part_is_cut_binned_and_thinned_out(
    path: Path, recording: OpenedRecording, tmp_path: Path, ending: str
) -> None:
    out = exported(
        path,
        tmp_path / f"out{ending}",
        "--frames",
        "3:40",
        "--every",
        "5",
        "--roi",
        "5,2,21,10",
        "--bin",
        "2",
    )
    cut = recording.frames[3:40:5][:, 2:12, 5:25].astype(float)
    means = cut.reshape(len(cut), 5, 2, 10, 2).mean(axis=(2, 4))
    assert np.array_equal(frames_of(out), np.floor(means + 0.5))


def test_one_frame_alone_is_exported(path: Path, recording: OpenedRecording, tmp_path: Path) -> None:
    for ending in OTHERS:
        out = exported(path, tmp_path / f"out{ending}", "--frames", "7:8")
        assert np.array_equal(frames_of(out).reshape(24, 32), recording.frames[7])


def test_ome_tiff_tells_times_exposures_pixel_size_and_marks(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    out = exported(path, tmp_path / "out.ome.tif")
    found: Any = ome_types.from_tiff(out)
    (image,) = found.images
    assert image.acquisition_date is not None
    start = recording.start.astype("datetime64[us]").astype(datetime)
    assert image.acquisition_date.replace(tzinfo=None) == start
    pixels = image.pixels
    assert (pixels.size_t, pixels.size_y, pixels.size_x) == (FRAMES, 24, 32)
    assert (pixels.physical_size_x, pixels.physical_size_y) == (0.65, 0.65)
    assert str(pixels.physical_size_x_unit.value) == "µm"
    times = [plane.delta_t for plane in pixels.planes]
    # The gap is in the times.
    assert times == pytest.approx(recording.time.tolist())
    assert times[20] - times[19] == pytest.approx(0.01 * (GAP + 1))
    assert {plane.exposure_time for plane in pixels.planes} == {0.005}
    text = found.to_xml()
    assert all(f"frame {at}: {label} left" in text for label, at in MARKS.items())
    assert "tested camera" in text


def test_ome_zarr_is_valid_and_tells_the_same(path: Path, recording: OpenedRecording, tmp_path: Path) -> None:
    group: Any = zarr.open_group(exported(path, tmp_path / "out.ome.zarr", "--time", "100ms:"), mode="r")
    image: Any = v05.Image.from_zarr(group)
    (multiscale,) = image.attributes.ome.multiscales
    (dataset,) = multiscale.datasets
    scale, translation = dataset.coordinateTransformations
    assert scale.scale == pytest.approx([0.01, 0.65, 0.65])
    assert translation.translation == pytest.approx([0.1, 0, 0])
    assert np.array_equal(np.asarray(group["time"][:]), recording.time[10:])
    assert group.attrs["recorder"]["marks"][0] == {"frame": 0, "label": "trial1", "text": "left"}
    with xarray.open_zarr(tmp_path / "out.ome.zarr", consolidated=False, chunks=None) as opened:
        frames = opened["0"].load()
    assert np.array_equal(frames, recording.frames[10:])
    assert np.array_equal(frames.coords["time"], recording.time[10:])
    assert np.array_equal(frames.coords["sequence_number"], recording.frame_number[10:])


def test_nwb_passes_its_inspector_and_has_marks_as_events(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    out = exported(path, tmp_path / "out.nwb")
    found = [
        message
        for message in nwbinspector.inspect_nwbfile(nwbfile_path=out)
        if message.importance.name in {"CRITICAL", "PYNWB_VALIDATION", "ERROR"}
    ]
    assert found == []
    with pynwb.NWBHDF5IO(str(out), "r") as io:
        file = io.read()
        series = file.acquisition["OnePhotonSeries"]
        assert series.timestamps[:].tolist() == recording.time.tolist()
        assert series.exposure_time == 0.005
        assert file.subject.subject_id == "mouse 3"
        assert file.subject.species == "Mus musculus"
        assert file.imaging_planes["ImagingPlane"].grid_spacing[:].tolist() == pytest.approx(
            [0.65e-6, 0.65e-6]
        )
        assert file.session_start_time == recording.start.astype("datetime64[us]").astype(datetime).replace(
            tzinfo=UTC
        )
        marks = file.get_events_table("marks").to_dataframe()
    assert marks["label"].tolist() == list(MARKS)
    assert marks["frame"].tolist() == list(MARKS.values())
    assert marks["timestamp"].tolist() == pytest.approx(recording.time[list(MARKS.values())].tolist())


def test_a_table_has_the_rows_and_the_mean_of_a_region(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    out = exported(path, tmp_path / "out.csv", "--roi", "5,2,20,10")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == recording.frame_number.tolist()
    assert [float(row["time_s"]) for row in rows] == pytest.approx(recording.time.tolist(), abs=1e-9)
    assert [float(row["mean"]) for row in rows] == recording.frames[:, 2:12, 5:25].mean(axis=(1, 2)).tolist()
    assert {row["frame"]: row["mark"] for row in rows if row["mark"]} == {
        str(at): label for label, at in MARKS.items()
    }
    moments = np.array([row["utc"].removesuffix("Z") for row in rows], "datetime64[us]")
    assert abs(moments - recording.utc.astype("datetime64[us]")).max() <= np.timedelta64(1, "us")
    assert "mean" not in exported(path, tmp_path / "rows.csv").read_text()


def test_a_film_lasts_as_long_as_the_frames_and_shows_them(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    out = exported(path, tmp_path / "out.mp4", "--levels", "full", "--plain", "--speed", "0.5x")
    pictures, about = seen(out)
    assert "Video: h264" in about
    rate = re.search(r"([\d.]+) fps", about)
    assert rate is not None
    shown_s = len(pictures) / float(rate[1])
    # Half as fast; the frames that are missing were missing for as long in the film.
    assert shown_s == pytest.approx(2 * (recording.time[-1] + 0.01), abs=0.05)
    expected = recording.frames[0] / 4095 * 255
    assert np.corrcoef(pictures[0].mean(axis=2).ravel(), expected.ravel())[0, 1] > 0.7


def test_the_time_and_the_marks_are_burnt_into_a_film(path: Path, tmp_path: Path) -> None:
    plain = exported(path, tmp_path / "plain.mp4", "--levels", "0:65535", "--plain")
    told = exported(path, tmp_path / "told.mp4", "--levels", "0:65535")
    bright = [seen(film)[0].max() for film in (plain, told)]
    assert bright[0] < 100 < bright[1]


def test_one_output_for_each_mark_counts_time_from_it(
    path: Path, recording: OpenedRecording, tmp_path: Path
) -> None:
    exported(path, tmp_path / "clip.ome.tif", "--around", "trial*", "--before", "50ms", "--after", "20ms")
    assert sorted(child.name for child in tmp_path.iterdir()) == [
        "clip_trial1.ome.tif",
        "clip_trial2.ome.tif",
    ]
    found: Any = ome_types.from_tiff(tmp_path / "clip_trial1.ome.tif")
    (image,) = found.images
    times = [plane.delta_t for plane in image.pixels.planes]
    assert times == pytest.approx([-0.05, -0.04, -0.03, -0.02, -0.01, 0, 0.01, 0.02])
    clip = tifffile.imread(tmp_path / "clip_trial2.ome.tif")
    assert np.array_equal(clip, recording.frames[35:43])


def test_what_reads_back_otherwise_gets_no_name(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = formats.require_installed(Path("x.npy"))
    write = module.write

    def with_a_wrong_bit(out: Path, content: Any) -> None:
        write(out, content)
        data = bytearray(out.read_bytes())
        data[-1000] ^= 1
        out.write_bytes(data)

    monkeypatch.setattr(module, "write", with_a_wrong_bit)
    with pytest.raises(StorageError, match=r"out\.npy: frame 59 reads back otherwise than it was written"):
        CliRunner().invoke(
            export, [str(path), str(tmp_path / "out.npy")], catch_exceptions=False, standalone_mode=False
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "options", "said"),
    [
        ("out.tif", ["--frames", "70:80"], "--frames 70:80: none of the 60 frames"),
        ("out.tif", ["--frames", "one"], "--frames one: write FIRST:STOP"),
        ("out.tif", ["--time", "5s:6s"], "--time 5s:6s: no frame; the recording lasts 620ms"),
        ("out.tif", ["--time", "5:6"], "--time 5:6: a time needs a unit"),
        ("out.tif", ["--time", "5s"], "--time 5s: write FROM:TO"),
        ("out.tif", ["--around", "trail*"], '--around "trail\\*": no mark of that name; did you mean trial'),
        ("out.tif", ["--frames", "1:2", "--time", "1s:2s"], "--frames and --time: give one of them"),
        ("out.tif", ["--before", "3"], "--before 3: a time needs a unit"),
        ("out.tif", ["--roi", "1,2,3"], "--roi 1,2,3: write x,y,w,h"),
        ("out.tif", ["--roi", "0,0,33,4"], "--roi 0,0,33,4: reaches beyond the frame of 32x24"),
        ("out.tif", ["--bin", "25"], "--bin 25: more than the 32x24 pixels"),
        ("out.tif", ["--colours", "viridis"], "--colours: is for films"),
        ("out.csv", ["--bin", "2"], "--bin: is for pictures, and out.csv has none"),
        ("out.mp4", ["--colours", "virdis"], "--colours virdis: write grey.*did you mean viridis"),
        ("out.mp4", ["--levels", "9"], "--levels 9: write auto, full, or LOW:HIGH"),
        ("out.mp4", ["--speed", "fast"], "--speed fast: write how many times"),
        ("out.tifx", [], "write a name that ends in .*did you mean .tif"),
        (".tif", [], "write a name that ends in"),
        ("no/out.tif", [], "no such folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    path: Path, tmp_path: Path, out: str, options: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        CliRunner().invoke(
            export, [str(path), str(tmp_path / out), *options], catch_exceptions=False, standalone_mode=False
        )
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    (tmp_path / "clip_trial2.npy").write_text("mine")
    with pytest.raises(UsageError, match=r"clip_trial2\.npy: exists already"):
        exported(path, tmp_path / "clip.npy", "--around", "trial*")
    assert [child.read_text() for child in tmp_path.iterdir()] == ["mine"]


def test_a_format_whose_library_is_missing_names_what_to_install(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="pynwb")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(UsageError, match=r"NWB needs the package pynwb: pip install 'recorder\[nwb\]'"):
        exported(path, tmp_path / "out.nwb")


def test_a_full_disk_leaves_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recorder.files.export.raw_frames.write_at", full)
    monkeypatch.setattr("recorder.storage.direct_io.DirectFile.open", lambda _: None)
    with pytest.raises(StorageError, match=r"out\.tif: cannot be written: No space left on device"):
        exported(path, tmp_path / "out.tif")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_killed_leaves_nothing_under_its_name(path: Path, tmp_path: Path) -> None:
    """What is left is hidden, and the recording is as it was."""
    before = path.read_bytes()
    code = (
        "import os, sys; from recorder.files.export import npy\n"
        "write = npy.put_frames\n"
        "npy.put_frames = lambda *a: (write(*a), os._exit(9))\n"
        "from recorder.cli.export import export; export(sys.argv[1:], standalone_mode=False)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), str(tmp_path / "out.npy")], check=False)
    assert done.returncode == 9
    assert all(child.name.startswith(".") for child in tmp_path.iterdir())
    assert path.read_bytes() == before
