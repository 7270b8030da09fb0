"""When the exposure of a file's first frame began, by the wall clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

# How often the two clocks of this computer are read: in one pair of readings nothing comes between them.
READINGS = 5

# A frame that comes later after its exposure was not on its way but waited for, or is played at another rate.
LONGEST_WAY_NS = 100_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_of_first(
    metadata: NDArray[Any],
    clock: Callable[[], int] = time.perf_counter_ns,
    wall_clock: Callable[[], int] = time.time_ns,
) -> str:
    """Return the begin of the first exposure of `metadata` (n,), rows of a block: ISO 8601, to the us.

    `clock` is the host's monotonic clock, by which frames arrived. Each frame came some time after the end of
    its exposure; the shortest of these times counts, as later ones waited for something. That shortest time
    itself is not known: the moment is late by as much, less than a frame's readout and transfer.
    """
    exposed = np.nan_to_num(metadata["exposure_s"]) * 1e9
    begun = metadata["host_time_ns"] - exposed.astype(np.int64)  # or later
    first = int(begun[0])
    lag = int((begun - metadata["camera_time_ns"]).min())
    first = max(int(metadata["camera_time_ns"][0]) + lag, first - LONGEST_WAY_NS)
    return utc_of(first, clock, wall_clock)


def utc_now() -> str:
    """Return this moment of the wall clock as UTC: ISO 8601, to the ms."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def utc_of(host_ns: int, clock: Callable[[], int], wall_clock: Callable[[], int]) -> str:
    """Return a moment of the host's monotonic clock as UTC: ISO 8601, to the us."""
    readings = []
    for _ in range(READINGS):
        before, wall, after = clock(), wall_clock(), clock()
        readings.append((after - before, wall - (before + after) // 2))
    _, offset = min(readings)
    return text_of(host_ns + offset)


def text_of(ns: int) -> str:
    """Write ns since 1970 as ISO 8601 in UTC, to the us."""
    return (_EPOCH + timedelta(microseconds=round(ns / 1000))).isoformat(timespec="microseconds")
