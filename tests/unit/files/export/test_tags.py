"""What an exported TIFF says of its pixels and its time, and what is said of frames beyond the end."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import ome_types
import pytest
import tifffile
from click.testing import CliRunner

from recorder.cli.export import export
from tests.unit.files.export.conftest import FRAMES


def exported(path: Path, out: Path, *options: str) -> tifffile.TiffFile:
    done = CliRunner().invoke(
        export, [str(path), str(out), *options], catch_exceptions=False, standalone_mode=False
    )
    assert done.exception is None
    return tifffile.TiffFile(out)


@pytest.mark.parametrize("binning", [1, 2])
def test_the_size_of_a_pixel_is_the_samples_or_else_the_sensors(
    path: Path, tmp_path: Path, binning: int
) -> None:
    without = tmp_path / "no_magnification.h5"
    shutil.copy(path, without)
    with h5py.File(without, "r+") as opened:
        del opened["entry/instrument/optics"]
    for recording, size_um in ((path, 0.65), (without, 6.5)):
        with exported(recording, tmp_path / f"{size_um}.tif", "--bin", str(binning)) as file:
            assert file.pages[0].get_resolution("MICROMETER") == pytest.approx((1 / (size_um * binning),) * 2)


def test_the_time_is_one_of_utc(path: Path, tmp_path: Path) -> None:
    exported(path, tmp_path / "out.ome.tif").close()
    text = tifffile.tiffcomment(tmp_path / "out.ome.tif")
    assert isinstance(text, str)
    assert "Z</AcquisitionDate>" in text
    found: Any = ome_types.from_xml(text)
    assert found.images[0].acquisition_date is not None


def test_frames_beyond_the_end_are_said(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with exported(path, tmp_path / "all.tif", "--frames", f"0:{FRAMES}") as file:
        assert len(file.pages) == FRAMES
    assert caplog.messages == []
    with exported(path, tmp_path / "rest.tif", "--frames", "50:200") as file:
        assert len(file.pages) == 10
    assert caplog.messages == ["--frames 50:200: there are 60 frames, the last one is 59"]
