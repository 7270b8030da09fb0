"""What settings about captures, the files of frames around a trigger, need of one another."""

from typing import TYPE_CHECKING

from recorder.errors import ConfigurationError, did_you_mean
from recorder.settings.cameras import PlaybackCameraSettings
from recorder.settings.file_types import split_condition
from recorder.settings.pco_camera import PcoCameraSettings

if TYPE_CHECKING:
    from recorder.settings.model import Settings


def check_pretrigger_given(settings: "Settings") -> None:
    """Raise ConfigurationError where captures are asked for, and nothing is held for them.

    A configuration may have such settings without an effect; a session may not.
    """
    recording = settings.recording
    alone = {
        "recording.posttrigger": recording.posttrigger,
        "recording.captures": recording.captures or None,
        "recording.capture_input": "true" if recording.capture_input else None,
        "analysis.trigger": settings.analysis.trigger,
    }
    for key, value in alone.items():
        if recording.pretrigger is None and value is not None:
            raise ConfigurationError(
                f'{key} = {value}: needs recording.pretrigger, for example "2s": what is held in memory'
            )


def check_captures(settings: "Settings") -> None:
    """Raise ConfigurationError where what is set about captures does not go together."""
    recording, condition = settings.recording, settings.analysis.trigger
    if recording.pretrigger is None:
        return
    if (recording.posttrigger if recording.posttrigger is not None else recording.pretrigger) == 0:
        raise ConfigurationError("recording.posttrigger: at least 1, the frame of the trigger")
    if recording.split is not None:
        raise ConfigurationError("recording.split: with recording.pretrigger each capture is one file")
    if isinstance(settings.camera, PcoCameraSettings) and settings.camera.memory != "fifo":
        raise ConfigurationError(
            f'recording.pretrigger: needs camera.memory = "fifo"; a ring in its own memory '
            f'("{settings.camera.memory}") keeps frames before an event by itself, see camera.record_stop'
        )
    if recording.capture_input:
        _check_input(settings)
    if condition is not None and settings.analysis.function is None:
        name, known = split_condition(condition)[0], ["mean", *settings.preview.regions]
        if name not in known:
            raise ConfigurationError(
                f"analysis.trigger = {condition}: no region {name} in preview.regions, and no "
                f"analysis.function that returns it{did_you_mean(name, known) or '; mean is of the frame'}"
            )


def _check_input(settings: "Settings") -> None:
    """Raise ConfigurationError where the camera has no input that is free to call for captures."""
    camera = settings.camera
    if isinstance(camera, PlaybackCameraSettings):
        raise ConfigurationError("recording.capture_input: a playback has no input; use analysis.trigger")
    if isinstance(camera, PcoCameraSettings) and camera.acquire != "auto":
        raise ConfigurationError(
            f'recording.capture_input: with camera.acquire = "{camera.acquire}" the acquire input does '
            'something else; it has to be "auto"'
        )
