"""Means of named regions: of all their pixels, whatever is shown, and against the baseline."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.assembly import build_session
from recorder.control.kept_regions import NAME
from recorder.frontends.session_context import session_context
from recorder.preview.baseline import Baseline
from recorder.preview.picture import Comparison
from recorder.preview.regions import ACROSS, COLOURS, region_means
from recorder.settings.model import load, validate

RNG = np.random.default_rng(2)
FRAME = RNG.integers(500, 1500, (300, 400)).astype(np.uint16)


def test_a_mean_is_that_of_the_regions_own_pixels() -> None:
    boxes = {"eye": (10, 20, 110, 60), "corner": (380, 290, 500, 400), "gone": (500, 0, 600, 10)}
    eye, corner, gone = region_means(FRAME, boxes, None)
    assert eye.mean == pytest.approx(FRAME[20:60, 10:110].mean())
    assert corner.mean == pytest.approx(FRAME[290:, 380:].mean())
    assert gone.mean is None
    assert [found.colour for found in (eye, corner, gone)] == list(COLOURS[:3])


def test_of_a_large_region_every_nth_pixel_counts() -> None:
    (whole,) = region_means(FRAME, {"all": (0, 0, 400, 300)}, None)
    assert whole.mean == pytest.approx(FRAME[:: -(-300 // ACROSS), :: -(-400 // ACROSS)].mean())


@given(st.tuples(*[st.integers(-100, 600)] * 4))
def test_no_region_is_too_much(box: tuple[int, int, int, int]) -> None:
    (found,) = region_means(FRAME, {"any": box}, None)
    assert found.mean is None or 500 <= found.mean < 1500


@pytest.mark.parametrize("running", [False, True])
def test_against_a_baseline_the_mean_is_compared_with_its_mean(running: bool) -> None:
    boxes = {"eye": (10, 20, 110, 60)}
    for mode, wanted in (("difference", 100.0), ("dff", 100 / FRAME[20:60, 10:110].mean() * 100)):
        baseline = Baseline(1e6 if running else 0.05, running=running)
        means: list[Any] = []
        for i, frame in enumerate((FRAME, FRAME, FRAME + np.uint16(100))):
            baseline.see(frame, i * 0.1, 0.01)
            comparison = Comparison(mode, "auto", baseline)  # type: ignore[arg-type]
            means.append(region_means(frame, boxes, comparison)[0].mean)
        # The third frame has a third of its own in a running mean of three.
        share = 2 / 3 if running else 1
        assert means[1] == pytest.approx(0, abs=1e-3)
        if mode == "difference" or not running:
            assert means[2] == pytest.approx(wanted * share, rel=1e-4)


def test_regions_are_settings() -> None:
    settings = load(None, ("preview.regions.eye=[10, 20, 30, 40]",))
    assert settings.preview.regions == {"eye": (10, 20, 30, 40)}
    assert validate(settings.to_tree()).preview.regions == settings.preview.regions


async def test_regions_survive_a_restart_and_those_of_the_configuration_come_first(tmp_path: Path) -> None:
    tree = {
        "recording": {"output": str(tmp_path)},
        "camera": {"width": 64, "height": 48},
        "pool": {"memory": "20MB"},
        "preview": {"regions": {"eye": [1, 2, 3, 4]}},
    }

    async def say(*lines: str) -> list[str]:
        session = build_session(validate(tree), dry_run=False)
        async with session_context(session) as dispatch:
            answers = [await dispatch.execute(line, "page") for line in lines]
            assert session.preview.regions == session.settings.preview.regions
            regions = [f"{name} {box[0]}" for name, box in session.preview.regions.items()]
            await session.close()
        return [*(answer.status for answer in answers if answer), *sorted(regions)]

    assert await say("region tail 5 5 10 10") == ["ok", "eye 1", "tail 5"]
    assert await say("region eye 7 7 9 9", "region tail 6 5 10 10") == ["ok", "ok", "eye 7", "tail 6"]
    assert await say("region eye 9 7 9 9", "region no/name 1 1 2 2", "region off eyes") == [
        *["refused"] * 3,
        *("eye 1", "tail 6"),
    ]
    assert await say("region off tail") == ["ok", "eye 1"]
    # A slip of Tab and Enter takes out nothing.
    assert await say("region off") == ["refused", "eye 1"]
    assert await say("region off all") == ["ok"]
    assert await say() == ["eye 1"]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    (tmp_path / NAME).write_text("no TOML")
    assert await say() == ["eye 1"]
