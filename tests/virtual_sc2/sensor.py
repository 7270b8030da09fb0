"""What the virtual camera exposes: pictures that can be foretold, with counter and time in their pixels."""

import ctypes
import struct
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

PICTURES = 4


BCD = [value // 10 << 4 | value % 10 for value in range(100)]


def counter_digits(number: int) -> tuple[int, ...]:
    """The last eight digits, two by two, the lowest first."""
    return (
        BCD[number % 100],
        BCD[number // 100 % 100],
        BCD[number // 10_000 % 100],
        BCD[number // 1_000_000 % 100],
    )


class Clock:
    """The camera's time in BCD; remembers the second, which seldom changes."""

    def __init__(self) -> None:
        self._second = -1
        self._date: tuple[int, ...] = ()

    def digits(self, us: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Microseconds in three pairs of digits, the lowest first; century, year, month, ... second."""
        second, us = divmod(us, 1_000_000)
        if second != self._second:
            year, *rest = time.gmtime(second)[:6]
            if (year, *rest[:2]) == (2000, 1, 1):
                # Since power-up nobody has set it: all digits begin at zero.
                rest[:2] = 0, 0
            self._second, self._date = second, tuple(BCD[v] for v in (year // 100, year % 100, *rest))
        return (BCD[us % 100], BCD[us // 100 % 100], BCD[us // 10_000]), self._date


class Sensor:
    """Frames of `height` by `width` pixels of `bits` bits."""

    def __init__(self, width: int, height: int, bits: int) -> None:
        self.dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        rng = np.random.default_rng(bits)
        self.pictures = [
            rng.integers(0, 1 << bits, (height, width), self.dtype, endpoint=False) for _ in range(PICTURES)
        ]
        self._addresses = [picture.ctypes.data for picture in self.pictures]
        self.clock = Clock()
        self._pack = struct.Struct("<14B" if bits == 8 else "<14H")
        self._stamp = bytearray(self._pack.size)
        self._stamp_address = ctypes.addressof(ctypes.c_char.from_buffer(self._stamp))

    def stamp(self, number: int, us: int) -> None:
        """Make the fourteen pixels of the binary timestamp."""
        a, b, c, d = counter_digits(number)
        (e, f, g), date = self.clock.digits(us)
        self._pack.pack_into(self._stamp, 0, d, c, b, a, *date, g, f, e)

    def copy_to(self, address: int, number: int, us: int, *, stamped: bool, rows: int | None = None) -> None:
        ctypes.memmove(address, self._addresses[number % PICTURES], self.pictures[0][:rows].nbytes)
        if stamped:
            self.stamp(number, us)
            ctypes.memmove(address, self._stamp_address, self._pack.size)

    def frame(self, number: int, us: int, *, stamped: bool) -> NDArray[Any]:
        """What frame `number` has to look like."""
        picture = self.pictures[number % PICTURES].copy()
        if stamped:
            self.stamp(number, us)
            picture.reshape(-1)[:14] = np.frombuffer(self._stamp, self.dtype)
        return picture
