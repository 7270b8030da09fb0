"""The hardware I/O lines of an opened camera. Called on the camera thread; blocks for telegrams to it."""

import contextlib
from collections.abc import Mapping
from typing import Any

from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import ConfigurationError
from recorder.settings.pco_camera import LineSettings

_EXPOSURE_LINE = 4
_LEVELS = ("high level", "low level")

# Bits of PCO_Single_Signal_Desc, which tell what a line can be (sc2_defs.h, SIGNAL_TYPE_ and SIGNAL_FILTER_).
_TYPES = {
    "TTL": 0x01,
    "high level TTL": 0x02,
    "contact mode": 0x04,
    "RS485 differential": 0x08,
    "two pin differential": 0x80,
}
_FILTERS = {"off": 0x01, "medium": 0x02, "high": 0x04}
_TIMINGS = ("first line", "global", "last line", "all lines")


def line_arguments(camera: OpenCamera, line: LineSettings) -> tuple[Any, ...]:
    """Return the arguments of set_hwio_signal for one line; those omitted stay as the camera has them."""
    sdk, index = camera.sdk, line.number - 1
    count = sdk.get_hwio_signal_count()["hwio signal count"]
    if line.number > count:
        raise ConfigurationError(f"camera.lines.number = {line.number}: this camera has {count} lines")
    now = sdk.get_hwio_signal(index)
    polarity = line.polarity or now["polarity"]
    if (polarity in _LEVELS) == (line.number == 1):
        wanted = "rising edge or falling edge" if line.number == 1 else "high level or low level"
        raise ConfigurationError(f"camera.lines.polarity = {polarity}: line {line.number} takes {wanted}")
    can = sdk.get_hwio_signal_descriptor(index)
    _check("type", line.type, _TYPES, can["signal types"], line.number)
    _check("filter", line.filter, _FILTERS, can["signal filter"], line.number)
    selected = now["selected"] if line.signal is None else _number_of(line, _names(can))
    parameter = list(now["parameter"])
    if line.timing is not None:
        if line.number != _EXPOSURE_LINE:
            raise ConfigurationError(
                f"camera.lines.timing = {line.timing}: only line {_EXPOSURE_LINE} has it"
            )
        parameter[selected] = _TIMINGS.index(line.timing) + 1
    on = "on" if line.on else "off"
    return index, on, line.type or now["type"], polarity, line.filter or now["filter"], selected, parameter


def line_details(camera: OpenCamera) -> dict[str, str]:
    """Return what each line is set to, as `line_1` and so on; those without an answer are left out.

    For example "on, TTL, rising edge, filter off, exposure trigger".
    """
    sdk, known = camera.sdk, {}
    with contextlib.suppress(ValueError, LookupError):
        for index in range(sdk.get_hwio_signal_count()["hwio signal count"]):
            with contextlib.suppress(ValueError, LookupError):
                now = sdk.get_hwio_signal(index)
                words = [now["enabled"], now["type"], now["polarity"], f"filter {now['filter']}"]
                words.append(_names(sdk.get_hwio_signal_descriptor(index))[now["selected"]])
                if index + 1 == _EXPOSURE_LINE and 1 <= (timing := now["parameter"][now["selected"]]) <= 4:
                    words.append(_TIMINGS[timing - 1])
                known[f"line_{index + 1}"] = ", ".join(words)
    return known


def _names(can: Mapping[str, Any]) -> list[str]:
    """Return the names of the signals that a line can give, from its descriptor; "" where it has fewer."""
    return [name.strip("\0 ").lower() for name in can["signal name"]]


def _number_of(line: LineSettings, names: list[str]) -> int:
    """Return the number of the signal of the settings among `names`."""
    known = [name for name in names if name]
    if line.signal not in known:
        raise ConfigurationError(
            f"camera.lines.signal = {line.signal}: line {line.number} of this camera tells "
            f"{' or '.join(known) or 'nothing'}"
        )
    return names.index(line.signal)


def _check(key: str, wanted: str | None, bits: Mapping[str, int], can: int, number: int) -> None:
    """Raise ConfigurationError where a line does not have the type or the filter of the settings."""
    if wanted is not None and not bits[wanted] & can:
        known = [word for word, bit in bits.items() if bit & can]
        allowed = f"can be {' or '.join(known)}" if known else "has no choice"
        raise ConfigurationError(f"camera.lines.{key} = {wanted}: line {number} of this camera {allowed}")
