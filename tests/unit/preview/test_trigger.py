"""When a condition begins to hold."""

from typing import Any

import numpy as np
import pytest

from recorder.assembly import make_camera
from recorder.errors import ConfigurationError
from recorder.preview.trigger import Trigger
from recorder.settings.model import validate

FRAME = np.zeros((20, 30), np.uint16)
FRAME[5:10, 10:20] = 1000


def test_it_fires_where_it_begins_to_hold_and_only_then() -> None:
    trigger = Trigger("mean > 10")
    values = [5, 11, 12, 10, 11, float("nan"), 11]
    assert [trigger.fires({"mean": value}) for value in values] == [
        *(False, True, False, False, True, False, True)
    ]
    falling = Trigger("level < 2.5")
    assert [falling.fires({"level": value}) for value in (3, 2, 3)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "found"),
    [("mean > 1", 50_000 / 600), ("spot > 1", 1000.0), ("edge > 1", 500.0), ("deep > 1", 7)],
)
def test_it_measures_what_it_is_about(text: str, found: float) -> None:
    regions = {"spot": (110, 5, 120, 10), "edge": (105, 5, 115, 10)}

    def function(frame: Any, metadata: Any) -> dict[str, float]:
        return {"deep": 7}

    trigger = Trigger(text)
    measure = trigger.measuring(function, lambda: (regions, (100, 0)))
    assert measure(FRAME, {}) == {"deep": 7, trigger.name: found}


def test_a_value_that_never_comes_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    trigger = Trigger("brigthness > 5")
    assert not any(trigger.fires({"brightness": 9}) for _ in range(3))
    assert not trigger.fires({})
    assert [record.getMessage() for record in caplog.records] == [
        "analysis.trigger = brigthness > 5: the function returned no brigthness; did you mean brightness?"
    ]


RING = {"pretrigger": 5}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"recording": RING, "analysis": {"trigger": "maen > 5"}},
            "no region maen in preview.regions, .* did you mean mean",
        ),
        (
            {
                "recording": RING,
                "analysis": {"trigger": "sopt > 5"},
                "preview": {"regions": {"spot": [0, 0, 5, 5]}},
            },
            "did you mean spot",
        ),
        ({"recording": RING, "analysis": {"trigger": "mean => 5"}}, 'trigger = "mean => 5": must be NAME'),
        ({"recording": RING, "analysis": {"trigger": "mean > high"}}, "high is no number; write NAME"),
        ({"recording": {"pretrigger": 0}}, "recording.posttrigger: at least 1"),
        ({"recording": {"pretrigger": -1}}, r"recording.pretrigger = -1: must be a time \(.*, or a number"),
        ({"recording": {"pretrigger": "2"}}, "a time needs a unit"),
        ({"recording": {**RING, "split": 100}}, "recording.split: with recording.pretrigger each capture"),
        (
            {"recording": RING, "camera": {"kind": "pco", "memory": "camram ring"}},
            'recording.pretrigger: needs camera.memory = "fifo"',
        ),
        (
            {"recording": {**RING, "capture_input": True}, "camera": {"kind": "playback", "source": "x.tif"}},
            "recording.capture_input: a playback has no input",
        ),
        (
            {"recording": {**RING, "capture_input": True}, "camera": {"kind": "pco", "acquire": "external"}},
            'camera.acquire = "external" the acquire input does something else',
        ),
        (
            {"camera": {"events": [{"at": 5, "frmes": 3}]}},
            r"camera.events.0.frmes: .* camera.events.0.frames",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        validate(tree)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"analysis": {"trigger": "mean > 5"}}, "analysis.trigger = mean > 5: needs recording.pretrigger"),
        ({"recording": {"posttrigger": 5}}, "recording.posttrigger = 5: needs recording.pretrigger"),
        ({"recording": {"captures": 5}}, "recording.captures = 5: needs recording.pretrigger"),
        (
            {"recording": {"capture_input": True}},
            "recording.capture_input = true: needs recording.pretrigger",
        ),
    ],
)
def test_no_camera_is_made_for_captures_of_nothing(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_camera(validate(tree))


def test_a_function_may_return_any_value() -> None:
    validate(
        {
            "recording": RING,
            "analysis": {"trigger": "depth > 5", "function": "recorder.preview.threshold:crossing"},
        }
    )
