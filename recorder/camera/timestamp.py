"""The binary timestamp of PCO cameras: counter and time in the first 14 pixels of a frame.

Each pixel carries two BCD digits in its low byte (pco.edge manual, "Timestamp Mode"):
4 pixels of counter, then year (2), month, day, hour, minute, second, and 3 of microseconds.
Used on the camera thread, and to check files; nothing blocks.
"""

import calendar
import struct
import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

PIXELS = 14

# Eight digits: after 99 999 999 the counter of the stamp starts again at 0.
COUNTER_MODULUS = 100_000_000

_BCD = [value // 10 << 4 | value % 10 for value in range(100)]
_VALUE = {code: value for value, code in enumerate(_BCD)}
# By code; 255: none.
_VALUES = np.array([_VALUE.get(code, 255) for code in range(256)], np.uint8)
_PACK = struct.Struct(f"={PIXELS}H").pack_into


@dataclass(frozen=True)
class Timestamp:
    """Counter (modulo 100 000 000) and camera clock in ns since 1970, in steps of 1 us."""

    number: int
    time_ns: int


class TimestampWriter:
    """Write timestamps into frames; one object for each camera, as it caches the BCD digits of the date."""

    def __init__(self) -> None:
        self._second = -1
        self._date: tuple[int, ...] = ()

    def write(self, frame: NDArray[Any], number: int, time_ns: int) -> None:
        """Write counter and time (ns since 1970) into the first 14 pixels of `frame` (H, W), uint16.

        `frame` is C-contiguous. The counter is written modulo 100 000 000, the time in whole us.
        """
        second, ns = divmod(time_ns, 1_000_000_000)
        if second != self._second:
            year, month, day, hour, minute, secs, *_ = time.gmtime(second)
            self._date = tuple(_BCD[v] for v in (year // 100, year % 100, month, day, hour, minute, secs))
            self._second = second
        us = ns // 1000
        _PACK(
            cast(Any, frame),  # before Python 3.12 there is no type for buffers
            0,
            _BCD[number // 1_000_000 % 100],
            _BCD[number // 10_000 % 100],
            _BCD[number // 100 % 100],
            _BCD[number % 100],
            *self._date,
            _BCD[us // 10_000],
            _BCD[us // 100 % 100],
            _BCD[us % 100],
        )


def read(frame: NDArray[Any]) -> Timestamp | None:
    """Return the timestamp in `frame` (H, W), None where its first pixels are not one."""
    if frame.size < PIXELS:
        return None
    codes = [int(v) & 0xFF for v in frame.reshape(-1)[:PIXELS]]
    if any(code not in _VALUE for code in codes):
        return None
    v = [_VALUE[code] for code in codes]
    number = ((v[0] * 100 + v[1]) * 100 + v[2]) * 100 + v[3]
    year, month, day, hour, minute, second = v[4] * 100 + v[5], *v[6:11]
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    us = (v[11] * 100 + v[12]) * 100 + v[13]
    return Timestamp(
        number, (calendar.timegm((year, month, day, hour, minute, second)) * 1_000_000 + us) * 1000
    )


def read_numbers(frames: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the counters in frames (n, pixels), and which of the frames have a timestamp at all."""
    codes = frames[:, :PIXELS].astype(np.uint8)
    values = _VALUES[codes].astype(np.uint64)
    month, day, hour, minute, second = values[:, 6:11].T
    is_stamp = (values < 100).all(axis=1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    is_stamp &= (hour < 24) & (minute < 60) & (second < 61)
    return values[:, :4] @ np.array([1_000_000, 10_000, 100, 1], np.uint64), is_stamp
