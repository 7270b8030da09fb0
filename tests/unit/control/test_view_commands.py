"""The commands that change how frames are shown: answers, refusals, and that the journal has them."""

import json
from pathlib import Path

import numpy as np
import pytest

from recorder.assembly import build_session
from recorder.frontends.session_context import session_context
from recorder.preview.live import Preview
from recorder.settings.model import PreviewSettings, load, validate
from tests.virtual_time import VirtualClock


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("preview colours viridis", "colours viridis"),
        ("preview gamma 0.5", "gamma 0.5"),
        ("preview mode dff", "mode dff, baseline running 10s"),
        ("preview mode raw", "mode raw"),
        ("preview range 5", "range 5"),
        ("preview range full", "range full"),
        ("baseline 2s", "baseline: the mean of the next 2s"),
        ("baseline running 1min", "baseline running 1min"),
        ("region eye 1 2 30 40", "region eye: 29 x 38 pixels from 1, 2"),
    ],
)
async def test_a_view_is_changed_by_a_line_that_the_journal_has(
    tmp_path: Path, virtual_time: VirtualClock, line: str, answer: str
) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 48},
        "pool": {"memory": "20MB"},
        "preview": {"on": True},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:
        await session.start()
        result = await dispatch.execute(line, "page")
        assert result is not None
        assert (result.status, result.message) == ("ok", answer)
        # Pictures go on, whatever is shown.
        await session.preview.next_picture()
        await session.close()
    journal = (tmp_path / "x.commands.jsonl").read_text().splitlines()
    assert line in [json.loads(entry).get("command") for entry in journal]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("preview gamma 20", "from 0.1 to 10"),
        ("preview range -5", "a number more than 0"),
        ("preview range nan", "a number more than 0"),
        ("preview mode df", "must be raw or difference or dff"),
        ("baseline 1h", "from 50ms to 10min"),
        ("region eye 5 5 5 9", "preview.regions.eye"),
        ("region off eye", 'no region "eye"'),
        ("set preview.mode dff", "is changed by: preview mode"),
    ],
)
async def test_what_cannot_be_shown_is_refused_with_the_way_out(
    tmp_path: Path, line: str, words: str
) -> None:
    session = build_session(validate({"recording": {"output": str(tmp_path / "x.h5")}}), dry_run=False)
    async with session_context(session) as dispatch:
        result = await dispatch.execute(line, "page")
        assert result is not None
        assert result.status == "refused"
        assert words in result.message
        await session.close()


def test_the_settings_say_the_same() -> None:
    settings = load(
        None, ("preview.mode=dff", "preview.baseline=running 2 s", "preview.range=5", "preview.gamma=0.5")
    ).preview
    assert (settings.mode, settings.baseline, settings.range, settings.gamma) == ("dff", "running 2s", 5, 0.5)


async def test_a_region_beyond_the_frame_is_refused_and_those_there_are_are_told(
    tmp_path: Path, virtual_time: VirtualClock
) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5")},
        "camera": {"width": 64, "height": 48, "rate": 100.0},
        "pool": {"memory": "8MB"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:

        async def told(line: str) -> str:
            result = await dispatch.execute(line, "console")
            assert result is not None
            return f"{result.status}: {result.message}"

        await session.start()
        assert (await told("region")).startswith("ok: no regions; region NAME X0")
        assert await told("region a 0 0 9999 9999") == (
            "refused: region a: 0, 0 to 9999, 9999 reaches beyond the frame, which is 0, 0 to 64, 48"
        )
        assert await told("region a 0 0 64 49") != await told("region a 0 0 64 48")
        await told("region eye 8 4 16 20")
        assert dict(session.preview.regions) == {"a": (0, 0, 64, 48), "eye": (8, 4, 16, 20)}
        assert (
            await told("region")
            == "ok: region a: 64 x 48 pixels from 0, 0; region eye: 8 x 16 pixels from 8, 4"
        )
        assert await told("region eye") == "ok: region eye: 8 x 16 pixels from 8, 4"
        assert 'no region "ey"; did you mean' in await told("region ey")
        assert "write: region b X0 Y0 X1 Y1" in await told("region b 1 2 3")
        await session.close()


async def test_one_channel_is_shown_alone(tmp_path: Path, virtual_time: VirtualClock) -> None:
    tree = {
        "recording": {"output": str(tmp_path / "x.h5"), "channels": ["blue", "violet"]},
        "camera": {"width": 64, "height": 48},
        "pool": {"memory": "20MB"},
        "preview": {"on": True, "mode": "dff"},
    }
    session = build_session(validate(tree), dry_run=False)
    async with session_context(session) as dispatch:

        async def told(line: str) -> str:
            result = await dispatch.execute(line, "page")
            assert result is not None
            return result.message

        async def shown() -> set[int]:
            """Which of the two channels the next pictures are of."""
            await session.preview.next_picture()
            return {(await session.preview.next_picture()).number % 2 for _ in range(6)}

        await session.start()
        await session.preview.next_picture()
        assert "the channels are mixed: preview channel blue shows one" in await told("preview mode dff")
        assert await told("preview channel blu") == 'no channel "blu"; did you mean blue?'
        assert await told("preview channel violet") == "channel violet"
        assert await shown() == {0}
        assert await told("preview channel blue") == "channel blue"
        assert await shown() == {1}
        assert await told("preview mode dff") == "mode dff, baseline running 10s"
        assert await told("preview channel all") == "channel all"
        assert await told("preview channel") == "channel all; there are blue, violet"
        await session.close()


def test_the_baseline_is_of_the_channel_that_is_shown() -> None:
    preview = Preview(PreviewSettings())
    preview.baseline.see(np.zeros((48, 64), np.uint16), 0.0, 0.0)
    preview.show_channel("violet")
    assert preview.baseline.frames == 0
    preview.baseline.see(np.zeros((48, 64), np.uint16), 0.0, 0.0)
    preview.show_channel("violet")
    assert preview.baseline.frames == 1
