"""Copy one frame out of the SDK's recorder into a slot, once and without allocating memory.

pco.Camera.image() allocates each frame, copies it, and leaves a reference cycle behind. The C function that
it calls takes any address; its arguments are prepared once here.
"""

import calendar
import ctypes
import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.camera.pco.clock_sync import ClockSync
from recorder.camera.pco.errors import from_code, is_error
from recorder.camera.timestamp import COUNTER_MODULUS
from recorder.errors import CameraError

_BCD = [(byte >> 4) * 10 + (byte & 0xF) for byte in range(256)]

# PCO_METADATA_STRUCT: time bases of the exposure as the vendor's package reads them, and as the SDK's other
# functions number them. Which of the two a camera uses is found from its first frames. So many of each are a
# second: dividing keeps 900000 ns equal to 0.0009 s.
_TIME_BASES = ((10**3, 10**6, 10**9), (10**9, 10**6, 10**3))

# The value for no temperature.
_NO_TEMPERATURE = -32768


class UncountedFrameError(CameraError):
    """A frame has neither counter nor time where they are looked for."""


class CopiedFrame(NamedTuple):
    """The metadata of a frame that was copied."""

    number: int  # the camera's counter, also beyond its eight digits
    camera_time_ns: int  # start of the exposure since 1970; its end where exposure_s is NaN
    exposure_s: float  # NaN where not known
    temperature_c: float  # of the sensor; NaN where not known


