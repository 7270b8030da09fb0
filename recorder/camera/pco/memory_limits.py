"""Check the settings of a camera's own memory and of triggered sequences, as `validation` does the others."""

from recorder.camera.pco.refusal import refuse
from recorder.camera.pco.validation import NO_MEMORY
from recorder.settings.pco_camera import PcoCameraSettings

# Bits of the camera's description (sc2_defs.h, dwGeneralCapsDESC1).
RECORD_STOP = 0x00000020
EXTENDED_ACQUIRE = 0x00200000


def check(settings: PcoCameraSettings, caps: int) -> None:
    """Raise ConfigurationError for the first setting that a camera with these capabilities cannot have.

    `caps` is dwGeneralCapsDESC1. How much room a segment has is checked by `memory.check_room`.
    """
    _check_segments(settings, has_memory=not caps & NO_MEMORY)
    _check_record_stop(settings, has_it=bool(caps & RECORD_STOP) and not caps & NO_MEMORY)
    _check_sequence(settings, has_it=bool(caps & EXTENDED_ACQUIRE))


def _check_segments(settings: PcoCameraSettings, *, has_memory: bool) -> None:
    shares = settings.segments
    shown = f"[{', '.join(f'{share:g}' for share in shares)}]" if shares is not None else None
    for key, value in (("segment", settings.segment), ("segments", shown)):
        if value is not None and not has_memory:
            refuse(key, value, "this camera has no memory of its own; omit it")
    if shares is not None and (min(shares) < 0 or not 0 < sum(shares) <= 100):
        refuse("segments", shown, "must be four shares in percent, together more than 0, at most 100")


def _check_record_stop(settings: PcoCameraSettings, *, has_it: bool) -> None:
    event, after = settings.record_stop, settings.frames_after_event
    if event == "off":
        if after is not None:
            refuse("frames_after_event", after, 'goes with record_stop = "software" or "external" only')
        return
    if not has_it:
        refuse("record_stop", event, "this camera cannot be stopped by an event; it must be off")
    if settings.memory != "camram ring":
        refuse("record_stop", event, 'only a ring is stopped by an event; set memory = "camram ring"')
    if after is None:
        refuse("record_stop", event, "say with frames_after_event how many frames follow the event")
    if settings.acquire == "sequence trigger" or (event == "external" and settings.acquire != "auto"):
        why = f'the event and acquire = "{settings.acquire}" would share an input; acquire must be auto'
        refuse("record_stop", event, why)
    if settings.trigger == "software trigger":
        refuse("record_stop", event, "`trigger` gives the event, so that frames need another trigger")


def _check_sequence(settings: PcoCameraSettings, *, has_it: bool) -> None:
    acquire, frames = settings.acquire, settings.frames_per_trigger
    if acquire != "sequence trigger":
        if frames is not None:
            refuse("frames_per_trigger", frames, 'goes with acquire = "sequence trigger" only')
        return
    if not has_it:
        refuse("acquire", acquire, "this camera has no sequence trigger")
    if frames is None:
        refuse("acquire", acquire, "say with frames_per_trigger how many frames each trigger starts")
    if settings.trigger == "software trigger":
        refuse("acquire", acquire, "`trigger` starts a sequence, so that its frames need another trigger")
