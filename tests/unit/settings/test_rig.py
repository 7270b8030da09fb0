"""A rig's file: every camera's settings, and what is wrong, before anything is started."""

import tomllib
from pathlib import Path

import pytest

from recorder.errors import ConfigurationError
from recorder.settings.rig import load_rig

RIG = """
[rig]
name = "eyes"
[camera.left]
config = "one.toml"
master = true
[camera.right]
config = "one.toml"
settings.camera.rate = 50
settings.camera.faults = []
"""
ONE = '[camera]\nrate = 100\nexposure = "2ms"\n[recording]\noutput = "fast"\n'
PCO = '[camera]\nkind = "pco"\n'


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    (tmp_path / "one.toml").write_text(ONE)
    (tmp_path / "pco.toml").write_text(PCO)
    (path := tmp_path / "rig.toml").write_text(RIG)
    return path


def test_each_camera_has_its_configuration_and_what_is_different(rig_file: Path) -> None:
    rig = load_rig(rig_file, ["camera.exposure=3ms", "left.camera.seed=7"], {"recording.duration": "2s"})
    left, right = rig.cameras
    assert (rig.names, rig.master, rig.common.on_failure) == (("left", "right"), "left", "go on")
    assert (left.settings.camera.rate, right.settings.camera.rate) == (100, 50)
    assert [c.settings.camera.exposure for c in rig.cameras] == [0.003, 0.003]  # type: ignore[union-attr]
    assert [c.settings.camera.seed for c in rig.cameras] == [7, 0]  # type: ignore[union-attr]
    assert [c.settings.recording.duration for c in rig.cameras] == [2.0, 2.0]
    assert left.folder == Path("fast")
    # What is kept of its file has no password.
    rig_file.write_text(RIG + 'settings.preview.token = "s3same"\n[remote]\ntoken = "s3same"\n')
    kept = load_rig(rig_file).text
    assert ("s3same" in kept, tomllib.loads(kept)["rig"]) == (False, {"name": "eyes"})
    # What the processes are told makes the same settings.
    assert "camera.rate=50" in right.overrides
    assert "recording.duration=2s" in right.overrides


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("master", "mastr", "camera.left.mastr: unknown key; did you mean master?"),
        (
            "one.toml",
            "on.toml",
            "camera left: {folder}/on.toml: no such configuration file; did you mean one.toml?",
        ),
        ("rate = 50", "rate = -1", "camera right: --set camera.rate = -1: must be 0.001 to 1000000"),
        ("rate = 50", "rte = 50", "camera right: --set camera.rte: unknown key; did you mean camera.rate?"),
        ("[camera.right]", "[camera.right]\nmaster = true", "left and right are both master = true"),
        (
            "[camera.right]",
            "[camera.LEFT]",
            "camera left: another one has this name but for small and capital",
        ),
        ("[camera.right]", "[camera.1a]", "camera.1a: a name of up to 32 letters"),
        ("[camera.right]", "[camera.preview]", "camera.preview: preview means something else"),
        ("[rig]", "[rgi]", "rgi: unknown section; did you mean rig?"),
        ("[rig]", "[pool]\nmemory = '1GB'\n[rig]", "pool: unknown section; of a camera it is settings.pool"),
        ('"eyes"', '"eyes"\non_failure = "go"', "rig.on_failure = \"go\": must be 'go on' or 'stop all'"),
        (
            '"eyes"',
            '"eyes"\noutput = "x.h5"',
            'rig.output = "x.h5": a folder; --output takes a file name too',
        ),
        ("master", "output = 'x.h5'\nmaster", 'camera.left.output = "x.h5": a folder'),
        ("master", "cpus = []\nmaster", "camera.left.cpus = []"),
        (
            "one.toml",
            "pco.toml",
            "camera left: settings.camera.serial is missing: which of the cameras it is",
        ),
        ("[rig]", "[rig", "not valid TOML"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_wrong_is_named(rig_file: Path, old: str, new: str, told: str) -> None:
    text = RIG.replace("settings.camera.rate = 50\nsettings.camera.faults = []", "") if "pco" in new else RIG
    rig_file.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError) as raised:
        load_rig(rig_file)
    assert str(raised.value).startswith(f"{rig_file}: {told.format(folder=rig_file.parent)}")
    assert "\n" not in str(raised.value)


def test_two_cameras_have_one_address_or_serial_number(rig_file: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"camera right: preview\.web = 127\.0\.0\.1:80 is that of camera left"
    ):
        load_rig(rig_file, ["preview.web=127.0.0.1:80"])
    load_rig(rig_file, ["preview.web=127.0.0.1:0"])
    rig_file.write_text('[camera.a]\nconfig = "pco.toml"\n[camera.b]\nconfig = "pco.toml"')
    with pytest.raises(ConfigurationError, match=r"camera b: camera\.serial = 5 is that of camera a"):
        load_rig(rig_file, ["camera.serial=5"])
    load_rig(rig_file, ["a.camera.serial=5", "b.camera.serial=6"])


def test_an_override_for_no_camera(rig_file: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="lfet is no camera, and no section of a camera; did you mean left"
    ):
        load_rig(rig_file, ["lfet.camera.rate=5"])
