"""When the first exposure began, by the wall clock."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.frames.metadata import METADATA
from recorder.storage.first_frame import LONGEST_WAY_NS, utc_of_first

HOST_NS, CAMERA_NS, WALL_NS = 7_000_000_000, 123_456_789_000, 1_800_000_000_123_456_789
EXPOSURE_S = 0.004


class Clocks:
    """Both clocks of a computer; each reading takes as many ns as it says, and then again."""

    def __init__(self, *takes_ns: int) -> None:
        self._takes_ns = takes_ns
        self._readings = 0
        self.passed_ns = 500_000_000  # since the first exposure began

    def _read(self) -> int:
        self.passed_ns += self._takes_ns[self._readings % len(self._takes_ns)]
        self._readings += 1
        return self.passed_ns

    def host(self) -> int:
        return HOST_NS + self._read()

    def wall(self) -> int:
        return WALL_NS + self._read()


def rows(ways_ns: list[int], exposure_s: float = EXPOSURE_S) -> NDArray[Any]:
    """Return rows of frames every 10 ms that came so long after their exposure."""
    found = np.zeros(len(ways_ns), METADATA)
    begun = np.arange(len(ways_ns)) * 10_000_000
    found["camera_time_ns"] = CAMERA_NS + begun
    found["host_time_ns"] = HOST_NS + begun + round(np.nan_to_num(exposure_s) * 1e9) + np.array(ways_ns)
    found["exposure_s"] = exposure_s
    return found


def late_us(metadata: NDArray[Any], clocks: Clocks) -> float:
    """Return by how much what is said is later than the true begin."""
    text = utc_of_first(metadata, clocks.host, clocks.wall)
    assert len(text) == len("2027-01-15T08:00:00.123457+00:00")
    said = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (said.days * 86400 + said.seconds) * 1e6 + said.microseconds - WALL_NS / 1000


@pytest.mark.parametrize("first_ns", [200_000, 3_000_000, 60_000_000])
def test_it_is_late_by_the_shortest_way_only(first_ns: int) -> None:
    metadata = rows([first_ns, 900_000, 200_000, 5_000_000])
    assert late_us(metadata, Clocks(100)) == pytest.approx(200, abs=2)


def test_a_reading_that_was_interrupted_does_not_count() -> None:
    slow = Clocks(*[100, 9_000_000, 40_000_000] * 2, *[100] * 9)
    assert late_us(rows([200_000] * 3), slow) == pytest.approx(200, abs=2)


def test_frames_that_do_not_tell_their_exposure_began_when_they_came() -> None:
    assert late_us(rows([4_200_000, 4_000_000], float("nan")), Clocks(100)) == pytest.approx(4000, abs=2)


def test_frames_that_are_played_faster_than_they_were_taken_do_not_begin_before_their_time() -> None:
    metadata = rows([0] * 50)
    metadata["host_time_ns"] = metadata["host_time_ns"][0] + np.arange(50) * 1000
    assert late_us(metadata, Clocks(100)) == pytest.approx(-LONGEST_WAY_NS / 1000, abs=2)
