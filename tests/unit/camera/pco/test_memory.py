import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from recorder.camera.pco import memory
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.setup import check, set_up
from recorder.errors import ConfigurationError
from recorder.settings.model import validate
from recorder.settings.pco_camera import PcoCameraSettings
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig, installed
from tests.virtual_sc2.models import DIMAX, EDGE_55, PANDA_42, Model
from tests.virtual_sc2.ram import PAGES


def settings(**camera: Any) -> PcoCameraSettings:
    wanted = validate({"camera": {"kind": "pco", **camera}}).camera
    assert isinstance(wanted, PcoCameraSettings)
    return wanted


@contextmanager
def opened(camera: VirtualCamera) -> Iterator[tuple[OpenCamera, Rig]]:
    import pco

    with installed(camera) as rig:
        vendor = pco.Camera()
        try:
            yield OpenCamera.of(vendor), rig
        finally:
            vendor.close()


EVENT = {"memory": "camram ring", "record_stop": "external", "frames_after_event": 10}
SEQUENCE = {"acquire": "sequence trigger", "frames_per_trigger": 10}


@pytest.mark.parametrize(
    ("model", "wanted", "message"),
    [
        (EDGE_55, {"segment": 1}, "camera.segment = 1: this camera has no memory of its own; omit it"),
        (EDGE_55, {"segments": [100, 0, 0, 0]}, "camera.segments = [100, 0, 0, 0]: this camera has no memory of its own; omit it"),
        (DIMAX, {"segments": [60, 60, 0, 0]}, "camera.segments = [60, 60, 0, 0]: must be four shares in percent, together more than 0, at most 100"),
        (DIMAX, {"segments": [110, -10, 0, 0]}, "camera.segments = [110, -10, 0, 0]: must be four shares in percent, together more than 0, at most 100"),
        (DIMAX, {"segments": [0, 0, 0, 0]}, "camera.segments = [0, 0, 0, 0]: must be four shares in percent, together more than 0, at most 100"),
        (DIMAX, {"segment": 4}, "camera.segment = 4: this segment has no room; those with room: 1"),
        (DIMAX, {"segments": [0, 50, 0, 50]}, "camera.segment = 1: this segment has no room; those with room: 2, 4"),
        (PANDA_42, {"record_stop": "software", "frames_after_event": 5}, "camera.record_stop = software: this camera cannot be stopped by an event; it must be off"),
        (DIMAX, {**EVENT, "memory": "fifo"}, 'camera.record_stop = external: only a ring is stopped by an event; set memory = "camram ring"'),
        (DIMAX, {**EVENT, "memory": "camram sequence"}, 'camera.record_stop = external: only a ring is stopped by an event; set memory = "camram ring"'),
        (DIMAX, {**EVENT, "frames_after_event": None}, "camera.record_stop = external: say with frames_after_event how many frames follow the event"),
        (DIMAX, {"frames_after_event": 5}, 'camera.frames_after_event = 5: goes with record_stop = "software" or "external" only'),
        (DIMAX, {**EVENT, "acquire": "external"}, 'camera.record_stop = external: the event and acquire = "external" would share an input; acquire must be auto'),
        (DIMAX, {**EVENT, **SEQUENCE, "record_stop": "software"}, 'camera.record_stop = software: the event and acquire = "sequence trigger" would share an input; acquire must be auto'),
        (DIMAX, {**EVENT, "trigger": "software trigger"}, "camera.record_stop = external: `trigger` gives the event, so that frames need another trigger"),
        (EDGE_55, SEQUENCE, "camera.acquire = sequence trigger: this camera has no sequence trigger"),
        (PANDA_42, {"acquire": "sequence trigger"}, "camera.acquire = sequence trigger: say with frames_per_trigger how many frames each trigger starts"),
        (PANDA_42, {"frames_per_trigger": 3}, 'camera.frames_per_trigger = 3: goes with acquire = "sequence trigger" only'),
        (PANDA_42, {**SEQUENCE, "trigger": "software trigger"}, "camera.acquire = sequence trigger: `trigger` starts a sequence, so that its frames need another trigger"),
    ],
)  # fmt: skip
def test_what_a_camera_cannot_have_is_refused_with_the_reason(
    model: Model, wanted: dict[str, Any], message: str
) -> None:
    with opened(VirtualCamera(model)) as (device, rig):
        before = rig.calls.copy()
        with pytest.raises(ConfigurationError) as refused:
            set_up(device, settings(**wanted))
        assert str(refused.value) == message
        assert {
            name for name in rig.calls if "Get" not in name and rig.calls[name] != before.get(name)
        } == set()


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (DIMAX, EVENT),
        (DIMAX, {**EVENT, "record_stop": "software", "acquire": "external"}),
        (DIMAX, {**EVENT, "trigger": "external exposure start & software trigger"}),
        (DIMAX, {**SEQUENCE, "memory": "camram ring"}),
        (DIMAX, {**SEQUENCE, "segments": [0, 20.5, 79.5, 0], "segment": 3}),
        (PANDA_42, {**SEQUENCE, "trigger": "external exposure start & software trigger"}),
    ],
)
def test_what_it_can_have_is_taken(model: Model, wanted: dict[str, Any]) -> None:
    with opened(VirtualCamera(model)) as (device, _):
        assert check(device, settings(**wanted)) == []


