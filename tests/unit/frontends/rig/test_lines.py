"""Lines for all cameras or one."""

import pytest

from recorder.control import commands, view_commands
from recorder.errors import UsageError
from recorder.frontends.rig.lines import command_of, complete_line, for_camera, target_of

assert commands
assert view_commands

NAMES = ["left", "right"]


@pytest.mark.parametrize(
    ("line", "camera", "rest"),
    [
        ("mark a", "", "mark a"),
        ("left: mark a", "left", "mark a"),
        ("  right:mark a: b", "right", "mark a: b"),
        ("at 14:30 mark a", "", "at 14:30 mark a"),
        ('note "left: dark"', "", 'note "left: dark"'),
    ],
)
def test_who_a_line_is_for(line: str, camera: str, rest: str) -> None:
    assert target_of(line, NAMES) == (camera, rest)
    found = command_of(line, NAMES)
    assert found is not None
    assert (found[0], found[2]) == (camera, rest)


def test_a_camera_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"lfet: no such camera; did you mean left\?"):
        target_of("lfet: mark a", NAMES)
    with pytest.raises(UsageError, match=r'unknown command "mrak"; did you mean mark\?'):
        command_of("left: mrak a", NAMES)
    assert command_of("left: # nothing", NAMES) is None


@pytest.mark.parametrize(
    ("line", "for_left"),
    [
        ("save new trial", "save new trial_left"),
        ("snapshot eye.tif", "snapshot eye_left.tif"),
        ("in 2s save new trial", "in 2s save new trial_left"),
        ('save new "my trial"', 'save new "my trial_left"'),
        ("save new", "save new"),
        ("snapshot", "snapshot"),
        ("mark eye.tif", "mark eye.tif"),
    ],
)
def test_files_of_all_cameras_have_names_of_their_own(line: str, for_left: str) -> None:
    assert for_camera(line, "left") == for_left


def test_completion_knows_the_cameras() -> None:
    assert ("left:", "for left alone") in complete_line("", NAMES)
    assert [word for word, _ in complete_line("ri", NAMES)] == ["right:"]
    assert "mark" in [word for word, _ in complete_line("left: ma", NAMES)]
    assert complete_line("lfet: ma", NAMES) == []
