"""A new file: complete under its name or not there at all, and never in another's place."""

import errno
import sys
from pathlib import Path

import pytest

from recorder.errors import StorageError, UsageError
from recorder.storage.atomic_file import new_file


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has links, and one that has none."""
    if request.param == "no links":

        def refuse(self: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.usefixtures("links")
def test_it_is_there_completely_with_its_folder(tmp_path: Path) -> None:
    with new_file(tmp_path / "a" / "b" / "x.tif") as file:
        file.write(b"pixels")
        assert not (tmp_path / "a" / "b" / "x.tif").exists()
    assert names(tmp_path) == ["a", "a/b", "a/b/x.tif"] or sys.platform == "win32"
    assert (tmp_path / "a" / "b" / "x.tif").read_bytes() == b"pixels"


@pytest.mark.usefixtures("links")
def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"before")
    with pytest.raises(UsageError, match="nothing is ever overwritten"), new_file(tmp_path / "x.tif") as file:
        file.write(b"pixels")
    assert names(tmp_path) == ["x.tif"]
    assert (tmp_path / "x.tif").read_bytes() == b"before"


@pytest.mark.usefixtures("links")
@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_no_link_is_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").write_bytes(b"before")
    (tmp_path / "x.tif").symlink_to(tmp_path / target)
    # The name that was used until it was complete, when it could be foreseen.
    (tmp_path / ".x.tif.part").symlink_to(tmp_path / "there")
    with pytest.raises(UsageError, match="exists already"), new_file(tmp_path / "x.tif") as file:
        file.write(b"pixels")
    assert names(tmp_path) == [".x.tif.part", "there", "x.tif"]
    assert (tmp_path / "there").read_bytes() == b"before"


@pytest.mark.usefixtures("links")
def test_of_a_failure_nothing_is_left(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"x\.tif: cannot be written: No space left"),
        new_file(tmp_path / "a" / "b" / "x.tif") as file,
    ):
        file.write(b"pixels")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_disk_that_fails_at_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("recorder.storage.atomic_file.os.fsync", fail)
    with pytest.raises(StorageError, match="Input/output error"), new_file(tmp_path / "x.tif") as file:
        file.write(b"pixels")
    assert names(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"), new_file(tmp_path / "a" / "b" / "x.tif"):
        pass
    assert names(tmp_path) == ["a"]