class FrameCopier:
    """Copy frames of `width` by `height` pixels out of the recorder of a pco.Camera that records.

    Every method is called on the camera thread. Without `metadata` the counter and the time come from the
    binary timestamp in the pixels. `exposure_s` is the exposure set, None where the length of a pulse
    decides. `sync` is told where frames say that something else synchronises the camera.
    """

    def __init__(
        self,
        camera: Any,  # noqa: ANN401
        width: int,
        height: int,
        *,
        metadata: bool,
        exposure_s: float | None = None,
        sync: ClockSync | None = None,
    ) -> None:
        from pco.recorder import PCO_METADATA_STRUCT, PCO_TIMESTAMP_STRUCT  # noqa: PLC0415

        self._copy = camera.rec.PCO_Recorder.PCO_RecorderCopyImage
        self._handles = (camera.rec.recorder_handle, camera.rec.camera_handle)
        self._region = (1, 1, width, height)
        self._first_row = (1, 1, width, 1)
        self._sdk = camera.sdk
        self._index = ctypes.c_uint32()
        self._metadata = PCO_METADATA_STRUCT()
        self._metadata.wSize = ctypes.sizeof(PCO_METADATA_STRUCT)
        self._timestamp = PCO_TIMESTAMP_STRUCT()
        self._timestamp.wSize = ctypes.sizeof(PCO_TIMESTAMP_STRUCT)
        self._has_metadata = metadata
        self._sync = sync
        self._time_bases = _TIME_BASES[0]
        # None once the time bases are known.
        self._expected_s = exposure_s
        # Counter and time are thirteen BCD bytes in a row, from this field of the structure on.
        begin = PCO_METADATA_STRUCT.bIMAGE_COUNTER_BCD.offset
        self._digits = memoryview(self._metadata).cast("B")[begin : begin + 13]
        self._second_key = b""
        self._second_ns = 0
        self._last_number = 0
        self._wraps = 0

    def expect(self, exposure_s: float) -> None:
        """Expect this exposure from now on; does not block."""
        if self._expected_s is not None:
            self._expected_s = exposure_s

    def copy(self, index: int, slot: NDArray[Any]) -> CopiedFrame | None:
        """Copy frame `index` of the recorder (0: the oldest of a FIFO) into `slot` (H, W), C-contiguous.

        Blocks for the copy, or the transfer out of the camera's memory. Returns None for a frame that is
        empty because its transfer failed. Raises CameraError: UncountedFrameError for a frame without counter
        and time.
        """
        return self._copy_region(index, self._region, slot)

    def skip(self, slot: NDArray[Any]) -> CopiedFrame | None:
        """Take the oldest frame out of a FIFO for its metadata: only its first row is copied into `slot`.

        As `copy` otherwise.
        """
        return self._copy_region(0, self._first_row, slot[:1])

    def _copy_region(
        self, index: int, region: tuple[int, int, int, int], slot: NDArray[Any]
    ) -> CopiedFrame | None:
        code = self._copy(
            *self._handles,
            index,
            *region,
            slot.ctypes.data,
            self._index,
            self._metadata,
            self._timestamp,
        )
        if is_error(code):
            raise from_code(code, self._sdk.get_error_text(code), f"reading frame {self._last_number + 1}")
        copied = self._from_metadata() if self._has_metadata else self._from_pixels(slot)
        if copied is None and slot.any():
            what, remedy = "no binary timestamp in its first pixels", "set camera.timestamp to binary"
            if self._has_metadata:
                what, remedy = "no metadata", "switch the camera off and on again"
            raise UncountedFrameError(
                f"the frame after number {self._last_number} has {what}: without it nobody could tell which "
                f"frames are missing; {remedy}"
            )
        return copied

    def _from_metadata(self) -> CopiedFrame | None:
        digits = bytes(self._digits)
        number = _BCD[digits[0]] + 100 * (_BCD[digits[1]] + 100 * (_BCD[digits[2]] + 100 * _BCD[digits[3]]))
        us = _BCD[digits[4]] + 100 * (_BCD[digits[5]] + 100 * _BCD[digits[6]])
        try:
            end_ns = self._whole_second_ns(digits[7:]) + us * 1000
        except (ValueError, IndexError):
            # There is no month 0.
            return None
        metadata = self._metadata
        base, count = metadata.wEXPOSURE_TIME_BASE, metadata.dwEXPOSURE_TIME
        if self._expected_s is not None and base != 1:
            self._choose_time_base(count, base)
        exposure_s = count / self._time_bases[base]
        temperature = metadata.sSENSOR_TEMPERATURE
        number = self._unwrapped(number)
        if self._sync is not None:
            state = metadata.bIMAGE_TIME_STATUS, metadata.bSYNC_STATUS
            if state != self._sync.state:
                self._sync.change(number, state)
        return CopiedFrame(
            number,
            end_ns - round(exposure_s * 1e9),
            exposure_s,
            math.nan if temperature == _NO_TEMPERATURE else float(temperature),
        )

    def _choose_time_base(self, count: int, base: int) -> None:
        """Choose the time bases with which an exposure of `count` is nearer to the exposure set."""
        expected_s, self._expected_s = self._expected_s or 1, None
        self._time_bases = min(
            _TIME_BASES, key=lambda bases: abs(math.log(max(count, 1) / bases[base] / expected_s))
        )

    def _whole_second_ns(self, key: bytes) -> int:
        """Return ns since 1970 of second, minute, hour, day, month and year in BCD; they seldom change."""
        if key != self._second_key:
            second, minute, hour, day, month, year = (_BCD[byte] for byte in key)
            if month == day == 0 and any(self._digits[:4]):
                # The clock was never set, and counts from zero since power-up.
                month = day = 1
            self._second_ns = calendar.timegm((2000 + year, month, day, hour, minute, second)) * 10**9
            self._second_key = key
        return self._second_ns

    def _from_pixels(self, slot: NDArray[Any]) -> CopiedFrame | None:
        stamp = timestamp.read(slot)
        if stamp is None:
            return None
        return CopiedFrame(self._unwrapped(stamp.number), stamp.time_ns, math.nan, math.nan)

    def _unwrapped(self, number: int) -> int:
        """Return the counter as if it had more than eight digits."""
        number += self._wraps * COUNTER_MODULUS
        if number < self._last_number - COUNTER_MODULUS // 2:
            self._wraps += 1
            number += COUNTER_MODULUS
        self._last_number = number
        return number
