"""What the virtual camera exposes: pictures that can be foretold, with counter and time in their pixels."""

import calendar
import ctypes
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLOCK_START = calendar.timegm((2026, 1, 1, 0, 0, 0))
PICTURES = 4


def bcd(value: int) -> int:
    return value // 10 << 4 | value % 10


def counter_digits(number: int) -> list[int]:
    """The last eight digits, two by two, the lowest first."""
    return [bcd(number // 100**i % 100) for i in range(4)]


def time_digits(us: int) -> tuple[list[int], tuple[int, ...]]:
    """Microseconds in three pairs of digits, the lowest first, and the time of day and date."""
    seconds, us = divmod(us, 1_000_000)
    return [bcd(us // 100**i % 100) for i in range(3)], time.gmtime(CLOCK_START + seconds)[:6]


class Sensor:
    """Frames of `height` by `width` pixels of `bits` bits."""

    def __init__(self, width: int, height: int, bits: int) -> None:
        self.dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        rng = np.random.default_rng(bits)
        self.pictures = [
            rng.integers(0, 1 << bits, (height, width), self.dtype, endpoint=False) for _ in range(PICTURES)
        ]
        self._addresses = [picture.ctypes.data for picture in self.pictures]
        self._bytes = self.pictures[0].nbytes

    def stamp(self, number: int, us: int) -> NDArray[Any]:
        """The fourteen pixels of the binary timestamp."""
        micro, (year, month, day, hour, minute, second) = time_digits(us)
        values = [*reversed(counter_digits(number)), bcd(year // 100), bcd(year % 100)]
        values += [bcd(value) for value in (month, day, hour, minute, second)]
        return np.array([*values, *reversed(micro)], self.dtype)

    def copy_to(self, address: int, number: int, us: int, *, stamped: bool) -> None:
        ctypes.memmove(address, self._addresses[number % PICTURES], self._bytes)
        if stamped:
            stamp = self.stamp(number, us)
            ctypes.memmove(address, stamp.ctypes.data, stamp.nbytes)

    def frame(self, number: int, us: int, *, stamped: bool) -> NDArray[Any]:
        """What frame `number` has to look like."""
        picture = self.pictures[number % PICTURES].copy()
        if stamped:
            picture.reshape(-1)[:14] = self.stamp(number, us)
        return picture