def test_settings_reach_the_camera_and_are_read_back() -> None:
    camera = VirtualCamera(DIMAX)
    with opened(camera) as (device, _):
        set_up(device, settings(**EVENT, segments=[0, 25, 75, 0], segment=3))
        assert (camera.ram.active, camera.ram.stop_mode, camera.ram.stop_delay) == (3, 2, 10)
        assert [segment.pages for segment in camera.ram.segments] == [0, 250, 752, 0]
        assert memory.details(replace(device, settings=settings(**EVENT))) == {
            "numbers_begin": "first frame kept",
            "ram_segment": 3,
            "ram_segment_sizes": "0,24.9,75,0",
            "record_stop_event": "extern",
            "frames_after_event": 10,
            "acquire_mode": "auto",
        }
        set_up(device, settings(**SEQUENCE, memory="camram sequence"))
        assert (camera.settings.acquire, camera.settings.per_trigger, camera.settings.submode) == (4, 10, 0)
        # Whatever was set before: an event stops only what is asked to stop.
        assert memory.details(device)["record_stop_event"] == "off"
        assert memory.details(device)["frames_per_trigger"] == 10
    with opened(VirtualCamera(EDGE_55)) as (device, _):
        assert set(memory.details(device)) == {"numbers_begin"}


def test_details_that_a_camera_does_not_tell_are_left_out() -> None:
    camera = VirtualCamera(DIMAX, faults=dict.fromkeys(("PCO_GetStorageStruct",), 0x80161020))
    with opened(camera) as (device, _):
        assert "ram_segment" not in memory.details(device)
        assert "acquire_mode" in memory.details(device)


def test_sizes_that_are_as_asked_for_are_not_set_again(caplog: pytest.LogCaptureFixture) -> None:
    camera = VirtualCamera(DIMAX)
    with opened(camera) as (device, rig):
        for shares, calls in (([100, 0, 0, 0], 0), ([33.3, 33.3, 33.3, 0], 1), ([33.3, 33.3, 33.3, 0], 1)):
            with caplog.at_level(logging.WARNING):
                set_up(device, settings(segments=shares))
            assert rig.calls.get("PCO_SetCameraRamSegmentSize", 0) == calls
        assert "erases" not in caplog.text
        assert sum(segment.pages for segment in camera.ram.segments) <= PAGES


def test_a_segment_that_nobody_asked_for_is_never_erased() -> None:
    with opened(VirtualCamera(DIMAX)) as (device, rig):
        set_up(device, settings(**EVENT))
        assert not {"PCO_ClearRamSegment", "PCO_SetCameraRamSegmentSize"} & set(rig.calls)
