import os
from pathlib import Path

import pytest

from recorder.errors import UsageError
from recorder.session.paths import new_path
from recorder.settings.model import validate


def first_path(output: str) -> Path:
    return new_path(validate({"recording": {"output": output}}), first=True)


@pytest.mark.parametrize(
    "name", ["x.tif", "x.TIFF", "x.hdf5", "x.H5", "x.avi", "a.b/x.csv", "x.h5.gz", "x.b16"]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"write a file name that ends in \.h5") as caught:
        first_path(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["folder", "2026.11.24", "run1.5", "mouse.subject1", "x.tif/", f"x.tif{os.sep}"]
)
def test_a_folder_may_have_dots_in_its_name(tmp_path: Path, name: str) -> None:
    path = first_path(f"{tmp_path}{os.sep}{name}")
    assert path.parent == tmp_path / name
    assert path.name.startswith("recording_")


def test_a_folder_that_is_there_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "x.tif").mkdir()
    assert first_path(str(tmp_path / "x.tif")).parent == tmp_path / "x.tif"
