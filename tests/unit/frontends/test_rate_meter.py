import time
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.frontends.rate_meter import RateMeter


def test_the_rate_is_that_of_now_and_0_when_no_frame_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now, frames = 0.0, 0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    meter = RateMeter()

    def rate(average: float) -> float:
        figures: Any = SimpleNamespace(acquisition=SimpleNamespace(frames=frames), rate=average)
        return meter.update(figures)

    assert rate(0.0) == 0
    for _ in range(30):
        now, frames = now + 0.1, frames + 10
        found = rate(80.0)
    assert found == pytest.approx(100)
    now += 1.5
    assert rate(60.0) > 0
    now += 1.0
    assert rate(50.0) == 0  # a trigger that pauses
    assert rate(0.5) > 0  # a slow camera may take that long
    now, frames = now + 0.1, frames + 10
    assert rate(50.0) > 0
