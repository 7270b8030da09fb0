"""What the user says of a recording: in the configuration, before, during and between runs."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import h5py
import pytest

from recorder.assembly import build_session
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import read_journal
from recorder.control.journal_replay import replay_journal, settings_for_replay
from recorder.files.checks import structure_of
from recorder.files.reader import describe
from recorder.files.recover import recover
from recorder.frontends.session_context import session_context
from recorder.settings.metadata import MetadataSettings
from recorder.settings.model import validate
from recorder.storage.user_metadata import PLACES, value_of
from tests.virtual_time import VirtualClock

CONFIGURED = {"subject": "M12", "operator": "Zoë", "weight": 23.5, "age": 5}


@pytest.fixture
async def dispatch(tmp_path: Path, virtual_time: VirtualClock) -> AsyncIterator[Dispatcher]:
    """A session on a small simulated camera, running."""
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 32, "height": 32, "rate": 200, "exposure": "4ms"},
        "pool": {"memory": "8MB"},
        "optics": {"magnification": 10},
        "metadata": CONFIGURED,
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as opened:
        await session.start()
        await session.run.timeline.delivered(9)  # type: ignore[union-attr]
        yield opened
        await session.close()


async def typed(dispatch: Dispatcher, line: str, source: str = "console") -> str:
    outcome = await dispatch.execute(line, source)
    assert outcome is not None
    return f"{outcome.status}: {outcome.message}"


async def ended(dispatch: Dispatcher) -> None:
    await typed(dispatch, "stop")
    await dispatch.session.stopped()


async def test_the_file_has_what_the_configuration_says(dispatch: Dispatcher, tmp_path: Path) -> None:
    assert dispatch.session.preview.pixel_um == pytest.approx(0.65)  # of 6.5 um on the sensor
    await ended(dispatch)
    with h5py.File(tmp_path / "x.h5") as file:
        entry = file["entry"]
        assert entry["sample"].attrs["NX_class"] == b"NXsample"
        assert entry["sample/name"].asstr()[()] == "M12"
        assert entry["user/name"].asstr()[()] == "Zoë"
        assert entry["metadata"].attrs["NX_class"] == b"NXcollection"
        assert entry["metadata/weight"][()] == 23.5
        assert entry["metadata/age"].dtype.kind == "i"
        assert "notes" not in entry
        assert entry["instrument/optics/x_pixel_size"][()] == pytest.approx(0.65)
    assert describe(tmp_path / "x.h5").metadata == CONFIGURED


async def test_what_is_given_during_a_run_is_a_row_and_begins_later_files(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    told = await typed(dispatch, "meta subject M 13")
    frame = int(told.removeprefix("ok: subject = M 13 from frame ").removesuffix(" on"))
    await typed(dispatch, 'meta age ""', "remote")
    await typed(dispatch, "meta drug saline")
    killed = tmp_path / "killed.h5"
    shutil.copy(tmp_path / "x.h5", killed)
    await typed(dispatch, "save new second")
    await asyncio.sleep(0.1)
    await ended(dispatch)
    expected = {"subject": "M 13", "operator": "Zoë", "weight": 23.5, "drug": "saline"}
    await asyncio.to_thread(recover, killed)
    for path in (killed, tmp_path / "x.h5"):
        with h5py.File(path) as file:
            assert file["entry/sample/name"].asstr()[()] == "M12"
            rows = file["entry/metadata_changes"][:]
        assert [(row["key"], row["value"], row["source"]) for row in rows] == [
            (b"subject", b"M 13", b"console"),
            (b"age", b"", b"remote"),
            (b"drug", b"saline", b"console"),
        ]
        assert rows["frame"][0] == frame >= 8
        assert rows["number"][0] == frame + 1
        assert describe(path).metadata == expected
    assert structure_of(tmp_path / "x.h5").problems == ()
    second = describe(tmp_path / "second.h5")
    assert second.metadata == expected
    with h5py.File(second.path) as file:
        assert file["entry/sample/name"].asstr()[()] == "M 13"
        assert len(file["entry/metadata_changes"]) == 0


async def test_between_runs_it_waits_for_the_next(dispatch: Dispatcher, tmp_path: Path) -> None:
    await ended(dispatch)
    assert await typed(dispatch, "meta subject M14") == "ok: subject = M14 from the next start on"
    assert await typed(dispatch, "meta subject") == "ok: subject = M14"
    await typed(dispatch, "start")
    await asyncio.sleep(0.05)
    await ended(dispatch)
    assert describe(tmp_path / "x_2.h5").metadata == {**CONFIGURED, "subject": "M14"}
    assert describe(tmp_path / "x.h5").metadata == CONFIGURED


async def test_without_a_file_the_next_one_has_it(dispatch: Dispatcher, tmp_path: Path) -> None:
    await typed(dispatch, "save off")
    await asyncio.sleep(0.1)
    told = await typed(dispatch, "meta subject M15")
    assert told == "ok: subject = M15 from the next file on; the journal alone has it now"
    await typed(dispatch, "save new third")
    await asyncio.sleep(0.1)
    await ended(dispatch)
    assert describe(tmp_path / "third.h5").metadata["subject"] == "M15"


async def test_a_file_that_is_made_meanwhile_has_it(dispatch: Dispatcher, tmp_path: Path) -> None:
    """Its groups were written with what was known before; frames go to it only later."""
    number = dispatch.session.position()[0].number + 60  # type: ignore[union-attr]
    saving = asyncio.ensure_future(dispatch.session.save(True, "late", number))
    await asyncio.sleep(0.05)
    await typed(dispatch, "meta subject M16")
    await saving
    await asyncio.sleep(0.5)
    await ended(dispatch)
    for name in ("x.h5", "late.h5"):
        assert describe(tmp_path / name).metadata["subject"] == "M16", name


async def test_it_is_listed_and_refused_in_a_line(dispatch: Dispatcher) -> None:
    assert await typed(dispatch, "meta") == "ok: subject = M12, operator = Zoë, weight = 23.5, age = 5"
    assert await typed(dispatch, "meta drug") == "ok: drug has no value"
    before = dispatch.session.settings
    for line in ("meta a.b 1", "meta 1a x", "meta größe 3", "meta _x 1", f"meta {'k' * 64} 1", "meta a/b c"):
        told = await typed(dispatch, line)
        assert told.startswith("refused: meta: "), told
        assert "is no key: a letter first" in told
    assert "at most 500" in await typed(dispatch, f"meta drug {'x' * 501}")
    assert "at most 500" in await typed(dispatch, f"meta subject {'x' * 501}")
    assert dispatch.session.settings == before
    for line in ("set metadata.subject M1", "set metadata.drug no", 'set metadata "{drug = 1}"'):
        await ended(dispatch)
        told = await typed(dispatch, line)
        assert told.startswith("refused: metadata"), told
        assert "is changed by: meta [KEY] [VALUE...]" in told


async def test_a_replay_says_it_of_the_same_frame(
    dispatch: Dispatcher, tmp_path: Path, virtual_time: VirtualClock
) -> None:
    await typed(dispatch, "meta drug saline")
    await asyncio.sleep(0.1)
    await ended(dispatch)
    await dispatch.session.close()
    journal = read_journal(tmp_path / "x.commands.jsonl")
    settings, _ = settings_for_replay(journal.settings, ())
    tree = settings.to_tree()
    tree["recording"]["output"] = str(tmp_path / "again" / "y.h5")
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as again:
        await session.start()
        await replay_journal(journal, again, "frame")
        await session.close()
    with h5py.File(tmp_path / "x.h5") as one, h5py.File(tmp_path / "again" / "y.h5") as other:
        (first,), (second,) = (file["entry/metadata_changes"][:] for file in (one, other))
        for name in ("frame", "number", "key", "value"):
            assert first[name] == second[name], name
    lines = (tmp_path / "x.commands.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["configuration"]["metadata"] == CONFIGURED


def test_every_key_of_the_settings_has_its_place() -> None:
    assert set(MetadataSettings.model_fields) == set(PLACES)
    for name, field in MetadataSettings.model_fields.items():
        path = "/".join(part for part in ("/entry", *PLACES[name]) if part)
        assert f"`{path}`" in str(field.description)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("5", 5), ("-5", -5), ("23.50", 23.5), ("007", "007"), ("1e5", "1e5"), ("inf", "inf")),
        *(("", ""), ("0", 0), ("1_0", "1_0"), ("٣", "٣"), ("9" * 30, 1e30), ("M12", "M12"), ("1.", "1.")),
    ],
)
def test_what_reads_as_a_number_is_one(text: str, value: float | str) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
