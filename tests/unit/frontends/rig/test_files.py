"""Names of a rig's files, and the file over all."""

import asyncio
import re
from pathlib import Path

import pytest

from recorder.errors import UsageError
from recorder.files.opened.rig import read_table
from recorder.frontends.rig.camera_process import CameraProcess
from recorder.frontends.rig.files import RigFileKeeper, new_paths
from recorder.frontends.rig.rig import Rig
from recorder.settings import rig as settings

RIG = '[rig]\nname = "eyes"\n[camera.left]\n[camera.right]\noutput = "{fast}"\n'


@pytest.fixture
def asked(tmp_path: Path) -> settings.Rig:
    (path := tmp_path / "rig.toml").write_text(RIG.format(fast=(tmp_path / "fast").as_posix()))
    return settings.load_rig(path)


def test_names_tell_rig_time_and_camera(asked: settings.Rig, tmp_path: Path) -> None:
    paths = new_paths(asked, f"{tmp_path}/new/")
    assert paths.rig.parent == tmp_path / "new"
    stem = paths.rig.name.removesuffix(".rig.h5")
    assert re.fullmatch(r"eyes_\d{8}T\d{6}Z", stem)
    # A folder of its own counts for more.
    assert paths.cameras == {
        "left": tmp_path / "new" / f"{stem}_left.h5",
        "right": tmp_path / "fast" / f"{stem}_right.h5",
    }
    assert new_paths(asked, None).cameras["left"].parent == Path("recordings")
    for name in ("x.h5", "x.rig.h5"):
        paths = new_paths(asked, f"{tmp_path}/{name}")
        assert (paths.rig, paths.cameras["left"]) == (tmp_path / "x.rig.h5", tmp_path / "x_left.h5")


def test_names_that_are_taken(asked: settings.Rig, tmp_path: Path) -> None:
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "x_right.commands.jsonl").write_text("precious")
    with pytest.raises(UsageError, match=r"x_right\.commands\.jsonl: exists already, and nothing is ever"):
        new_paths(asked, f"{tmp_path}/x.h5")
    with pytest.raises(UsageError, match=r"write a folder's name, with / at its end where it is new"):
        new_paths(asked, f"{tmp_path}/x.tif")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file: not a folder, and eyes_\w+\.rig\.h5 is to be in it"):
        new_paths(asked, f"{tmp_path}/file/deep/")


async def test_the_file_over_all_is_there_with_the_first_frames(tmp_path: Path) -> None:
    cameras = {name: CameraProcess(name, [], lambda *_: None) for name in ("left", "right")}
    rig = Rig(cameras, "left", "go on")
    keeper = RigFileKeeper(tmp_path / "x.rig.h5", "[rig]\n", rig)
    rig.on_change = keeper.note_change
    rig.on_change()
    await asyncio.sleep(0.02)
    assert not keeper.is_there
    cameras["left"]._note("file", {"path": str(tmp_path / "x_left.h5")})
    rig.on_change()
    while not keeper.is_there:
        await asyncio.sleep(0.005)
    table = read_table(tmp_path / "x.rig.h5")
    assert (table.verdict, table.master) == ("recording", "left")
    assert table.files == {"left": [tmp_path / "x_left.h5"], "right": []}
    cameras["right"].died = "its process was ended by SIGKILL"
    await keeper.close()
    table = read_table(tmp_path / "x.rig.h5")
    assert (table.verdict, table.ends["right"]) == ("failed", ("failed", "its process was ended by SIGKILL"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.rig.h5"]


async def test_a_disk_that_fails_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    camera = CameraProcess("left", [], lambda *_: None)
    keeper = RigFileKeeper(tmp_path / "file" / "x.rig.h5", "", rig := Rig({"left": camera}, "", "go on"))
    camera._note("file", {"path": str(tmp_path / "x_left.h5")})
    rig.on_change = keeper.note_change
    rig.on_change()
    while not caplog.records:
        await asyncio.sleep(0.005)
    await keeper.close()
    (record,) = caplog.records
    assert record.getMessage().endswith("; the recordings go on")
