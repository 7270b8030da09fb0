from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder.cli.config import config, page
from recorder.errors import UsageError
from recorder.settings.model import load
from recorder.settings.reference import tables

PAGE = Path(__file__).parents[3] / "notes" / "configuration.md"


def ask(*words: str) -> str:
    done = CliRunner().invoke(config, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_page_of_the_notes_is_up_to_date() -> None:
    made = "recorder config --markdown > notes/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == page(), f"make it anew: {made}"
    assert ask("--markdown") == page()


def test_all_keys_are_shown() -> None:
    lines = {line.strip().partition(" ")[0] for line in ask().splitlines()}
    assert {key.name for table in tables() for key in table.keys} <= lines


def test_one_key_is_shown_for_each_kind_of_camera_that_has_it() -> None:
    shown = ask("camera.exposure")
    assert '[camera] kind = "simulated"' in shown
    assert '  exposure = "5ms"' in shown
    assert '[camera] kind = "pco"' in shown
    assert '  exposure = "10ms"' in shown
    assert "width" not in shown
    assert "(omitted by default)" in ask("recording.frames")
    assert "(has to be given)" in ask("camera.source")


def test_a_template_goes_to_the_terminal_or_into_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    assert ask("--template", "pco", "--output", str(path)) == ""
    assert path.read_text(encoding="utf-8") == ask("--template", "pco")
    assert load(path).camera.kind == "pco"
    with pytest.raises(UsageError, match=r"rig\.toml: exists already, and nothing is ever overwritten$"):
        ask("--template", "pco", "--output", str(path))


def test_one_thing_at_a_time() -> None:
    with pytest.raises(UsageError, match="one of KEY, --template and --markdown"):
        ask("camera.exposure", "--template", "pco")
