"""What programs and displays may not do, and settings that `set` cannot change."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tifffile

from recorder.assembly import build_session
from recorder.control.command_types import CommandResult, Conversation
from recorder.control.dispatcher import Dispatcher
from recorder.control.permissions import KEY_RULES, is_plain_name, without_token
from recorder.frontends.session_context import session_context
from recorder.settings.model import keys, validate
from tests.virtual_time import VirtualClock

CLIENTS = ("remote", "page")


@pytest.fixture
async def dispatch(
    tmp_path: Path, virtual_time: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Dispatcher]:
    """A session on a small simulated camera, running, that records into rec/ of the present folder."""
    monkeypatch.chdir(tmp_path)
    tree = {
        "recording": {"output": "rec/x.h5"},
        "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "4ms"},
        "pool": {"memory": "8MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as opened:
        await session.start()
        await session.run.timeline.delivered(1)  # type: ignore[union-attr]
        yield opened
        await session.close()


async def told(dispatch: Dispatcher, line: str, source: str) -> str:
    outcome = await dispatch.execute(line, source)
    assert outcome is not None
    assert "\n" not in outcome.message
    return f"{outcome.status}: {outcome.message}"


@pytest.mark.parametrize("source", [*CLIENTS, "replay"])
async def test_a_picture_of_a_client_stands_in_the_recordings_folder(
    dispatch: Dispatcher, tmp_path: Path, source: str
) -> None:
    assert f"in {Path('rec', 'eye.tif')}" in await told(dispatch, "snapshot eye.tif", source)
    assert tifffile.imread(tmp_path / "rec" / "eye.tif").shape == (32, 32)
    assert "exists already" in await told(dispatch, "snapshot eye.tif", source)
    elsewhere = [str(tmp_path / "a.tif"), "../a.tif", "new/a.tif", ".a.tif", "..", r"c:\\a.tif", "a:b.tif"]
    for path in elsewhere:
        answer = await told(dispatch, f"snapshot {path}", source)
        assert answer.startswith("refused: snapshot "), answer
        assert "without folders" in answer
    assert sorted(path.name for path in tmp_path.rglob("*.tif")) == ["eye.tif"]
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


async def test_the_operator_may_write_anywhere_but_over_nothing(dispatch: Dispatcher, tmp_path: Path) -> None:
    assert (await told(dispatch, "snapshot a/b/eye.png", "console")).startswith("ok")
    assert (tmp_path / "a" / "b" / "eye.png").read_bytes().startswith(b"\x89PNG")
    assert "exists already" in await told(dispatch, "snapshot a/b/eye.png", "script")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["eye.png"]
    assert "ends in .tif or .tiff or .png" in await told(dispatch, "snapshot eye.jpg", "console")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
async def test_a_planted_link_is_not_followed(dispatch: Dispatcher, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("eye.tif", ".eye.tif.part"):
        (tmp_path / "rec" / name).symlink_to(precious)
    assert "exists already" in await told(dispatch, "snapshot eye.tif", "remote")
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        *(("eye.tif", True), ("left eye.png", True), ("Auge_ä-1.tif", True), ("", False), (".", False)),
        *(("..", False), (".eye.tif", False), ("a/b.tif", False), ("a\\b.tif", False), ("/a.tif", False)),
        *(("c:a.tif", False), ("a.tif:b.tif", False), ("nul.tif", False), ("COM1", False), ("a/", False)),
    ],
)
def test_a_plain_name_is_one_on_every_system(text: str, plain: bool) -> None:
    assert is_plain_name(text) == plain


def test_it_is_decided_of_every_key_when_it_is_read() -> None:
    decided = set(KEY_RULES)
    assert decided <= set(keys())
    others = {key for key in keys() if not key.startswith(("camera.", "metadata."))}
    assert others <= decided


@pytest.mark.parametrize("source", CLIENTS)
@pytest.mark.parametrize(
    "setting",
    [
        *("recording.output /tmp", "remote.listen 0.0.0.0:1", "remote.token x", "preview.web 0.0.0.0:1"),
        *("preview.token x", "analysis.function os:system", "analysis.options {x=1}", "analysis.options.x 1"),
        *("camera.source /etc/passwd", 'recording {output="/tmp"}', 'remote {listen="0.0.0.0:1"}'),
        *("recording.output=/tmp x", '" recording.output" /tmp'),
        'camera {kind="playback",source="/etc/passwd"}',
    ],
)
async def test_what_is_set_at_the_console_only(dispatch: Dispatcher, setting: str, source: str) -> None:
    key, _, value = setting.partition(" ")
    quoted = value.replace('"', r"\"")
    line = f'set {key} "{quoted}"' if "{" in setting else f"set {setting}"
    before = dispatch.session.settings
    assert (await told(dispatch, line, source)).startswith("refused: ")
    await told(dispatch, "stop", "console")
    assert "is set at the console only" in await told(dispatch, line, source)
    assert dispatch.session.settings == before


async def test_the_operator_sets_where_files_go(dispatch: Dispatcher) -> None:
    await told(dispatch, "stop", "console")
    assert (await told(dispatch, "set recording.output other", "console")).startswith("ok")
    assert (await told(dispatch, "set recording.output third", "replay")).startswith("refused")
    assert dispatch.session.settings.recording.output == "other"
    assert (await told(dispatch, "set camera.rate 100", "remote")).startswith("ok")


@pytest.mark.parametrize("key", sorted(key for key, rule in KEY_RULES.items() if rule.read == "program"))
async def test_what_is_read_at_the_start_is_refused_with_how(dispatch: Dispatcher, key: str) -> None:
    for line in ("note running", "stop"):
        await told(dispatch, line, "console")
        answer = await told(dispatch, f"set {key} 1", "console")
        assert answer == (
            f"refused: {key} is read when the program starts: quit, then recorder run with --set {key}=VALUE"
        )


async def test_what_has_a_command_is_refused_with_it(dispatch: Dispatcher) -> None:
    await told(dispatch, "stop", "console")
    answer = await told(dispatch, "set preview.levels [100, 2000]", "console")
    assert answer == "refused: preview.levels is changed by: preview levels LOW [HIGH]"
    answer = await told(dispatch, 'set preview "{rate = 3}"', "console")
    assert answer == "refused: preview.rate is changed by: preview rate RATE"
    assert (await told(dispatch, "set camera.exposure 2ms", "console")).startswith("ok")


async def test_a_token_that_somebody_types_is_written_nowhere(dispatch: Dispatcher, tmp_path: Path) -> None:
    for line in (
        "set remote.token s3cret",
        'set preview "{token = \\"s3cret\\"}"',
        "at 90s set remote.token s3cret",
    ):
        await told(dispatch, line, "console")
    text = (tmp_path / "rec" / "x.commands.jsonl").read_text()
    assert "s3cret" not in text
    commands = [json.loads(line).get("command") for line in text.splitlines()[1:]]
    assert commands[0] == "set remote.token ..."
    assert without_token("mark token 5") == "mark token 5"


@pytest.mark.parametrize("source", CLIENTS)
async def test_a_client_that_quits_while_frames_are_saved_is_asked(dispatch: Dispatcher, source: str) -> None:
    session, path = dispatch.session, Path("rec", "x.h5")
    answer = await told(dispatch, "quit", source)
    assert answer == f"refused: {path} is being saved; quit now stops, closes the file and leaves"
    await asyncio.sleep(0.1)
    assert session.running
    assert not session.leaving.is_set()
    assert await told(dispatch, "quit now", source) == "ok: leaving"
    assert session.leaving.is_set()


@pytest.mark.parametrize("source", [*CLIENTS, "console"])
async def test_whoever_can_be_asked_is_asked_and_says_y(dispatch: Dispatcher, source: str) -> None:
    asked, other = Conversation(source), Conversation(source)
    for answer in ("n", "no", "mark x", "", "status"):
        told = await dispatch.converse("quit", asked)
        assert told is not None
        path = Path("rec", "x.h5")
        assert told.message == (
            f"{path} is being saved; stop, close the file and leave? y/N (quit now does not ask)"
        )
        # The question is that of one connection, and of its next line.
        for conversation, line in ((other, "y"), (asked, answer), (asked, "y")):
            told = await dispatch.converse(line, conversation)
            assert told is None or (told.status == "refused") == (line == "y"), line
        assert not dispatch.session.leaving.is_set()
    await asyncio.sleep(15)
    await dispatch.converse("quit", asked)
    await asyncio.sleep(15)
    assert await dispatch.converse("Y", asked) == CommandResult("ok", "leaving")
    assert dispatch.session.leaving.is_set()


@pytest.mark.parametrize("before", ["save off", "stop"])
async def test_where_nothing_is_saved_a_client_quits_at_once(dispatch: Dispatcher, before: str) -> None:
    await told(dispatch, before, "console")
    assert await told(dispatch, "quit", "remote") == "ok: leaving"
    assert dispatch.session.leaving.is_set()


@pytest.mark.parametrize("source", ["console", "script", "replay"])
@pytest.mark.parametrize("line", ["quit", "quit now"])
async def test_operator_script_and_journal_just_quit(dispatch: Dispatcher, source: str, line: str) -> None:
    assert await told(dispatch, line, source) == "ok: leaving"
    assert dispatch.session.leaving.is_set()
