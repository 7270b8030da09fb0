"""The hardware I/O lines of an opened camera. Called on the camera thread; blocks for telegrams to it."""

from typing import Any

from recorder.camera.pco.open_camera import OpenCamera
from recorder.errors import ConfigurationError
from recorder.settings.pco_camera import LineSettings

_EXPOSURE_LINE = 4
_LEVELS = ("high level", "low level")


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
    selected, parameter = now["selected"], list(now["parameter"])
    if line.signal is not None:
        names = [name.strip("\0 ").lower() for name in sdk.get_hwio_signal_descriptor(index)["signal name"]]
        known = [name for name in names if name]
        if line.signal not in known:
            raise ConfigurationError(
                f"camera.lines.signal = {line.signal}: line {line.number} of this camera tells "
                f"{' or '.join(known) or 'nothing'}"
            )
        selected = names.index(line.signal)
    if line.timing is not None:
        if line.number != _EXPOSURE_LINE:
            raise ConfigurationError(
                f"camera.lines.timing = {line.timing}: only line {_EXPOSURE_LINE} has it"
            )
        parameter[selected] = ("first line", "global", "last line", "all lines").index(line.timing) + 1
    on = "on" if line.on else "off"
    return index, on, now["type"], polarity, now["filter"], selected, parameter
