import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import ConfigurationError
from recorder.settings.cameras import Drop, PlaybackCameraSettings, SimulatedCameraSettings
from recorder.settings.model import Settings, load, validate

CONFIGS = Path(__file__).parents[3] / "configs"


# That of a rig names those of its cameras.
OF_CAMERAS = sorted(path for path in CONFIGS.glob("*.toml") if path.name != "rig.toml")


@pytest.mark.parametrize("path", OF_CAMERAS, ids=lambda p: p.name)
def test_every_configuration_loads_and_survives_being_written(path: Path) -> None:
    settings = load(path)
    assert validate(tomllib.loads(settings.to_toml())) == settings


def test_the_configurations_promised() -> None:
    simulated = load(CONFIGS / "simulated.toml").camera
    assert isinstance(simulated, SimulatedCameraSettings)
    assert (simulated.width, simulated.height, simulated.rate) == (2560, 2160, 100)
    small = load(CONFIGS / "small-roi.toml").camera
    assert isinstance(small, SimulatedCameraSettings)
    assert (small.width, small.height, small.rate) == (128, 128, 5000)
    assert isinstance(load(CONFIGS / "playback.toml").camera, PlaybackCameraSettings)


def test_overrides() -> None:
    settings = load(
        CONFIGS / "simulated.toml",
        ("camera.exposure=2ms", "camera.rate=max", 'camera.faults=[{kind="drop", at=100, count=3}]'),
    )
    assert isinstance(settings.camera, SimulatedCameraSettings)
    assert settings.camera.exposure == 0.002
    assert settings.camera.rate == math.inf
    assert settings.camera.faults == (Drop(kind="drop", at=100, count=3),)
    assert validate(tomllib.loads(settings.to_toml())) == settings


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("camera.exposre=5ms", ["camera.exposre", "unknown key", "did you mean camera.exposure?"]),
        ("camera.exposure=5", ["camera.exposure = 5", "needs a unit", '"5ms"']),
        ("camera.exposure=5m", ["camera.exposure", "unknown unit 'm'", "ms, s, min"]),
        ("camera.exposure=9h", ["camera.exposure", "between 1us and 1min"]),
        ("camera.width=1", ["camera.width = 1", "greater than or equal to 16"]),
        ("camera.width=wide", ['camera.width = "wide"', "an integer"]),
        ("camera.kind=simulatd", ["camera.kind", "did you mean simulated?"]),
        ("camera.rate=-5", ["camera.rate = -5", "0.001 to 1000000"]),
        ("storage.compression=shot_noise", ["storage.compression", "did you mean shot-noise?"]),
        ("storage.noise_fraction=1.5", ["storage.noise_fraction = 1.5", "less than or equal to 1"]),
        ("storage.noise_fraction=nan", ["storage.noise_fraction = nan", "must be"]),
        ("storage.conversion_factor=0", ["storage.conversion_factor = 0", "greater than or equal to 0.001"]),
        ("storage.conversion_factor=-0.46", ["storage.conversion_factor = -0.46", "greater than"]),
        ("storage.conversion_factor=inf", ["storage.conversion_factor = inf", "less than or equal to 1000"]),
        ("storage.conversion_factor=nan", ["storage.conversion_factor = nan", "must be"]),
        ("storage.read_noise=-1", ["storage.read_noise = -1", "greater than or equal to 0"]),
        ("storage.dark_offset=70000", ["storage.dark_offset = 70000", "less than or equal to 65535"]),
        ("camera.faults=[{kind='drp', at=3}]", ["camera.faults.0.kind", "did you mean drop?"]),
        ("camera.faults=[{kind='drop', at=3}]", ["camera.faults.0.count", "missing"]),
        ("camera.faults=5", ["camera.faults = 5: must be a list, written in square brackets"]),
        ("camera.faults=[{kind='error', at=3, code=-1}]", ["camera.faults.0.code = -1", "greater than"]),
        ("camera=3", ["camera = 3", "section"]),
        ("preview.web=8080", ["preview.web = 8080: must be HOST:PORT, for example 127.0.0.1:7625"]),
        ("remote.listen=localhost:70000", ['remote.listen = "localhost:70000": must be HOST:PORT']),
        ("storage.mode=dirct", ["storage.mode", "did you mean direct?"]),
        ("memory=1GB", ["memory", "did you mean pool.memory?"]),
        ("storage.exposure=1ms", ["did you mean camera.exposure?"]),
        ("pool.memory=512", ["pool.memory = 512", "needs a unit"]),
        ("recording.name=a/b", ["recording.name", "letters"]),
        ("recording.pixel_size=6.5", ["recording.pixel_size = 6.5", "needs a unit", '"6.5um"']),
        ("recording.pixel_size=2cm", ["recording.pixel_size", "unknown unit 'cm'"]),
        ("recording.pixel_size=20mm", ["recording.pixel_size", "between 1nm and 10mm"]),
        ('recording.channels=["blue"]', ["recording.channels", 'such as ["blue", "violet"]']),
        ('recording.channels=["blue", "blue"]', ["recording.channels", "each once"]),
        ('recording.channels=["blue", "all"]', ["recording.channels", "2 to 8"]),
        ("nonsense", ["KEY=VALUE"]),
        ("camera.width.deep=1", ["width is a value"]),
    ],
)
def test_what_is_wrong_is_reported_in_one_line(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(CONFIGS / "simulated.toml", (override,))
    message = str(caught.value)
    assert message.startswith("--set")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_what_is_wrong_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text("[camera]\nexposure = '5'\n")
    with pytest.raises(ConfigurationError, match=r"rig\.toml: camera\.exposure"):
        load(path)
    path.write_text("[camera\n")
    with pytest.raises(ConfigurationError, match=r"rig\.toml: not valid TOML"):
        load(path)
    with pytest.raises(ConfigurationError, match=r"rig\.toml\?$"):
        load(tmp_path / "rigg.toml")


@given(
    st.dictionaries(
        st.text(max_size=8), st.recursive(st.integers() | st.text(max_size=5), st.lists), max_size=3
    )
)
def test_no_tree_makes_anything_but_settings_or_one_line(tree: dict[str, object]) -> None:
    for candidate in (tree, {"camera": tree}, {"camera": {"faults": [tree]}}, {"pool": tree}):
        try:
            assert isinstance(validate(candidate), Settings)
        except ConfigurationError as error:
            assert str(error)


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1.0), ("100ms", 0.1), ("never", math.inf)])
def test_how_often_files_are_synced(text: str, seconds: float) -> None:
    settings = validate({"storage": {"durable_every": text}})
    assert settings.storage.durable_every == seconds
    assert settings.to_tree()["storage"]["durable_every"] == text


@pytest.mark.parametrize("text", ["10ms", "always", "", "2h"])
def test_how_often_files_cannot_be_synced(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.durable_every"):
        validate({"storage": {"durable_every": text}})
